"""A command as one text, as people know it from Dockerfiles: for the shell, or a JSON list of words that no shell reads."""

import json
from collections.abc import Sequence

SHELL = ("sh", "-c")


def for_shell(text: str) -> list[str]:
    """The command that has the shell read `text`."""
    return [*SHELL, text]


def shell_text(command: Sequence[str]) -> str | None:
    """The text that `for_shell` makes this command of; None if it makes it of none."""
    return command[2] if len(command) == 3 and tuple(command[:2]) == SHELL and command[2].strip() else None


def words_in(text: str) -> list[str] | None:
    """The words of a text that is a JSON list of strings; None if it is a text for the shell, such as `[ -f x ] && ./x`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) and all(isinstance(word, str) for word in found) else None


def text_of(command: Sequence[str] | None) -> str:
    """A command as one text: `[]` if there is none, so the image says what runs. `command_of` reads the same command in it."""
    text = shell_text(command or ())
    return text if text is not None and words_in(text) is None else json.dumps(list(command or ()), ensure_ascii=False)


def command_of(given: str | Sequence[str] | None) -> list[str] | None:
    """The command that a text stands for, or that is given as words already; None if the image says what runs."""
    if isinstance(given, str):
        words = words_in(given)
        given = for_shell(given) if words is None else words
    return list(given) if given else None
