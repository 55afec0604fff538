"""Metrics that a model only prints: a regular expression with one group for each, searched line by line; the last match counts."""

import math
import re

LONGEST = 1 << 16
"""A line is looked at up to this many bytes; of one that has no end by then, its last so many."""
TIED_TO_ITS_PLACE = re.compile(r"\(\?|\\[AZDW]|\[\^")
"""Expressions that may match in a line by itself and not where other lines stand around it, or that may search on through all of those."""


class Patterns:
    """Takes output in pieces of any size and journals each match. `warn` gets a line for the log."""

    def __init__(self, patterns, journal, warn):
        self.patterns = {name: re.compile(pattern) for name, pattern in patterns.items()}
        # Most of what a model prints has no metric in it: one search in a whole piece costs a fraction of one in each of its lines.
        self.sieves = None
        if not any(TIED_TO_ITS_PLACE.search(pattern) for pattern in patterns.values()):
            self.sieves = [re.compile(pattern, re.MULTILINE) for pattern in patterns.values()]
        self.journal = journal
        self.warn = warn
        self.rest = b""
        self.warned = set()

    def feed(self, chunk):
        """Take the next piece."""
        whole, end, self.rest = (self.rest + chunk).replace(b"\r", b"\n").rpartition(b"\n")
        if end:
            self._log(self.values_of(whole))
        if len(self.rest) > LONGEST:
            self.rest = self.rest[-LONGEST:]

    def close(self):
        """The output has ended: what has no line end is a line too."""
        self._log(self.values_of(self.rest))
        self.rest = b""

    def values_of(self, lines):
        """Metric name -> number for whole lines: the last match of each."""
        text = lines.decode("utf-8", "replace")
        if self.sieves and not any(sieve.search(text) for sieve in self.sieves):
            return {}
        values = {}
        for line in text.split("\n"):
            for name, pattern in self.patterns.items():
                matches = pattern.findall(line[:LONGEST])
                if matches:
                    self._take(name, matches[-1], values)
        return values

    def _take(self, name, match, values):
        try:
            number = float(match)
        except (TypeError, ValueError):
            number = math.nan
        if math.isfinite(number):
            values[name] = number
        elif name not in self.warned:
            self.warned.add(name)
            self.warn(("\ntrialflow: %s: %r is no number and is not counted\n" % (name, match)).encode("utf-8", "replace"))

    def _log(self, values):
        if values:
            self.journal.add_later("merge", {"values": {name: {"value": value} for name, value in values.items()}})
