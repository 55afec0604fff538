"""The model's source, which is stored with each training run."""

from collections.abc import Mapping
from pathlib import Path

from trialflow.errors import InvalidInput

LARGEST = 900_000
"""Bytes of a source file: every training run holds a copy, and the service bounds what one may hold."""


def read_content(file: Path) -> str:
    """The text of a source file. Raises `InvalidInput` if it cannot be read, is no text, or is too large."""
    try:
        content = file.read_bytes()
        if len(content) > LARGEST:
            raise InvalidInput(
                f"the source file {file} has {len(content) / 1e6:.1f} MB, and at most {LARGEST / 1e6} MB are stored with a training run",
                hint="name a smaller file, or clear the outputs of the notebook",
            )
        return content.decode()
    except OSError as error:
        raise InvalidInput(f"the source file {file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the source file {file} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def whole_source(source: Mapping[str, str] | None, directory: Path) -> dict[str, str]:
    """`content` and `hash` as the API has them. A `file`, relative to `directory`, is read here: Prefect bounds the parameters of a flow run."""
    kept = dict(source or {})
    if file := kept.pop("file", None):
        kept["content"] = read_content(directory / file)
    return kept
