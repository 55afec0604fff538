"""Searching printed metrics in this process, for pods without a launcher: in a thread, with a time limit that needs no signals."""

from typing import Any

import regex

from trialflow.launcher.patterns import SLOW_SECONDS, Patterns


class TimedPatterns(Patterns):
    """As in a launcher, but safe outside of the main thread: searches leave the interpreter to others and give up by themselves."""

    errors = (TimeoutError,)

    @staticmethod
    def compile(pattern: str, flags: int = 0) -> Any:
        """The expression as the `regex` package takes it, in its mode that is compatible with `re`."""
        return regex.compile(pattern, flags | regex.VERSION0)

    def search(self, pattern: Any, text: str) -> bool:
        """Whether there is a match in several lines."""
        return pattern.search(text, concurrent=True, timeout=SLOW_SECONDS) is not None

    def last(self, pattern: Any, line: str) -> Any:
        """The last match in a line, or None."""
        matches = list(pattern.finditer(line, concurrent=True, timeout=SLOW_SECONDS))
        return matches[-1] if matches else None
