"""How a model ended, read from its wait status, from what the kernel counts, and from its last words."""

import os
import signal

OUT_OF_MEMORY = (b"MemoryError", b"OutOfMemoryError", b"_ArrayMemoryError")
LAST_WORDS = 4096
FACTS = {
    "code": int,
    "signal": int,
    "out_of_memory": bool,
    "timed_out": bool,
    "stopped": bool,
    "problem": str,
    "complaint": str,
    "started": float,
    "ended": float,
}
"""What is told of an end, and of which type. `complaint` is what is wrong with what the model printed."""
LONGEST_TEXT = 2000


def facts_of(data):
    """The facts in data that came from elsewhere: known names with values of their type. None if it is no mapping."""
    if not isinstance(data, dict):
        return None
    facts = {}
    for name, kind in FACTS.items():
        value = data.get(name)
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value) if abs(value) < 1 << 53 else None
        if kind is str and isinstance(value, str):
            facts[name] = value[:LONGEST_TEXT]
        elif type(value) is kind and (kind is not int or 0 <= value < 1 << 16):
            facts[name] = value
    return facts


def describe(status, was_oom_killed, last_words):
    """The facts of an end: `code` or `signal`, and `out_of_memory`.

    `status` is a wait status. `was_oom_killed` and `last_words` are functions, asked only where they matter: whether the kernel has killed
    for want of memory meanwhile, and the end of what the model printed as bytes.
    """
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return {"signal": number, "out_of_memory": number == signal.SIGKILL and was_oom_killed()}
    code = os.WEXITSTATUS(status)
    if code == 128 + signal.SIGKILL:  # a shell says so of a command that was killed
        return {"code": code, "out_of_memory": was_oom_killed()}
    return {"code": code, "out_of_memory": code != 0 and is_memory_error(last_words())}


def may_be_a_shutdown(facts):
    """Whether the model was ended by the signals that a machine sends to everybody when it shuts down."""
    signals = (signal.SIGTERM, signal.SIGKILL)
    return facts.get("signal") in signals or facts.get("code") in [128 + number for number in signals]


def is_memory_error(text):
    """Whether the last line of `text` is the error of a Python that had no memory left, its own or a library's."""
    lines = text.rstrip().splitlines()
    return bool(lines) and lines[-1].split(b":")[0].strip().rsplit(b".", 1)[-1] in OUT_OF_MEMORY


def end_of(path):
    """The last bytes of a file."""
    with open(path, "rb") as file:
        file.seek(max(0, os.path.getsize(path) - LAST_WORDS))
        return file.read()


def oom_kills(cgroup="/proc/self/cgroup", tree="/sys/fs/cgroup", machine="/proc/vmstat"):
    """How many processes the kernel has killed for want of memory: of this control group where it tells, else of the whole machine.

    0 where it says nothing. The group's own counter is better: what dies elsewhere on the machine is not counted.
    """
    for line in _lines(cgroup):
        if line.startswith("0::/"):
            count = _count(os.path.join(tree, line[4:].strip(), "memory.events"))
            if count is not None:
                return count
    return _count(machine) or 0


def _count(path):
    for line in _lines(path):
        if line.startswith("oom_kill "):
            return int(line.split()[1])
    return None


def _lines(path):
    try:
        with open(path) as file:
            return file.readlines()
    except (OSError, ValueError):
        return []
