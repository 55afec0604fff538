"""`trialflow logs`."""

import asyncio
import sys
from typing import Any

import click

from tasks.experiments.identifiers import find_run
from trialflow.api.session import service_session
from trialflow.api_types import TrainingRun
from trialflow.cli.options import project_here, project_option
from trialflow.cli.terminal.messages import say


@click.command()
@click.argument("identifier", metavar="ID")
@project_option
@click.option("-f", "--follow", is_flag=True, help="Keep printing until the training run ends.")
@click.option("--tail", type=click.IntRange(min=0), metavar="N", help="Print only the last N lines.")
def logs(identifier: str, project: str | None, follow: bool, tail: int | None) -> None:
    """Print what a training run printed. ID is its number, `run/34`, or its name."""
    asyncio.run(_logs(identifier, project, follow, tail))


async def _logs(identifier: str, project: str | None, follow: bool, tail: int | None) -> None:
    async with service_session() as (home, client):
        from tasks.compute import Attempt
        from tasks.experiments.launch_history import LaunchHistory
        from tasks.experiments.ownership import service_key
        from tasks.local import LocalCompute

        run = await find_run(client, identifier, project_here(project))
        compute = LocalCompute(home.training_runs / service_key(home, client.url), api_url=client.url)
        attempt = Attempt(run, LaunchHistory.of(run).attempt, (), run["project"])
        if not compute.folder(attempt).path.exists():
            _print(_kept(run), tail)
            return
        if not follow or not compute.folder(attempt).is_alive():
            _print(compute.read_log(attempt), tail)
            return

        async def pass_over(reports: Any) -> None:
            """The flow sends them to the service."""

        await compute.follow(attempt, on_reports=pass_over, on_log=lambda chunk: _print(chunk, None))


def _kept(run: TrainingRun) -> bytes:
    """The excerpt that the service stores."""
    texts = [log.get("content") or "" for log in (run.get("logs") or {}).values()]
    if not any(texts):
        say(f"training run {run['id']} has no log on this machine or in the service")
    else:
        say("this is an excerpt; the whole log is on the machine that executed the training run")
    return "\n".join(texts).encode()


def _print(log: bytes, tail: int | None) -> None:
    if tail is not None:
        lines = log.splitlines(keepends=True)
        log = b"".join(lines[len(lines) - min(tail, len(lines)) :])
    sys.stdout.buffer.write(log)
    sys.stdout.buffer.flush()
