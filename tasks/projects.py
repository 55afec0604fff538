"""The folder of a model, and the project that its experiments belong to."""

import os
import re
import socket
from pathlib import Path

from trialflow.errors import InvalidInput

DEFAULT = "default"
"""The project where neither one nor a folder is known."""


def project_id(project: str | None, folder: Path | None) -> str:
    """The project: as given, else SIGOPT_PROJECT, else the folder's name in lower case without what an id may not hold, else `default`.

    Raises `InvalidInput` for a given one that is not 1 to 32 of `a-z 0-9 - _ .`.
    """
    given = project or os.environ.get("SIGOPT_PROJECT")
    if given:
        if not re.fullmatch(r"[a-z0-9\-_.]{1,32}", given):
            raise InvalidInput(f"{given!r} cannot be a project id", hint="use 1 to 32 lower-case letters, digits, `-`, `_` and `.`")
        return given
    return project_of_folder(folder) if folder else DEFAULT


def project_of_folder(folder: Path) -> str:
    """The project of a folder where none is given."""
    return re.sub(r"[^a-z0-9\-_.]", "", folder.name.lower())[:32] or DEFAULT


def folder_id(project: str | None, folder: Path) -> str | None:
    """`HOST:PATH` of the folder, which tells it from others of its name. None if the user chose the project: then its folders belong together."""
    return None if project or os.environ.get("SIGOPT_PROJECT") else f"{socket.gethostname()}:{os.path.realpath(folder)}"


def model_folder(directory: str | None, *, is_deployed: bool) -> Path:
    """The folder that the model runs in: `directory`, or the present one, which in a deployment is not the user's. Raises `InvalidInput`."""
    folder = named_folder(directory, is_deployed=is_deployed)
    if folder is None:
        raise InvalidInput(
            "the deployment was run without `directory`: the folder of the model is not known",
            hint="give the parameter `directory`, an absolute path on the machine that executes the flow, or `image` in `run`, and a `cluster`",
        )
    if not folder.is_dir():
        raise InvalidInput(f"the folder {folder} that the model should run in does not exist")
    return folder


def named_folder(directory: str | None, *, is_deployed: bool) -> Path | None:
    """The folder as it is named, which need not be here: its model is in an image. None in a deployment that names none."""
    return None if directory is None and is_deployed else Path(directory or os.getcwd()).expanduser().absolute()
