"""Training runs on this machine: launch or adopt, follow, stop."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path

import trialflow.launcher
from tasks.compute import Exit, Launch, Report
from tasks.local.folder import AttemptFolder, JournalTail, Tail
from tasks.local.following import Bell
from tasks.local.leftovers import kill_leftovers

LAUNCH = Path(trialflow.launcher.__file__).with_name("launch.py")
START_SECONDS = 60.0
OURS = ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "PREFECT_HOME", "PREFECT__FLOW_RUN_ID", "PREFECT__FLOW_ENTRYPOINT")
"""Variables that trialflow or Prefect set for themselves in the process that launches; they are no part of the user's environment."""


class LocalCompute:
    """Executes training runs as processes of this machine. `root` holds a folder for each: `ROOT/<training run>/<attempt>`.

    `api_url` and `api_token` are for the launchers' relays; the models never see them. Files are readable by the user alone.
    """

    def __init__(self, root: Path, *, api_url: str, api_token: str) -> None:
        self.root = root
        self._upstream = {"TRIALFLOW_UPSTREAM_URL": api_url, "TRIALFLOW_UPSTREAM_TOKEN": api_token}
        self._started: dict[Path, subprocess.Popen[bytes]] = {}

    def folder(self, work: Launch) -> AttemptFolder:
        """The folder of an attempt, whether it exists or not."""
        return AttemptFolder(self.root / work.training_run_id / str(work.attempt))

    async def launch(self, work: Launch) -> None:
        """Start the attempt's launcher unless it has ever had one."""
        folder = self.folder(work)
        folder.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.was_launched() or folder.is_alive():
            return
        folder.write_launch(
            {
                "training_run": dict(work.training_run),
                "attempt": work.attempt,
                "command": list(work.command),
                "directory": str(work.directory) if work.directory else None,
                "project": work.project,
                "patterns": dict(work.patterns),
                "timeout": work.timeout,
                "experiment_id": work.experiment_id,
            }
        )
        await self._start(folder, work)

    async def follow(
        self,
        work: Launch,
        *,
        on_reports: Callable[[Sequence[Report]], Awaitable[None]],
        on_log: Callable[[bytes], None] | None = None,
    ) -> Exit:
        """Wait for the attempt's end by its bell; see `Compute.follow`."""
        folder = self.folder(work)
        journal, log = JournalTail(folder.path / "journal.jsonl"), Tail(folder.log)

        async def take_news() -> None:
            while on_log and (chunk := log.read()):
                on_log(chunk)
            if reports := journal.read():
                await on_reports(reports)

        if folder.is_alive():
            with Bell(folder.bell) as bell:
                if not folder.is_alive():  # it ended before the bell could be heard
                    bell.end()
                while not bell.is_over:
                    await take_news()
                    await bell.ring()
        self._reap(folder)
        await take_news()
        return folder.outcome() or await self._lost(folder)

    async def stop(self, work: Launch, *, grace: float = 10.0) -> None:
        """End the attempt: its launcher is asked, and killed if it takes longer than `grace`."""
        folder = self.folder(work)
        if folder.is_alive():
            with Bell(folder.bell) as bell:
                self._signal(folder, signal.SIGTERM)
                try:
                    async with asyncio.timeout(grace + 1):
                        while not bell.is_over and folder.is_alive():
                            await bell.ring()
                except TimeoutError:
                    self._signal(folder, signal.SIGKILL)
        self._reap(folder)
        if folder.was_launched() and folder.outcome() is None:
            await asyncio.to_thread(kill_leftovers, folder)

    def kill_at_once(self, works: Sequence[Launch]) -> None:
        """Kill launchers and models without waiting. What was not written down by then is lost, and launched again."""
        for work in works:
            if self.folder(work).is_alive():
                self._signal(self.folder(work), signal.SIGKILL)

    def read_log(self, work: Launch, *, last: int | None = None) -> bytes:
        """What the attempt printed."""
        try:
            with open(self.folder(work).log, "rb") as file:
                if last is not None:
                    file.seek(max(0, os.fstat(file.fileno()).st_size - last))
                return file.read()
        except FileNotFoundError:
            return b""

    async def _start(self, folder: AttemptFolder, work: Launch) -> None:
        reader, writer = os.pipe()
        environment = {name: value for name, value in os.environ.items() if name not in OURS}
        with open(folder.path / "launcher.log", "ab") as said:
            self._started[folder.path] = subprocess.Popen(
                [sys.executable, "-I", "-S", str(LAUNCH), str(folder.path), str(writer)],
                env={**environment, **work.environment, **self._upstream},
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=said,
                pass_fds=[writer],
                start_new_session=True,
                cwd="/",
            )
        os.close(writer)
        await self._until_started(reader)

    async def _until_started(self, reader: int) -> None:
        """Wait for the launcher's word that it holds its lock and the model runs, or for its end."""
        loop = asyncio.get_running_loop()
        told = loop.create_future()
        loop.add_reader(reader, lambda: told.done() or told.set_result(None))
        try:
            await asyncio.wait_for(told, START_SECONDS)
        finally:
            loop.remove_reader(reader)
            os.close(reader)

    async def _lost(self, folder: AttemptFolder) -> Exit:
        started = folder.launcher()
        if not started:
            said = (folder.path / "launcher.log").read_text(errors="replace").strip() if (folder.path / "launcher.log").exists() else ""
            return Exit(lost=f"its launcher did not start{': ' + said.splitlines()[-1] if said else ''}")
        if started.get("boot_id") != boot_id():
            return Exit(lost="this machine was restarted", started=started.get("started"))
        await asyncio.to_thread(kill_leftovers, folder)
        # A launcher may have written its outcome in the last moment of its life.
        return folder.outcome() or replace(Exit(lost="its launcher was killed"), started=started.get("started"))

    def _signal(self, folder: AttemptFolder, number: int) -> None:
        if (pid := folder.launcher().get("pid")) is not None and folder.is_alive():
            os.kill(pid, number)

    def _reap(self, folder: AttemptFolder) -> None:
        if (process := self._started.pop(folder.path, None)) is not None:
            process.wait()


def boot_id() -> str:
    """What tells one start of this machine from another; empty where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
