"""What a shell may have set or lost that is in the way of a command, told before anything is started."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from trialflow.cli.terminal.messages import hint, warn
from trialflow.errors import InvalidInput

URL, TOKEN = "SIGOPT_API_URL", "SIGOPT_API_TOKEN"
SHELL: Mapping[str, str] = dict(os.environ)
"""The variables as the shell had them: the entry point changes some."""
WITHOUT_SERVICE = ("init", "service", "token", "doctor", "schema", "version")
"""Commands that never ask the service for anything."""


def check_environment(command: str | None) -> None:
    """Raise `InvalidInput` if `command` cannot work in this shell; warn if the service's variables are not what is used."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InvalidInput("the current folder no longer exists", hint="change to another one, as with `cd`") from None
    if command is None or command in WITHOUT_SERVICE:
        return
    if gone := gone_service(os.environ):
        raise InvalidInput(f"{URL} is {gone}, and SigOpt's own service has been shut down", hint=unset(os.environ))
    if ignored := ignored_variable(os.environ):
        other = TOKEN if ignored == URL else URL
        warn(f"{ignored} is set without {other}, so it is ignored and the service on this machine is used")
        hint(f"`unset {ignored}`, or set {other} as well to use that service")


def gone_service(environ: Mapping[str, str]) -> str | None:
    """The address of SigOpt's own service if that is what the variables name; None if they name another or none."""
    url = environ.get(URL) or ""
    host = urlsplit(url if "//" in url else f"//{url}").hostname or ""
    return url if environ.get(TOKEN) and (host == "sigopt.com" or host.endswith(".sigopt.com")) else None


def ignored_variable(environ: Mapping[str, str]) -> str | None:
    """The variable of the two that is set alone."""
    found = [name for name in (URL, TOKEN) if environ.get(name)]
    return found[0] if len(found) == 1 else None


def unset(environ: Mapping[str, str]) -> str:
    """The command that takes the variables away."""
    return f"`unset {' '.join(name for name in (URL, TOKEN) if environ.get(name))}` to use the service on this machine"
