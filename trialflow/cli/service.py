"""`trialflow service` and `trialflow token`."""

import os
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from trialflow.cli.terminal.messages import say, warn
from trialflow.home import Home
from trialflow.network import LOOPBACK

if TYPE_CHECKING:
    from trialflow.service.service import Service


def _refuse_database(ctx: click.Context, parameter: click.Parameter, value: str | None) -> None:
    if value is not None:
        raise click.UsageError("the database is not given as an argument, which other users can read; set the variable TRIALFLOW_DATABASE_URL")


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on; 0.0.0.0 for other machines.")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="The port; 0 for any free one.")
@click.option("--database", hidden=True, callback=_refuse_database)
def service(host: str, port: int, database: str | None) -> None:
    """Serve the SigOpt-compatible API in the foreground. Other commands on this machine use it while it runs.

    Point the `sigopt` client at it with SIGOPT_API_URL and SIGOPT_API_TOKEN. The database is SQLite unless TRIALFLOW_DATABASE_URL names another,
    such as postgresql://user:password@host/name: a variable, because other users can read the arguments of a command.
    """
    from trialflow.service.serving import listen

    home = Home.from_environment()
    serve_in_foreground(home, listen(host, port), host)


def serve_in_foreground(home: Home, listener: socket.socket, host: str, *, on_ready: "Callable[[Service], None] | None" = None) -> None:
    """Serve on a listening socket until Ctrl-C; it is closed. `on_ready` is called, in a thread, once the service answers."""
    from trialflow.embedded import in_foreground, service_server
    from trialflow.service.serving import open_service, run

    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    os.umask(0o077)
    reached = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    url = f"http://{reached}:{listener.getsockname()[1]}"
    with listener, in_foreground(service_server(home), url) as others:
        opened = open_service(home, os.environ.get("TRIALFLOW_DATABASE_URL"))
        try:
            say(f"serving at {url}; the token is in {home.token_file}")
            if on_ready is None:
                say(f'  export SIGOPT_API_URL={url} SIGOPT_API_TOKEN="$(trialflow token)"')
            if host not in LOOPBACK:
                warn("other machines can reach this address, and the connection is not encrypted: put a TLS proxy in front of it")
            run(opened, listener, url, *others, on_ready=None if on_ready is None else lambda: on_ready(opened))
        finally:
            opened.close()


@click.command()
@click.option("--prefect", is_flag=True, help="In the form that the Prefect UI asks for.")
def token(prefect: bool) -> None:
    """Print the token that the service and the Prefect UI on this machine ask for."""
    from trialflow.embedded.servers import prefect_auth

    home = Home.from_environment()
    click.echo(prefect_auth(home) if prefect else home.token())
