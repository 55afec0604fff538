"""Files that commands write for their user."""

from pathlib import Path

from trialflow.errors import InvalidInput


def write_file(path: Path | str, content: str | bytes) -> None:
    """Write `content` to the file that the user named. Raises `InvalidInput` if that cannot be done."""
    try:
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        raise InvalidInput(
            f"cannot write {path}: {error.strerror}", hint="choose a file in a folder that exists and that you can write to"
        ) from error
