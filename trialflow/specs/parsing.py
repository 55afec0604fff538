"""A file becomes a document with positions; what keeps it from being one is told in the words of a person."""

from pathlib import Path

import yaml

from trialflow.specs.problem import Problem, SpecError
from trialflow.specs.yaml_document import YamlDocument, read

OURS = ("run.yml", "experiment.yml", "cluster.yml")
MEANINGS = (
    ("mapping values are not allowed", "is this line indented right, and is a text that holds `: ` in quotes?"),
    ("undefined alias", "a text that starts with * must be in quotes"),
    ("another document", "a second document starts after `---`, and one is expected"),
    ("unexpected end of stream", "a quote is opened and not closed"),
    ("could not determine a constructor", "tags such as `!name` are not for this file; put a text that starts with ! in quotes"),
    ("cannot start any token", "a text that starts with a special character such as @, % or ` must be in quotes"),
    ("did not find expected", "is every line indented right, and every bracket closed?"),
    ("block sequence entries are not allowed", "a list starts on a line of its own"),
)
"""What YAML's parser says, and what that means to people."""


def parse(path: Path) -> YamlDocument:
    """The document in the file `path`. Raises `SpecError` with one problem if it cannot be read or is not YAML."""
    text = _text(path)
    try:
        return read(text)
    except yaml.MarkedYAMLError as error:
        unclosed = "end of stream" in (error.problem or "")
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        said = (error.problem or "").removeprefix("but ")
        raise SpecError([Problem(str(path), line, column, "", f"this is not YAML: {said}", _meaning(said, text, line))]) from error
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        found = f"this is not text: the character #x{error.character:04x} cannot be in it"
        raise SpecError([Problem(str(path), line, 1, "", found)]) from error


def _meaning(problem: str, text: str, line: int) -> str:
    source = text.split("\n")[line - 1] if line <= text.count("\n") + 1 else ""
    if "\t" in source[: len(source) - len(source.lstrip())]:
        return "YAML is indented with spaces, and this line has a tab"
    return next((meaning for part, meaning in MEANINGS if part in problem), "")


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        hint = "`trialflow init` writes one to start from" if path.with_suffix(".yml").name in OURS else None
        raise SpecError([Problem(str(path), 1, 1, "", f"there is no such file in {path.absolute().parent}")], hint=hint) from None
    except UnicodeDecodeError as error:
        raise SpecError([Problem(str(path), 1, 1, "", f"it is not UTF-8 text: {error.reason} at byte {error.start}")]) from error
    except OSError as error:
        raise SpecError([Problem(str(path), 1, 1, "", f"it cannot be read: {error.strerror}")]) from error
