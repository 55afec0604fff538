"""Run a flow in this process: Prefect imported and set up quietly, and a flow that stops in order when it is interrupted."""

import asyncio
import gc
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partialmethod
from importlib import import_module
from pathlib import Path
from typing import Any

from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.network import unusable

UNREACHABLE = "Failed to reach API"
"""What Prefect says, in an error of no kind of its own, of a server that does not answer."""
DRAIN_SECONDS = 5.0


def import_flows(alone: Path | None = None) -> None:
    """Import our flows, and Prefect with them: its variables must be set by then.

    `alone` is the home of the embedded Prefect server, if that is the one to use. Prefect then reads no `.env`, `prefect.toml` or `pyproject.toml` of
    the user's folder, which are not about this server, and its client goes through no proxy. Raises `TrialflowError` if Prefect refuses its settings.
    """
    # Nothing that an import makes is garbage, and looking for it is a tenth of the work.
    gc.disable()
    before = os.getcwd() if alone else None
    # Prefect makes HTTP clients while it is imported, and fails where a variable names a file that is not there.
    hidden = {name: os.environ.pop(name) for name in unusable(os.environ)}
    try:
        if alone:
            os.chdir(alone)  # Prefect reads settings from the working folder when it is imported
        with _settings_named():
            import_module("prefect")
            if before:
                os.chdir(before)
                _keep_prefect_to_itself()
            import_module("flows.execution")  # most of Prefect is imported only now
    finally:
        if before:
            os.chdir(before)
        os.environ.update(hidden)
        gc.enable()


@contextmanager
def _settings_named() -> Iterator[None]:
    """Raise what Prefect says of its settings as an error for people."""
    try:
        yield
    except Exception as error:
        if type(error).__name__ not in ("SettingsError", "ValidationError"):
            raise
        where = "look at the variables PREFECT_*, and at .env, prefect.toml and pyproject.toml in this folder"
        raise TrialflowError(f"Prefect cannot read its settings: {error}", hint=where) from error


def _keep_prefect_to_itself() -> None:
    """Prefect reads its settings again whenever a flow begins, and makes clients all the time."""
    import prefect.settings.base
    from prefect.client.base import PrefectHttpxAsyncClient, PrefectHttpxSyncClient
    from pydantic_settings import InitSettingsSource

    for name in ("FilteredDotEnvSettingsSource", "PrefectTomlConfigSettingsSource", "PyprojectTomlConfigSettingsSource"):
        if not hasattr(prefect.settings.base, name):
            raise TrialflowError("this version of Prefect reads its settings in another way", hint="install prefect>=3.8,<3.9")

        class Nothing(InitSettingsSource):
            """A source without settings. Prefect asks which class a source is of, so each gets one of its own."""

            def __init__(self, settings: type[Any], *_: Any, **__: Any) -> None:
                super().__init__(settings, {})

        setattr(prefect.settings.base, name, Nothing)
    for client in (PrefectHttpxAsyncClient, PrefectHttpxSyncClient):
        setattr(client, "__init__", partialmethod(client.__init__, trust_env=False))  # noqa: B010 - for the type checker it is no method


def quiet_prefect(home: Home, *, is_shown: bool = False) -> Path:
    """Keep Prefect's log off the screen unless it `is_shown`: it goes to the UI and to the returned file."""
    import prefect.logging.configuration

    prefect.logging.configuration.setup_logging()
    log = home.make(home.logs) / "flows.log"
    file = logging.FileHandler(log)
    file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    for name in ("prefect", "prefect.flow_runs", "prefect.task_runs", ""):
        logger = logging.getLogger(name)
        for handler in list(logger.handlers):
            if type(handler).__name__ == "PrefectConsoleHandler" and not is_shown:
                logger.removeHandler(handler)
        if not logger.propagate or not name:
            logger.addHandler(file)
    return log


def run_flow(flow: Callable[[], Awaitable[Any]], *, on_interrupt: Callable[[], None], on_second_interrupt: Callable[[], None]) -> tuple[Any, bool]:
    """Run the flow to its end. Returns what it returned, and whether it was interrupted.

    The first SIGINT or SIGTERM, or a cancellation in Prefect, cancels it: it stops in order. Both callbacks are called in its event loop.
    """
    from prefect.exceptions import CancelledRun

    from flows.cancelling import interrupt as interrupt_of_flow

    interrupted = False

    async def main() -> Any:
        nonlocal interrupted
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            nonlocal interrupted
            if interrupted:
                on_second_interrupt()
                return
            interrupted = True
            on_interrupt()
            work.cancel()

        interrupt_of_flow.set(interrupt)
        work = asyncio.ensure_future(flow())
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        try:
            return await work
        except (asyncio.CancelledError, CancelledRun):
            return None
        except RuntimeError as error:
            if UNREACHABLE not in str(error):
                raise
            hint = "PREFECT_API_URL, or Prefect's profile, names it; without either, a command starts a server of its own"
            raise TrialflowError(f"Prefect's server does not answer: {error}", hint=hint) from error

    try:
        result = asyncio.run(main())
    finally:
        drain_prefect()
    if interrupted:  # somebody in a hurry may press it again while this process says goodbye
        signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    return result, interrupted


def drain_prefect() -> None:
    """Have Prefect send the last logs and events now: a server of ours may be gone a moment later."""
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (EventsWorker, APILogWorker):
        worker.drain_all(timeout=DRAIN_SECONDS)
