"""The options that several commands share, with SigOpt's names, and what they are turned into."""

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from trialflow.specs import RunSpec

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

experiment_file_option: Decorator = click.option(
    "-e", "--experiment-file", default="experiment.yml", show_default=True, metavar="FILE", help="The file that defines the experiment."
)
run_file_option: Decorator = click.option(
    "-r",
    "--run-file",
    default="run.yml",
    show_default=True,
    metavar="FILE",
    help="The file that says how the model is run; it may be missing.",
)
source_file_option: Decorator = click.option("-s", "--source-file", metavar="FILE", help="The model's source, kept with each training run.")
project_option: Decorator = click.option(
    "-p", "--project", metavar="ID", help="The project; by default SIGOPT_PROJECT, else the folder's name. It is made if it does not exist."
)
command_argument: Decorator = click.argument("command", nargs=-1, type=click.UNPROCESSED)


def project_here(project: str | None) -> str:
    """The project that is meant: as given, else SIGOPT_PROJECT, else the folder's name."""
    from tasks.projects import project_id

    return project_id(project, Path.cwd())


def read_run(run_file: str, command: Sequence[str], *, directory: Path, needs_command: bool = True) -> "RunSpec":
    """What run.yml says, with the command of the command line in its place if one was given. A run.yml that is missing is an empty one.

    Raises `InvalidInput` if there is nothing to run, or if what is to be run is not there.
    """
    from tasks.compute import model_keys
    from tasks.preflight import check_command
    from trialflow.cli.terminal.messages import say
    from trialflow.specs import RunSpec, load_run

    if Path(run_file).exists() or run_file != "run.yml":
        run = load_run(run_file)
    else:
        run = RunSpec()
    # A flow's parameters are shown and kept: the keys reach the model another way.
    if run.aws is not None:
        model_keys.set(run.aws.variables())
    run = run.model_copy(update={"aws": None, **({"run": list(command)} if command else {})})
    for note in run.notes:
        say(f"note: {note}")
    if not needs_command:
        return run
    if not run.run:
        raise InvalidInput(
            "there is nothing to run: no command was given and run.yml has no `run:`",
            hint="give the command after `--`, as in `trialflow run -- python model.py`, or start with `trialflow init`",
        )
    check_command(run.run, directory)
    return run


def read_source(source_file: str | None, directory: Path) -> dict[str, str] | None:
    """`content` of the source file and `hash` of the commit that is checked out, as far as there are any."""
    source: dict[str, str] = {}
    if source_file:
        try:
            source["content"] = Path(source_file).read_text()
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"the source file {source_file} cannot be read: {error}") from error
    try:
        head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=directory, capture_output=True, text=True, check=True, timeout=5)
        source["hash"] = head.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        pass  # no git, or no repository: then there is no commit to keep
    return source or None
