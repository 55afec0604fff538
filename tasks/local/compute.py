"""Training runs on this machine: launch or adopt, follow, stop."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import trialflow.launcher
from tasks.compute import Attempt, Exit, IssueToken, Report, Scope
from tasks.local.folder import AttemptFolder, JournalTail, Tail
from tasks.local.following import BellListener
from tasks.local.orphans import kill_leftovers
from trialflow.embedded import socket_of
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.results.spending import NodeUse

LAUNCH = Path(trialflow.launcher.__file__).with_name("launch.py")
START_SECONDS = 60.0
ENDING_SECONDS = 3.0
"""What a launcher takes at most, after its model has been killed, to write down how it ended."""
OURS = (
    "PREFECT_API_URL",
    "PREFECT_UI_URL",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_API_SSL_CERT_FILE",
    "PREFECT_HOME",
    "PREFECT_PROFILES_PATH",
    "PREFECT__FLOW_RUN_ID",
    "PREFECT__FLOW_ENTRYPOINT",
)
"""Variables that trialflow or Prefect set for themselves in the process that launches; they are no part of the user's environment."""


class LocalCompute:
    """Executes training runs as processes of this machine. `root` holds a folder for each: `ROOT/<training run>/<attempt>`.

    `api_url`, and the token that `issue` gives an attempt, are for the launchers' relays. `keys` are secrets that the models get; no file has them.
    Files are readable by the user alone. `environment` is what the models' own is made from: that of this process by default.
    """

    def __init__(
        self,
        root: Path,
        *,
        api_url: str,
        issue: IssueToken | None = None,
        keys: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.root = root.absolute()
        self._upstream = {"TRIALFLOW_UPSTREAM_URL": api_url}
        if path := socket_of(Home.from_environment(), api_url):
            self._upstream["TRIALFLOW_UPSTREAM_SOCKET"] = str(path)
        self._issue = issue
        self._keys = dict(keys or {})
        self._environment = environment
        self._started: dict[Path, subprocess.Popen[bytes]] = {}

    def folder(self, attempt: Attempt) -> AttemptFolder:
        """The folder of an attempt, whether it exists or not."""
        return AttemptFolder(self.root / attempt.training_run_id / str(attempt.number))

    async def launch(self, attempt: Attempt) -> None:
        """Start the attempt's launcher unless it has ever had one."""
        folder = self.folder(attempt)
        folder.make()
        if folder.was_launched() or folder.is_alive():
            return
        folder.write(
            "launch.json",
            {
                **attempt.launch_plan(dict(attempt.training_run)),
                "command": list(attempt.command),
                "directory": str(attempt.directory) if attempt.directory else None,
            },
        )
        await self._start(folder, attempt)

    async def follow(
        self,
        attempt: Attempt,
        *,
        on_reports: Callable[[Sequence[Report]], Awaitable[None]],
        on_log: Callable[[bytes], None] | None = None,
        on_pending: Callable[[str], None] | None = None,
    ) -> Exit:
        """Wait for the attempt's end by its bell; see `Compute.follow`."""
        folder = self.folder(attempt)
        journal, log = JournalTail(folder.path / "journal.jsonl"), Tail(folder.log)

        async def take_news() -> None:
            while on_log and (chunk := log.read()):
                on_log(chunk)
                await asyncio.sleep(0)  # a model may print as fast as this reads
            if reports := journal.read():
                await on_reports(reports)

        if folder.is_alive():
            with BellListener(folder.path) as bell:
                while not bell.is_over:
                    await take_news()
                    await bell.ring()
        self._reap(folder)
        await take_news()
        return folder.outcome() or await self._lost(folder)

    async def stop(self, attempt: Attempt, *, grace: float = 10.0) -> None:
        """End the attempt: the launcher is asked to end the model within `grace`, and killed if it cannot do that."""
        folder = self.folder(attempt)
        if folder.is_alive():
            folder.write("stop", grace)
            with BellListener(folder.path) as bell:
                self._signal(folder, signal.SIGTERM)
                if not await self._is_over(bell, folder, grace + ENDING_SECONDS):
                    self._signal(folder, signal.SIGKILL)
                    await self._is_over(bell, folder, ENDING_SECONDS)
        elif (process := self._started.get(folder.path)) is not None:
            process.terminate()  # it was started a moment ago and has not got to its lock yet
        await asyncio.to_thread(self._reap, folder)
        if folder.was_launched() and folder.outcome() is None:
            await asyncio.to_thread(kill_leftovers, folder)

    async def discard(self, attempt: Attempt) -> None:
        """Nothing: a process that has ended holds nothing, and its folder is kept for who asks for the log."""

    def place(self, attempt: Attempt) -> None:
        """Nowhere but here."""

    def uses(self) -> tuple[NodeUse, ...]:
        """Nothing: this machine costs nothing more for what it does."""
        return ()

    def read_log(self, attempt: Attempt, *, last: int | None = None) -> bytes:
        """What the attempt printed."""
        try:
            with open(self.folder(attempt).log, "rb") as file:
                if last is not None:
                    file.seek(max(0, os.fstat(file.fileno()).st_size - last))
                return file.read()
        except FileNotFoundError:
            return b""

    async def _start(self, folder: AttemptFolder, attempt: Attempt) -> None:
        token = {"TRIALFLOW_UPSTREAM_TOKEN": await self._issue(attempt)} if self._issue is not None else {}
        reader, writer = os.pipe()
        given = os.environ if self._environment is None else self._environment
        environment = {name: value for name, value in given.items() if name not in OURS}
        try:
            with open(folder.launcher_log, "ab") as said:
                self._started[folder.path] = subprocess.Popen(
                    [sys.executable, "-I", "-S", str(LAUNCH), str(folder.path), str(writer)],
                    env={**environment, **attempt.environment, **self._keys, **self._upstream, **token},
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    pass_fds=[writer],
                    start_new_session=True,
                    cwd="/",
                )
        except OSError as error:
            os.close(reader)
            raise TrialflowError(
                f"the launcher of training run {attempt.training_run_id} could not be started: {error.strerror}",
                hint="this machine may be out of memory, processes or open files; a lower `parallel_bandwidth` needs less of them",
            ) from error
        finally:
            os.close(writer)
        await self._until_started(reader, attempt)

    async def _until_started(self, reader: int, attempt: Attempt) -> None:
        """Wait for the launcher's word that it holds its lock and the model runs, or for its end."""
        loop = asyncio.get_running_loop()
        told = loop.create_future()
        loop.add_reader(reader, lambda: told.done() or told.set_result(None))
        try:
            await asyncio.wait_for(told, START_SECONDS)
        except TimeoutError as error:
            raise TrialflowError(
                f"the launcher of training run {attempt.training_run_id} has not started its model for {START_SECONDS:.0f} seconds",
                hint=f"the machine may be overloaded; see {self.folder(attempt).launcher_log}",
            ) from error
        finally:
            loop.remove_reader(reader)
            os.close(reader)

    async def _is_over(self, bell: BellListener, folder: AttemptFolder, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                while not bell.is_over and folder.is_alive():
                    await bell.ring()
        except TimeoutError:
            return False
        return True

    async def _lost(self, folder: AttemptFolder) -> Exit:
        started = folder.launcher()
        if not started:
            said = folder.last_words()
            return Exit(lost=f"its launcher did not start{': ' + said if said else ''}")
        if started.get("boot_id") != boot_id():
            return Exit(lost="this machine was restarted", started=started.get("started"))
        await asyncio.to_thread(kill_leftovers, folder)
        # A launcher may have written its outcome in the last moment of its life.
        if ended := folder.outcome():
            return ended
        said = folder.last_words()
        return Exit(lost=f"its launcher broke off: {said}" if said else "its launcher was killed", started=started.get("started"))

    def _signal(self, folder: AttemptFolder, number: int) -> None:
        if (pid := folder.launcher().get("pid")) is not None and folder.is_alive():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _reap(self, folder: AttemptFolder) -> None:
        if (process := self._started.pop(folder.path, None)) is not None:
            process.wait()


class LocalComputes:
    """This machine as a place for training runs: one compute serves every scope, for what it starts needs nothing beside it."""

    has_prices = False

    def __init__(self, root: Path, **options: Any) -> None:
        self._compute = LocalCompute(root, **options)

    @contextlib.asynccontextmanager
    async def open(self, scope: Scope) -> AsyncIterator[LocalCompute]:
        """See `Computes.open`."""
        yield self._compute

    async def sweep(self, uid: str) -> None:
        """Nothing: launchers end by themselves, and folders are kept for their logs."""


def boot_id() -> str:
    """What tells one start of this machine from another; empty where nothing does."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
