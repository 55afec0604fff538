"""What a command or a program gives for a model, checked and made ready for a flow."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from tasks.model_secrets import model_secrets
from tasks.preflight import check_command
from tasks.source import read_content
from trialflow.errors import InvalidInput
from trialflow.specs import RunSpec


def ready_run(run: RunSpec, command: Sequence[str], directory: Path, *, needs_command: bool, hint: str) -> RunSpec:
    """The spec with `command` in place of its own, if there is one, and without keys, which reach the model in another way than by parameters.

    Raises `InvalidInput` if there is nothing to run, with the `hint`, or if the program does not exist.
    """
    if run.aws is not None:
        model_secrets.set(run.aws.variables())
    run = run.model_copy(update={"aws": None, **({"run": list(command)} if command else {})})
    if not needs_command:
        return run
    if not run.run:
        raise InvalidInput("there is nothing to run: no command was given and run.yml has no `run:`", hint=hint)
    check_command(run.run, directory)
    return run


def read_source(source_file: str | None, directory: Path) -> dict[str, str] | None:
    """The `file` with the model's source and the `hash` of the commit that is checked out, as far as there are any. Raises `InvalidInput`."""
    source: dict[str, str] = {}
    if source_file:
        read_content(directory / source_file)  # what is wrong with it is said before anything is started
        source["file"] = source_file
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=directory, capture_output=True, text=True, check=True, timeout=5)
        source["hash"] = head.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass  # no git, or no repository: then there is no commit to keep
    return source or None
