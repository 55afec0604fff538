"""`trialflow open`: the service's pages in the browser, signed in."""

import asyncio
import os
import socket
import sys
import webbrowser
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

import click

from trialflow.cli.terminal.messages import hint, say
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.network import LOOPBACK

if TYPE_CHECKING:
    from trialflow.service.service import Service


@click.command("open")
@click.argument("identifier", metavar="[ID]", required=False)
@click.option("--no-browser", is_flag=True, help="Print the address instead. It works once, within a minute.")
def open_(identifier: str | None, no_browser: bool) -> None:
    """Look at experiments in the browser.

    ID is an experiment or a training run (`12`, `experiment/12`, `run/34`, or a training run's name); without it, all experiments are listed. Uses
    the service that runs, or that SIGOPT_API_URL names. If none runs, it is started here, as by `trialflow service`, until Ctrl-C.
    """
    from trialflow.embedded import running_url, service_server

    home = Home.from_environment()
    url, token = os.environ.get("SIGOPT_API_URL"), os.environ.get("SIGOPT_API_TOKEN")
    if not (url and token):
        url, token = running_url(service_server(home).folder), home.token()
    if url:
        show(asyncio.run(_address(url, token, identifier)), no_browser)
    else:
        _serve(home, identifier, no_browser)


def show(address: str, no_browser: bool) -> None:
    """Open the address in the browser, or print it if there is none."""
    if no_browser or not has_browser(os.environ, sys.platform):
        click.echo(address)
        if not no_browser:
            hint("there is no browser here; open the address within a minute, through an SSH tunnel from another machine")
    elif webbrowser.open(address):
        say(f"opened {page_of(address)} in the browser")
    else:
        click.echo(address)
        hint("the browser could not be started; open the address within a minute")


def has_browser(environment: Mapping[str, str], platform: str) -> bool:
    """Whether a browser with windows can be started here: one for the terminal would not show the pages."""
    if environment.get("BROWSER"):
        return True
    return platform in ("darwin", "win32") or bool(environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY"))


def page_of(address: str) -> str:
    """An address without its code."""
    return address.partition("/sign-in?")[0]


def sign_in_address(url: str, code: str, place: str) -> str:
    """Where a code is redeemed, at a service whose API is at `url`. Its pages are beside the API, with or without the prefix `/api`."""
    return f"{url.rstrip('/').removesuffix('/api')}/sign-in?" + urlencode({"code": code, "to": place})


async def _address(url: str, token: str, identifier: str | None) -> str:
    from tasks.experiments.client import ServiceClient, ServiceRefused

    client = ServiceClient(url, token)
    try:
        place = await _place(client, identifier)
        try:
            # Bound to this user, for others of this machine can see the address that the browser is started with.
            body = {"user": os.getuid()} if urlsplit(url).hostname in LOOPBACK else {}
            made = await client.request("POST", "sign_in_codes", body=body)
        except ServiceRefused as refused:
            raise TrialflowError(
                f"the service at {url} has no pages to sign in to: {refused.message}", hint="it is SigOpt's own, or an earlier version of trialflow"
            ) from refused
    finally:
        client.close()
    return sign_in_address(url, made["code"], place)


async def _place(client, identifier: str | None) -> str:  # noqa: ANN001 - its type would import the client
    """The page of what the user typed. Raises `TrialflowError` if there is no such thing."""
    from tasks.experiments.client import ServiceNotFound
    from tasks.experiments.identifiers import find_experiment, find_run
    from tasks.experiments.identifiers import identifier as parse
    from trialflow.cli.options import project_here

    if identifier is None:
        return ""
    wanted = parse(identifier)
    if wanted.kind == "experiment":
        return f"experiments/{(await find_experiment(client, identifier, ''))['id']}"
    if wanted.kind == "either":
        try:
            return f"experiments/{(await client.experiment(wanted.value))['id']}"
        except ServiceNotFound:
            pass
    project = project_here(None) if wanted.kind in ("name", "suggestion") else ""
    return f"training-runs/{(await find_run(client, identifier, project))['id']}"


def _serve(home: Home, identifier: str | None, no_browser: bool) -> None:
    """Serve in the foreground, and open the page once the service answers."""
    from trialflow.cli.service import serve_in_foreground
    from trialflow.embedded import service_server

    problems: list[TrialflowError] = []

    def ready(service: "Service") -> None:
        try:
            show(asyncio.run(_address(service.url, service.tokens.token, identifier)), no_browser)
            say("Ctrl-C ends it")
        except TrialflowError as error:
            problems.append(error)
            os.kill(os.getpid(), 2)

    serve_in_foreground(home, _listen(service_server(home).ports), "127.0.0.1", on_ready=ready)
    if problems:
        raise problems[0]


def _listen(ports: tuple[int, ...]) -> socket.socket:
    """A socket at the port that the service had last time, else at any: open pages go on working."""
    from trialflow.service.serving import listen

    for port in ports[:-1]:
        try:
            return listen("127.0.0.1", port)
        except TrialflowError:
            continue
    return listen("127.0.0.1", ports[-1])
