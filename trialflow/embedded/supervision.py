"""Keep a program running: what dies is started again, each time after a longer pause, until it has run for a while."""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from trialflow.embedded.host import die_with_parent
from trialflow.errors import TrialflowError
from trialflow.network import READY_FD, without_logins

LONGEST_PAUSE = 60.0
WELL_AFTER = 60.0
"""A program that has run for so many seconds had started well: the next pause is short again."""
READY_SECONDS = 300.0
GRACE_SECONDS = 90.0
"""What a program may take to end in order: flows stop their models first."""
LOG_LINES = 15


@dataclass(frozen=True)
class Program:
    """A program to keep running: `title` for people. It writes a line to the descriptor in TRIALFLOW_READY_FD once it is at work."""

    title: str
    command: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)


def pause_before(lives: Sequence[float]) -> float:
    """Seconds to wait before the next start. `lives` are how long it ran each time, the latest last: short ones in a row double the pause."""
    short = 0
    for life in reversed(lives):
        if life >= WELL_AFTER:
            break
        short += 1
    return min(LONGEST_PAUSE, 2.0 ** (short - 1)) if short else 0.0


class Keeper:
    """Keeps one program running until it is stopped. `tell` gets a sentence when something happens that people should know."""

    def __init__(self, program: Program, tell: Callable[[str], None]) -> None:
        self.program = program
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()

    async def start(self) -> None:
        """Start it for the first time, and return once it is at work. Raises `TrialflowError` with the end of its log if it does not get there."""
        begin = self.program.log.stat().st_size if self.program.log.exists() else 0
        if not await self._launch():
            await self._end()
            raise TrialflowError(f"could not start {self.program.title}{_tail(self.program.log, begin)}", hint=f"its log is {self.program.log}")

    async def keep(self) -> None:
        """Start it again whenever it ends, until `stop`."""
        lives: list[float] = []
        while True:
            since = time.monotonic()
            assert self._process is not None
            code = await self._process.wait()
            if self._stopping.is_set():
                return
            lives.append(time.monotonic() - since)
            pause = pause_before(lives)
            self._tell(f"{self.program.title} ended (exit code {code}); it is started again" + (f" in {pause:.0f} s" if pause else ""))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), pause)
                return
            if await self._launch():
                self._tell(f"{self.program.title} runs again")

    async def stop(self) -> None:
        """End it in order, by force if that takes too long. Can be called at any time."""
        self._stopping.set()
        await self._end()

    async def _launch(self) -> bool:
        self.program.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        reader, writer = os.pipe()
        try:
            with open(self.program.log, "ab") as log:
                self._process = await asyncio.create_subprocess_exec(
                    *self.program.command,
                    env={**self.program.environment, READY_FD: str(writer)},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[writer],
                    start_new_session=True,
                    preexec_fn=die_with_parent,
                    cwd="/",
                )
        finally:
            os.close(writer)
        with os.fdopen(reader, "rb") as answer:
            loop, ready = asyncio.get_running_loop(), asyncio.Event()
            loop.add_reader(answer.fileno(), ready.set)
            try:
                await asyncio.wait_for(ready.wait(), READY_SECONDS)
                line = answer.readline()
            except TimeoutError:
                return False
            finally:
                loop.remove_reader(answer.fileno())
        return bool(line) and "url" in json.loads(line)

    async def _end(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), GRACE_SECONDS)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _tail(log: Path, begin: int) -> str:
    try:
        with open(log, "rb") as output:
            output.seek(begin)
            lines = without_logins(output.read().decode(errors="replace")).strip().splitlines()[-LOG_LINES:]
    except OSError:
        return ""
    return "\n  ".join(["; its log ends with:", *lines]) if lines else ""
