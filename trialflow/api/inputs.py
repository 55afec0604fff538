"""What a command or a program gives for a model, checked and made ready for a flow."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tasks.model_secrets import model_secrets
from tasks.preflight import check_command
from tasks.source import read_content
from trialflow.errors import InvalidInput
from trialflow.specs import ExperimentSpec, RunSpec, experiment_from, file_of, is_empty, load_experiment, load_run, run_from


def experiment_spec(given: Any) -> ExperimentSpec:
    """The experiment of a file or of a dict. Raises `InvalidInput` with all that is wrong with it."""
    if not isinstance(given, str):
        return experiment_from(given)
    return load_experiment(file_of(given) if given == "experiment.yml" else given)


def run_spec(given: Mapping[str, Any]) -> RunSpec:
    """The model that a program gives: `data` as run.yml has it, or the `file`; and instead of what that says, `command`, `timeout` and `memory`.

    Without `data` and `file` it is the run.yml of the present folder, if there is one; an empty one is as good as none.
    Raises `InvalidInput`.
    """
    if given.get("data") is not None:
        run = run_from(given["data"])
    else:
        named, found = given.get("file"), Path(given.get("file") or file_of("run.yml"))
        may_be_empty = named is None or given.get("command") is not None
        is_there = named is not None or found.exists()
        run = load_run(found) if is_there and not (may_be_empty and found.exists() and is_empty(found)) else RunSpec()
    changed: dict[str, Any] = {}
    if given.get("command") is not None:
        changed["run"] = run_from({"run": given["command"]}).run
    if given.get("timeout") is not None:
        changed["timeout"] = run_from({"timeout": given["timeout"]}).timeout
    if given.get("memory") is not None:
        limits = {**(run.resources.limits if run.resources else {}), "memory": given["memory"]}
        others = run.resources.model_dump(exclude={"limits"}, exclude_none=True) if run.resources else {}
        changed["resources"] = run_from({"resources": {**others, "limits": limits}}).resources
    return run.model_copy(update=changed)


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
