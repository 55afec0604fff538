"""Dockerfiles that the engine's classic builder does not understand, and the `docker buildx` command that does."""

import asyncio
import contextlib
import os
import re
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Mapping
from typing import IO

from tasks.images.events import ImageEvent, OnEvent
from tasks.images.explaining import LAST_LINES, build_error

STEP = re.compile(r"#\d+ \[(?:[^\]]*? )?(\d+)/(\d+)\] (.*)")
OUTPUT = re.compile(r"#(\d+) (?:\d+\.\d+ )?(.*)")
INSTRUCTION = re.compile(r"(?P<name>[A-Za-z]+)\s+(?P<rest>.*)", re.DOTALL)
FLAGS = {"RUN": ("--mount", "--network", "--security"), "COPY": ("--link", "--chmod", "--parents", "--exclude"),
         "ADD": ("--link", "--chmod", "--checksum", "--keep-git-dir", "--exclude")}  # fmt: skip
HEREDOC = re.compile(r"(?<!<)<<-?[\"']?([A-Za-z_][A-Za-z0-9_]*)[\"']?")


def needs_buildkit(text: str) -> str | None:
    """Why a Dockerfile needs BuildKit, as `line 7: RUN --mount`, or None."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        first, whole = number, lines[number].strip()
        while whole.endswith("\\") and number + 1 < len(lines):
            number += 1
            whole = whole[:-1] + " " + lines[number].strip()
        number += 1
        match = INSTRUCTION.match(whole)
        if whole.startswith("#") or not match:
            continue
        name, words = match["name"].upper(), match["rest"].split()
        flags = [word.partition("=")[0] for word in words[: next((i for i, word in enumerate(words) if not word.startswith("--")), len(words))]]
        if used := [flag for flag in flags if flag in FLAGS.get(name, ())]:
            return f"line {first + 1}: {name} {used[0]}"
        if name in ("COPY", "ADD") and HEREDOC.match((match["rest"].split() or [""])[0]):
            return f"line {first + 1}: {name} with a here-document"
        # In a classic RUN the shell sees `<<EOF` without the lines that follow; one that is closed in the same RUN is the shell's own.
        if name == "RUN" and (found := HEREDOC.search(match["rest"])) and found[1] in [line.strip() for line in lines[number:]]:
            return f"line {first + 1}: RUN with a here-document"
    return None


def buildx() -> list[str] | None:
    """The command that builds with BuildKit, or None if this machine has none."""
    if not (docker := shutil.which("docker")):
        return None
    try:
        subprocess.run([docker, "buildx", "version"], capture_output=True, timeout=20, check=True, stdin=subprocess.DEVNULL, env=dict(os.environ))
    except (OSError, subprocess.SubprocessError):
        return None
    return [docker, "buildx"]


async def build_with(
    command: list[str],
    archive: IO[bytes],
    *,
    address: str,
    dockerfile: str,
    name: str,
    labels: Mapping[str, str],
    platform: str | None = None,
    target: str | None = None,
    fresh: bool = False,
    on_event: OnEvent,
) -> None:
    """Build `name` with `docker buildx build`, from an archive as the classic builder gets it, into the engine at `address`.

    A cancellation ends the command, at which BuildKit gives up. Raises as `build_error` says.
    """
    words = [*command, "build", "--progress=plain", "--load", "--provenance=false", f"--file={dockerfile}", f"--tag={name}"]
    words += [f"--label={label}={value}" for label, value in labels.items()]
    words += [f"--platform={platform}"] if platform else []
    words += [f"--target={target}"] if target else []
    words += ["--pull", "--no-cache"] if fresh else []
    process = await asyncio.create_subprocess_exec(
        *words, "-", stdin=archive.fileno(), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, limit=1 << 20,
        env={**os.environ, "DOCKER_HOST": address}, start_new_session=True,
    )  # fmt: skip
    follower = PlainFollower(on_event)
    try:
        assert process.stdout
        async for line in process.stdout:
            follower.take(line.decode(errors="replace").rstrip())
        code = await process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        raise
    if code:
        raise build_error(follower.error or f"`docker buildx build` ended with code {code}", step=follower.step, printed=[*follower.printed])


class PlainFollower:
    """Reads what `--progress=plain` prints: tells steps and output, remembers what the failing step said."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._steps: dict[str, str] = {}
        self._lines: dict[str, deque[str]] = {}
        self._last = ""
        self.error = ""

    @property
    def step(self) -> str:
        """The step that spoke last."""
        return self._steps.get(self._last, "")

    @property
    def printed(self) -> list[str]:
        """The last lines of that step."""
        return list(self._lines.get(self._last, ()))

    def take(self, line: str) -> None:
        """Take one line."""
        if line.startswith("ERROR: "):
            self.error = line.removeprefix("ERROR: ").removeprefix("failed to solve: ")
            return
        if not (match := OUTPUT.match(line)):
            return
        vertex, text = match[1], match[2]
        if begins := STEP.match(line):
            if vertex not in self._steps:
                self._steps[vertex] = f"step {begins[1]}/{begins[2]}: {begins[3]}"
                self._on_event(ImageEvent("step", begins[3], number=int(begins[1]), steps=int(begins[2])))
            return
        if vertex not in self._steps or re.match(r"(DONE|CACHED|sha256:|extracting|resolve|\.\.\.)", text):
            return
        self._last = vertex
        if text.startswith("ERROR: "):
            return
        self._lines.setdefault(vertex, deque(maxlen=LAST_LINES)).append(text)
        self._on_event(ImageEvent("output", text))
