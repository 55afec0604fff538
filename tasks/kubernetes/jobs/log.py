"""A pod's log taken apart: what the model printed, what it logged, and how it ended. Pure: bytes in, facts out.

The log is read with the time stamps that the kubelet puts before every line, so that a reading that broke off goes on where it was. The launcher's
marks (`trialflow/launcher/marks.py`) are taken out of it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.compute import Report
from trialflow.launcher.marks import MARK

LONGEST_PIECE = 1 << 20
"""A line that has no end is passed on in pieces of this many bytes."""


class Stamped:
    """Takes the time stamps off a log. `since` is the stamp of the last whole line taken, RFC 3339 with nanoseconds; None at first.

    After a break, lines that were taken are left out. Only a line of more than a MiB that broke off in the middle comes again from its beginning.
    """

    def __init__(self) -> None:
        self.since: str | None = None
        self._known = b""
        self._rest = b""
        self._open: bytes | None = None  # the stamp of a long line that is passed on in pieces

    def feed(self, chunk: bytes) -> bytes:
        """The text that is new in `chunk`, the next piece of the stream."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        text = b"".join([self._take(line, b"\n") for line in lines])
        if len(self._rest) > LONGEST_PIECE:
            text += self._piece()
        return text

    def restart(self) -> None:
        """The stream broke off; what `feed` gets next comes from a new one that begins at `since` or earlier."""
        self._rest, self._open = b"", None

    def close(self) -> bytes:
        """The stream is at its end: the text of a last line that has none."""
        rest, self._rest = self._rest, b""
        return self._take(rest, b"") if rest else b""

    def _take(self, line: bytes, end: bytes) -> bytes:
        if self._open is not None:
            stamp, text, self._open = self._open, line, None
        else:
            stamp, _, text = line.partition(b" ")
        if stamp <= self._known:
            return b""
        self._known, self.since = stamp, stamp.decode("ascii", "replace")
        return text + end

    def _piece(self) -> bytes:
        text = self._rest
        if self._open is None:
            self._open, _, text = self._rest.partition(b" ")
        self._rest = b""
        return text if self._open > self._known else b""


@dataclass
class News:
    """What is new in a log: text that the model printed, reports in order, and `facts` of the end once the launcher told them."""

    text: bytes = b""
    reports: list[Report] = field(default_factory=list)
    facts: Mapping[str, Any] | None = None


class Marked:
    """Takes the launcher's marks out of a log.

    Reports come without a gap, numbered from 1. Where the log has lost some (it was long, and its beginning thrown away), none come until the recap
    at the end, which has them all. `has_launcher` says that a launcher was heard.
    """

    def __init__(self) -> None:
        self.has_launcher = False
        self._rest = b""
        self._seen = 0  # number of the last report of the launcher that was taken without a gap
        self._given = 0
        self._checkpoints = 0
        self._has_gap = False

    @property
    def is_complete(self) -> bool:
        """Whether no report is missing, as far as is known."""
        return not self._has_gap

    def feed(self, text: bytes) -> News:
        """Take the next text."""
        news = News()
        data = self._rest + text
        parts: list[bytes] = []
        position = 0
        while (found := data.find(MARK[:1], position)) >= 0:
            if not data.startswith(MARK, found) and not MARK.startswith(data[found:]):
                parts.append(data[position : found + 1])
                position = found + 1
                continue
            end = data.find(b"\n", found)
            if end < 0:
                break
            parts.append(data[position:found])
            self._take(data[found + len(MARK) : end], news)
            position = end + 1
        if found < 0:
            found = len(data)
        parts.append(data[position:found])
        self._rest = data[found:]
        news.text = b"".join(parts)
        return news

    def close(self) -> News:
        """The log is at its end: a mark cut off in the middle is none."""
        news = News(text=self._rest if not self._rest.startswith(MARK) else b"")
        self._rest = b""
        return news

    def _take(self, line: bytes, news: News) -> None:
        try:
            mark = json.loads(line)
        except ValueError:
            return
        kind, number = mark.get("kind"), int(mark.get("number") or 0)
        if kind == "begin":
            self.has_launcher = True
        elif kind in ("merge", "checkpoint"):
            if number == self._seen + 1 and not self._has_gap:
                self._seen = number
                self._give(kind, mark["body"], news)
            elif number > self._seen:
                self._has_gap = True
        elif kind == "recap":
            self._recap(mark, number, news)
        elif kind == "end":
            self.has_launcher = True
            if number > self._seen:
                self._has_gap = True
            news.facts = mark["facts"]

    def _recap(self, mark: Mapping[str, Any], number: int, news: News) -> None:
        if number <= self._seen:
            return
        for body in mark["checkpoints"][self._checkpoints :]:
            self._give("checkpoint", body, news)
        if mark["merge"]:
            self._give("merge", mark["merge"], news)
        self._seen, self._has_gap = number, False

    def _give(self, kind: Any, body: Mapping[str, Any], news: News) -> None:
        self._given += 1
        self._checkpoints += kind == "checkpoint"
        news.reports.append(Report(self._given, kind, body))


class PodLog:
    """One attempt's log from its stream: `feed`, `restart` after a break, `close` at the end; each `News`."""

    def __init__(self) -> None:
        self.stamps = Stamped()
        self.marks = Marked()

    @property
    def since(self) -> str | None:
        """Where to go on reading after a break."""
        return self.stamps.since

    def feed(self, chunk: bytes) -> News:
        """Take the next piece of the stream."""
        return self.marks.feed(self.stamps.feed(chunk))

    def restart(self) -> None:
        """The stream broke off."""
        self.stamps.restart()

    def close(self) -> News:
        """The log is at its end."""
        last, end = self.marks.feed(self.stamps.close()), self.marks.close()
        return News(last.text + end.text, last.reports, last.facts)
