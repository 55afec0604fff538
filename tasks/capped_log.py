"""What is said of one training run in Prefect's log, where every line is a row of its database: bounded, with a pointer to the whole."""

from collections.abc import Callable

MOST_LINES, LONGEST_LINE = 25, 2_000


class CappedLog:
    """Says so many sentences with `say`, and then once where the rest is. `training_run_id` is what `trialflow logs` takes."""

    def __init__(self, say: Callable[[str], None], training_run_id: str, *, most: int = MOST_LINES) -> None:
        self._say, self._whole, self._left = say, f"`trialflow logs {training_run_id}` shows what it printed", most

    def __call__(self, text: str) -> None:
        """Say it, if it is not too much."""
        if self._left <= 0:
            return
        self._left -= 1
        self._say(shortened(text))
        if not self._left:
            self._say(f"there is more, which is not written here; {self._whole}")


def shortened(text: str, longest: int = LONGEST_LINE) -> str:
    """The text, or its beginning and what is missing. Pure."""
    return text if len(text) <= longest else f"{text[:longest]}... ({len(text) - longest} characters more)"
