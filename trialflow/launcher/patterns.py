"""Metrics that a model only prints: a regular expression with one group for each, searched line by line; the last match counts."""

import math
import re

LONGEST = 1 << 16
"""A line is looked at up to this many bytes; what has no line end by then is looked at as it is."""


class Patterns:
    """Takes output in pieces of any size and journals each match. `warn` gets a line for the log."""

    def __init__(self, patterns, journal, warn):
        self.patterns = {name: re.compile(pattern) for name, pattern in patterns.items()}
        self.journal = journal
        self.warn = warn
        self.rest = b""
        self.warned = set()

    def feed(self, chunk):
        """Take the next piece."""
        *lines, self.rest = (self.rest + chunk).replace(b"\r", b"\n").split(b"\n")
        values = {}
        for line in lines:
            values.update(self.values_of(line))
        if len(self.rest) > LONGEST:
            self.rest = self.rest[-LONGEST:]
        self._log(values)

    def close(self):
        """The output has ended: what has no line end is a line too."""
        self._log(self.values_of(self.rest))
        self.rest = b""

    def values_of(self, line):
        """Metric name -> number for one line."""
        if not line:
            return {}
        text = line[:LONGEST].decode("utf-8", "replace")
        found = {}
        for name, pattern in self.patterns.items():
            matches = pattern.findall(text)
            if matches:
                try:
                    number = float(matches[-1])
                except ValueError:
                    number = math.nan
                if math.isfinite(number):
                    found[name] = number
                elif name not in self.warned:
                    self.warned.add(name)
                    self.warn(("\ntrialflow: %s: %r is no number and is not counted\n" % (name, matches[-1])).encode())
        return found

    def _log(self, values):
        if values:
            self.journal.add_later("merge", {"values": {name: {"value": value} for name, value in values.items()}})
