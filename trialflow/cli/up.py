"""`trialflow up` and `trialflow down`: Prefect's server and UI, the service and a worker, for as long as the user wants."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from trialflow.cli.terminal.messages import hint, next_commands, say, warn
from trialflow.errors import TrialflowError
from trialflow.home import Home

if TYPE_CHECKING:
    from trialflow.embedded import Standing

WAIT_SECONDS = 400.0
SERVERS_SECONDS = 30.0
"""How long `down` waits for servers that somebody else may be using."""


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="The port of the Prefect UI; by default 4200, or another if that is taken.")
@click.option("--service-port", type=click.IntRange(1, 65535), help="The port of the service; by default the one that it had last, or any free one.")
@click.option("--detach", "-d", is_flag=True, help="Return once everything is up, and leave it running.")
def up(port: int | None, service_port: int | None, detach: bool) -> int:
    """Start the Prefect server with its UI, the service, and a worker that executes what is triggered.

    They stay until `trialflow down`, or Ctrl-C without --detach; what dies is started again. While they are up, `trialflow optimize` triggers a
    deployment and follows it, so the experiment goes on when the terminal is closed. With PREFECT_API_URL set, that Prefect server is used.
    """
    from tasks.local.shell import keep_shell
    from trialflow.cli.environment import SHELL
    from trialflow.embedded import AlreadyUp, hold_up, is_rising

    home = Home.from_environment()
    if is_rising(home):
        return _already(home, port)
    if detach:
        return _detached(home, port, service_port)
    try:
        with hold_up(home):
            keep_shell(home, SHELL)
            return asyncio.run(_hold(home, port, service_port))
    except AlreadyUp:
        return _already(home, port)


@click.command()
def down() -> int:
    """Stop what `trialflow up` started. Flow runs end in order: experiments stop, lose nothing, and resume with the same command."""
    from trialflow.embedded import is_rising, standing, take_down

    home = Home.from_environment()
    found = standing(home)
    if is_rising(home):
        say("stopping; flow runs that are at work stop their models first")
    if not take_down(home):
        say("nothing is up")
        return 0
    say("everything is down" if found is None or found.owns_prefect else f"down; the Prefect server {found.prefect_url} is not ours and stays")
    return 0


def _already(home: Home, port: int | None) -> int:
    """Say what is up; nothing is changed."""
    from trialflow.embedded import is_rising, standing

    deadline = time.monotonic() + WAIT_SECONDS
    while (found := standing(home)) is None and is_rising(home) and time.monotonic() < deadline:
        time.sleep(0.1)
    if found is None:
        raise TrialflowError("another `trialflow up` was starting and has ended", hint="try again")
    say(f"trialflow is up already, since {time.strftime('%Y-%m-%d %H:%M', time.localtime(found.since))}; nothing was changed")
    tell_standing(found)
    if port and found.owns_prefect and not found.prefect_url.split("/api")[0].endswith(f":{port}"):
        warn(f"it does not use port {port}")
        hint(f"`trialflow down`, then `trialflow up --port {port}`")
    return 0


def tell_standing(found: "Standing") -> None:
    """Say where everything is, and what can be done with it."""
    say(f"Prefect UI: {found.ui_url}" + ("  (sign in: `trialflow token --prefect`)" if found.owns_prefect else ""))
    say(f"service: {found.service_url}")
    if found.owns_prefect:
        say("for Prefect's own commands:")
        say(f'  export PREFECT_API_URL={found.prefect_url} PREFECT_API_AUTH_STRING="$(trialflow token --prefect)"')
    next_commands(["trialflow optimize", "trialflow schedule add --cron '0 2 * * *'", "trialflow down"])


def _detached(home: Home, port: int | None, service_port: int | None) -> int:
    """Start the same command in a session of its own, and return when everything is up."""
    from trialflow.embedded import holder_of, is_rising, standing
    from trialflow.embedded.servers import PREFECT_PORT

    log = home.make(home.logs) / "up.log"
    begin = log.stat().st_size if log.exists() else 0
    ports = [word for name, value in (("--port", port), ("--service-port", service_port)) if value for word in (name, str(value))]
    command = [sys.executable, "-P", "-m", "trialflow", "up", *ports]
    from trialflow.packages import python_path

    with open(log, "ab") as output:
        variables = {**os.environ, **python_path()}
        process = subprocess.Popen(command, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
    deadline = time.monotonic() + WAIT_SECONDS
    while (found := standing(home)) is None and time.monotonic() < deadline:
        if process.poll() is not None and not is_rising(home):
            with open(log, "rb") as output:
                output.seek(begin)
                said = output.read().decode(errors="replace").strip()
            raise TrialflowError("\n  ".join(["it did not come up:", *said.splitlines()[-15:]]), hint=f"the whole log is {log}")
        time.sleep(0.1)
    if found is None:
        raise TrialflowError(f"it is not up after {WAIT_SECONDS:.0f} s", hint=f"look at {log}; `trialflow down` ends it")
    say(f"up; the log is {log}")
    if port is None and found.owns_prefect and urlsplit(found.ui_url).port != PREFECT_PORT:
        say(f"port {PREFECT_PORT} is taken by {holder_of(PREFECT_PORT) or 'another process'}, so another one is used")
    tell_standing(found)
    return 0


async def _hold(home: Home, port: int | None, service_port: int | None) -> int:
    """Start everything, keep it running, and end it in order at a signal."""
    from trialflow.cli.holding import Holding

    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stopping.set)
    say("starting; the first time takes longer")
    with ExitStack() as held:
        holding = Holding(home, port, queue_of(home), held, say, service_port)
        starting = asyncio.create_task(holding.start())
        asked = asyncio.create_task(stopping.wait())
        await asyncio.wait({starting, asked}, return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            tell_standing(starting.result())
            await asked
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        say("stopping")
        await holding.stop()
    await _end_of_servers(home)
    return 0


async def _end_of_servers(home: Home) -> None:
    """Wait for the servers, which end by themselves once nobody uses them, and say what is left."""
    from trialflow.embedded.lease import is_hosted

    deadline = time.monotonic() + SERVERS_SECONDS
    while any(is_hosted(home.servers / name) for name in ("prefect", "service")):
        if time.monotonic() > deadline:
            say("down, except for servers that another command still uses; they end with it")
            return
        await asyncio.sleep(0.1)
    say("everything is down")


def queue_of(home: Home) -> str:
    """The work queue of what is triggered from this home: its files are on this machine."""
    return f"{socket.gethostname()}-{sha256(str(home.root).encode()).hexdigest()[:8]}"
