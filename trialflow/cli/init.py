"""`trialflow init`."""

import sys
from pathlib import Path

import click

from trialflow.cli.terminal.messages import next_commands, say
from trialflow.errors import InvalidInput, TrialflowError

TEMPLATES = Path(__file__).with_name("templates")
FILES = {name: name for name in ("run.yml", "experiment.yml", "cluster.yml", "Dockerfile", "model.py")} | {".dockerignore": "dockerignore"}


@click.command()
@click.argument("directory", default=".", type=click.Path(file_okay=False))
@click.option("-y", "--yes", is_flag=True, help="Overwrite what is there without asking.")
def init(directory: str, yes: bool) -> None:
    """Write run.yml, experiment.yml, cluster.yml, Dockerfile, .dockerignore and a small model into DIRECTORY, to start from."""
    folder = Path(directory)
    there = [name for name in FILES if (folder / name).exists()]
    if there and not yes and not sys.stdin.isatty():
        place = "" if directory == "." else f" {directory}"
        raise InvalidInput(
            f"{', '.join(there)} {'is' if len(there) == 1 else 'are'} there already, and nobody can be asked",
            hint=f"`trialflow init{place} --yes` overwrites {'it' if len(there) == 1 else 'them'}",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, template in FILES.items():
            if name in there and not yes and not click.confirm(f"overwrite {folder / name}?", default=False, err=True):
                say(f"kept {folder / name}")
                continue
            (folder / name).write_text((TEMPLATES / template).read_text())
            say(f"wrote {folder / name}")
    except OSError as error:
        raise TrialflowError(f"the files could not be written to {folder.absolute()}: {error.strerror}") from error
    enter = [] if directory == "." else [f"cd {directory}"]
    next_commands([*enter, "trialflow run", "trialflow optimize"])
