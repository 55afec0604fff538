"""The variables that name a service, and what is in the way of using it, told before anything is started."""

import os
from collections.abc import Mapping
from urllib.parse import urlsplit

from trialflow.errors import InvalidInput

URL, TOKEN = "SIGOPT_API_URL", "SIGOPT_API_TOKEN"


def check_folder() -> None:
    """Raise `InvalidInput` if the present folder no longer exists."""
    try:
        os.getcwd()
    except FileNotFoundError:
        raise InvalidInput("the current folder no longer exists", hint="change to another one, as with `cd`") from None


def check_service_variables() -> None:
    """Raise `InvalidInput` if the variables name a service that is gone."""
    if gone := gone_service(os.environ):
        raise InvalidInput(f"{URL} is {gone}, and SigOpt's own service has been shut down", hint=unset(os.environ))


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
