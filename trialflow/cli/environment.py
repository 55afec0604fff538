"""What a shell may have set or lost that is in the way of a command, told before anything is started."""

import os
from collections.abc import Mapping

from trialflow.api.environment import TOKEN, URL, check_folder, check_service_variables, ignored_variable
from trialflow.cli.terminal.messages import hint, warn

SHELL: Mapping[str, str] = dict(os.environ)
"""The variables as the shell had them: the entry point changes some."""
WITHOUT_SERVICE = ("init", "service", "token", "doctor", "schema", "version")
"""Commands that never ask the service for anything."""


def check_environment(command: str | None) -> None:
    """Raise `InvalidInput` if `command` cannot work in this shell; warn if the service's variables are not what is used."""
    check_folder()
    if command is None or command in WITHOUT_SERVICE:
        return
    check_service_variables()
    if ignored := ignored_variable(os.environ):
        other = TOKEN if ignored == URL else URL
        warn(f"{ignored} is set without {other}, so it is ignored and the service on this machine is used")
        hint(f"`unset {ignored}`, or set {other} as well to use that service")
