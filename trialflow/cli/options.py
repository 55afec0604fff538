"""The options that several commands share, with SigOpt's names, and what they are turned into."""

import shlex
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from trialflow.specs import RunSpec

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

MODEL_COMMAND = {"allow_interspersed_args": False}
"""Context settings of commands that take the model's command: everything after its first word is the model's, options too."""


def _yaml_of_either_name(_: click.Context, option: click.Parameter, value: str) -> str:
    """The default file under its other name, `.yaml`, where only that is there."""
    if value != option.default or Path(value).exists():
        return value
    from trialflow.specs import file_of

    return str(file_of(value))


def file_option(*names: str, default: str, help: str) -> Decorator:
    """An option that names a file; its default is found under the ending `.yaml` too."""
    return click.option(*names, default=default, show_default=True, metavar="FILE", callback=_yaml_of_either_name, help=help)


experiment_file_option = file_option("-e", "--experiment-file", default="experiment.yml", help="The file that defines the experiment.")
run_file_option = file_option("-r", "--run-file", default="run.yml", help="The file that says how the model is run. It is optional.")
source_file_option: Decorator = click.option("-s", "--source-file", metavar="FILE", help="The model's source file, stored with each training run.")
project_option: Decorator = click.option(
    "-p", "--project", metavar="ID", help="The project; defaults to SIGOPT_PROJECT, else the folder's name. It is created if needed."
)
command_argument: Decorator = click.argument("command", nargs=-1, type=click.UNPROCESSED)


def project_here(project: str | None) -> str:
    """The project that is meant: as given, else SIGOPT_PROJECT, else the folder's name."""
    from tasks.projects import project_id

    return project_id(project, Path.cwd())


def read_run(run_file: str, command: Sequence[str], *, directory: Path, needs_command: bool = True) -> "RunSpec":
    """What run.yml says, with the command of the command line in its place if there is one. A missing run.yml is the same as an empty one.

    Raises `InvalidInput` if there is nothing to run, or if the program does not exist.
    """
    from trialflow.api.inputs import ready_run
    from trialflow.cli.terminal.messages import say
    from trialflow.specs import RunSpec, is_empty, load_run

    _refuse_a_file_as_command(command)
    is_there = Path(run_file).exists() or run_file != "run.yml"
    given = load_run(run_file) if is_there and not (command and is_empty(run_file)) else RunSpec()
    hint = "add the command, as in `trialflow run python model.py`, or start with `trialflow init`"
    for note in given.model_copy(update={"run": list(command)}).notes if command else given.notes:
        say(f"note: {note}")
    return ready_run(given, command, directory, needs_command=needs_command, hint=hint)


def _refuse_a_file_as_command(command: Sequence[str]) -> None:
    """`trialflow optimize experiment.yml` means the file, not a program of that name."""
    if not command or not command[0].endswith((".yml", ".yaml")):
        return
    context = click.get_current_context()
    is_experiment = context.info_name == "optimize" and not Path(command[0]).name.startswith("run.")
    option = "-e" if is_experiment else "-r"
    raise InvalidInput(
        f"{command[0]} is a file, not a command that can be run", hint=f"did you mean `{context.command_path} {option} {shlex.join(command)}`?"
    )


def same_options(name: str, *, without: Sequence[str] = ()) -> str:
    """The command `name` with the options and the model's command that were typed for the present one, except those called `without`."""
    context = click.get_current_context()
    words: list[str] = []
    command: Sequence[str] = ()
    for parameter in context.command.params:
        value = context.params.get(parameter.name or "")
        if parameter.name in without or context.get_parameter_source(parameter.name or "") is not ParameterSource.COMMANDLINE:
            continue
        if isinstance(parameter, click.Argument):
            command = value or ()
        elif isinstance(parameter, click.Option) and parameter.is_flag:
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        else:
            words += [parameter.opts[0], str(value)]
    return " ".join([name, *map(shlex.quote, words), *(["--", *map(shlex.quote, command)] if command else [])])


def read_source(source_file: str | None, directory: Path) -> dict[str, str] | None:
    """The model's source file and commit, see `api/inputs.py`. Raises `InvalidInput`."""
    from trialflow.api import inputs

    return inputs.read_source(source_file, directory)
