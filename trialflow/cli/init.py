"""`trialflow init`."""

from pathlib import Path

import click

from trialflow.cli.files import write_file
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.errors import InvalidInput

TEMPLATES = Path(__file__).with_name("templates")
FILES = {name: name for name in ("run.yml", "experiment.yml", "cluster.yml", "Dockerfile", "model.py")} | {".dockerignore": "dockerignore"}
MODEL = "model.py"


@click.command()
@click.argument("directory", default=".", type=click.Path())
@click.option("-y", "--yes", is_flag=True, help="Has no effect: nothing is ever overwritten, so there is nothing to confirm.")
def init(directory: str, yes: bool) -> None:
    """Write run.yml, experiment.yml, cluster.yml, Dockerfile, .dockerignore and a small model into DIRECTORY to start from.

    Only missing files are written. What is already there stays as it is.
    """
    folder = Path(directory)
    missing = [name for name in FILES if not _is_there(folder, name)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidInput(f"cannot create the folder {folder}: {error.strerror}", hint="choose another folder") from error
    for name in FILES:
        if name in missing:
            write_file(folder / name, (TEMPLATES / FILES[name]).read_text())
            say(f"wrote {folder / name}")
        else:
            say(f"kept {folder / name}, which was already there")
    if MODEL not in missing and {"run.yml", "experiment.yml"} & set(missing):
        say(f"adapt the new files to your {MODEL}: its command and metrics in run.yml, its parameters in experiment.yml")
    enter = [] if directory == "." else [f"cd {directory}"]
    next_commands([*enter, "trialflow run", "trialflow optimize"])


def _is_there(folder: Path, name: str) -> bool:
    """Whether there is such a file, or a link to one that is missing, or a YAML file under its other name."""
    paths = [folder / name, *([(folder / name).with_suffix(".yaml")] if name.endswith(".yml") else [])]
    return any(path.exists() or path.is_symlink() for path in paths)
