"""Metrics that a model only prints: a regular expression with one group for each, searched line by line; the last match counts.

`{number}` in an expression stands for every number that a float can be written as. Where an expression reads only some numbers, the others are
looked for as well: none may leave an older value in force without a word. A search that takes too long is given up: whatever the expression is,
the launcher goes on doing what it has to do in time.
"""

import math
import re
import signal
from contextlib import contextmanager

from .printed_numbers import around, expanded, for_any_number, label_of, stops_at_thousands, stops_inside_a_number

LONGEST = 1 << 16
"""Bytes that are kept of a line that has no end yet: its last ones."""
SEARCHED = 16 << 10
"""Characters of a line that are searched: of a longer one, its first and its last half as many."""
SLOW_SECONDS = 0.1
"""Processor time that searching one line for one metric may take."""
MOST_SLOW = 3
"""A metric is no longer searched for after so many lines that took too long."""
COLOURS = re.compile(r"\x1b\[[0-9;:?]*[ -/]*[@-~]")
TIED_TO_ITS_PLACE = re.compile(r"\(\?(?!:)|\\[AZDW]|\[\^")
"""Expressions that may match in a line by itself and not where other lines stand around it, or that may search on through all of those."""


class TooSlow(Exception):
    """A search took too long."""


_armed = []


def _give_up(*_):
    if _armed:
        raise TooSlow


@contextmanager
def limited(seconds):
    """Raise `TooSlow` in the block after so many seconds of processor time. Main thread only: `re` looks for signals while it searches."""
    if signal.getsignal(signal.SIGVTALRM) is not _give_up:
        signal.signal(signal.SIGVTALRM, _give_up)
    try:
        _armed.append(True)
        signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
        yield
    finally:
        _armed.clear()  # a signal that comes from here on changes nothing
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)


class Patterns:
    """Takes output in pieces of any size and journals each match. `warn` gets a line for the log."""

    compile = staticmethod(re.compile)
    errors = (TooSlow,)
    """What a search that takes too long raises."""

    def __init__(self, patterns, journal, warn):
        whole = {name: expanded(pattern) for name, pattern in patterns.items()}
        self.patterns = {name: self.compile(pattern) for name, pattern in whole.items()}
        # Most of what a model prints has no metric in it: one search in a whole piece costs a fraction of one in each of its lines.
        self.sieves = None
        wider = {name: for_any_number(pattern) for name, pattern in whole.items()}
        self.wider = {name: self._compiled(pattern) for name, pattern in wider.items()}
        if not any(TIED_TO_ITS_PLACE.search(pattern) for pattern in whole.values()):
            sieves = list(whole.values()) + [wider[name] for name, pattern in self.wider.items() if pattern]
            self.sieves = [self.compile(pattern, re.MULTILINE) for pattern in sieves]
        self.labels = {}
        self.journal = journal
        self.warn = warn
        self.rest = b""
        self.warned = set()
        self.slow = {}
        self.reported = set()
        self.complaints = {}

    @property
    def complaint(self):
        """What is wrong with the last value of a metric, None if nothing is."""
        return next(iter(self.complaints.values()), None)

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
        """Metric name -> number for whole lines: the last match of each; None for one whose last match is no number that counts."""
        text = lines.decode("utf-8", "replace")
        if "\x1b" in text:
            text = COLOURS.sub("", text)
        if self.sieves and not self._may_match(text):
            return {}
        values = {}
        for line in text.split("\n"):
            parts = [line] if len(line) <= SEARCHED else [line[: SEARCHED // 2], line[-SEARCHED // 2 :]]
            for name in list(self.patterns):
                for part in parts:
                    match = self._last_match(name, part)
                    if match is not None:
                        self._take(name, match, values)
                    unread = self._unread(name, part, match)
                    if unread is not None:
                        self._refuse(name, unread, values)
        return values

    def search(self, pattern, text):
        """Whether there is a match in several lines. Raises one of `errors` if that takes too long."""
        with limited(SLOW_SECONDS):
            return pattern.search(text) is not None

    def last(self, pattern, line):
        """The last match in a line, or None. Raises one of `errors` if that takes too long."""
        with limited(SLOW_SECONDS):
            matches = list(pattern.finditer(line))
        return matches[-1] if matches else None

    def _may_match(self, text):
        try:
            return any(self.search(sieve, text) for sieve in self.sieves)
        except self.errors:
            self.sieves = None  # line by line it may be quick, and if not it is known which one is slow
            return True

    def _last_match(self, name, line):
        if name not in self.patterns:
            return None
        try:
            return self.last(self.patterns[name], line)
        except self.errors:
            self.slow[name] = self.slow.get(name, 0) + 1
            self._say_once(name, "the pattern takes too long on a line, which is left out")
            if self.slow[name] >= MOST_SLOW or sum(self.slow.values()) > 2 * MOST_SLOW:
                del self.patterns[name]
                self.complaints[name] = "the pattern of the metric %s takes too long and is no longer searched for" % name
            return None

    @classmethod
    def _compiled(cls, pattern):
        try:
            return cls.compile(pattern) if pattern else None
        except Exception:  # it refers to what was in the group
            return None

    def _unread(self, name, line, match):
        """What is wrong where the last number in a line is one that the expression does not read; None if nothing is."""
        wider = self.wider[name]
        if wider is None or name not in self.patterns:
            return None
        try:
            other = self.last(wider, line)
        except self.errors:
            self.wider[name] = None
            return None
        if other is None or other.group(1) is None or (match is not None and other.start(1) < match.end()):
            return None
        text, label = other.group(1), label_of(other)
        is_finite = math.isfinite(float(text))
        is_named = any(letter.isalpha() for letter in other.group()[: other.start(1) - other.start()])
        if label != self.labels.get(name) and (is_finite or not is_named):
            return None  # a number of something else
        if is_finite and not any(letter.isalpha() for letter in label):
            return None
        return self._not_whole(name, "does not read %s" % text, other) if is_finite else "the last %s was %s" % (name, text)

    def _take(self, name, match, values):
        text = match.group(1) or ""
        try:
            number = float(text)
        except ValueError:
            return self._say_once(name, "%r is no number and is not counted" % text[:100])
        self.labels[name] = label_of(match)
        if stops_at_thousands(match):
            complaint = "the metric %s is printed with separators in %r, which no number has; print it without them" % (name, around(match))
            self._say_once(name, complaint)
        elif stops_inside_a_number(match):
            complaint = self._not_whole(name, "takes %s, a part of the number" % text, match)
        elif not math.isfinite(number):
            complaint = "the last %s was %s" % (name, text[:100])
        else:
            self.complaints.pop(name, None)
            values[name] = number
            return None
        return self._refuse(name, complaint, values)

    def _not_whole(self, name, what, match):
        complaint = "the pattern of the metric %s %s in %r; `{number}` in it reads every number" % (name, what, around(match))
        self._say_once(name, complaint)
        return complaint

    def _refuse(self, name, complaint, values):
        self.complaints[name] = complaint
        values[name] = None

    def _say_once(self, name, sentence):
        if name not in self.warned:
            self.warned.add(name)
            self.warn(("\ntrialflow: %s: %s\n" % (name, sentence)).encode("utf-8", "replace"))

    def _log(self, values):
        reported = {name: None if value is None else {"value": value} for name, value in values.items() if value is not None or name in self.reported}
        self.reported.update(reported)
        if reported:
            self.journal.add_later("merge", {"values": reported})
