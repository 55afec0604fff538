"""What a killed launcher may have left behind: found by its mark in the environment, so that no other process is ever hit."""

import contextlib

import psutil

from tasks.local.folder import AttemptFolder

MARK = "TRIALFLOW_CONTEXT_FILE"
PASSES = 10
"""What is found may have started more meanwhile."""


def kill_leftovers(folder: AttemptFolder) -> int:
    """Kill every process that carries the attempt's mark. Returns how many there were. No error if there are none."""
    mark = str(folder.path / "context.json")
    count = 0
    for _ in range(PASSES):
        found = [process for process in psutil.process_iter() if _carries(process, mark)]
        if not found:
            break
        for process in found:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(found, timeout=5)
        count += len(found)
    return count


def _carries(process: psutil.Process, mark: str) -> bool:
    try:
        return process.environ().get(MARK) == mark
    except (psutil.Error, OSError):
        return False  # another user's, or gone: not ours
