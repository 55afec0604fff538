"""A pod's log taken apart: what the model printed, what it logged, and how it ended. Pure: bytes in, facts out.

The log is read with the time stamps that the kubelet puts before every line, so that a reading that broke off goes on where it was. The launcher's
marks (`trialflow/launcher/marks.py`) are taken out of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tasks.compute import Report
from trialflow.launcher.ending import facts_of
from trialflow.launcher.marks import MARK, MARK_BYTES
from trialflow.launcher.reports import checked, parsed

REPORTS = ("merge", "checkpoint", "file")
LONGEST_PIECE = 1 << 20
"""A line that has no end is passed on in pieces of this many bytes."""


class TimestampStripper:
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


class MarkReader:
    """Takes the launcher's marks out of a log.

    `prefix` is how the nonce of the attempt begins (`nonce_prefix`). The first mark with such a nonce decides which one it is; a mark with another
    one, or of another shape, or larger than a mark can be, is text. Marks without a nonce are those of earlier versions: they count only if
    `is_old` says that the pod is of one.

    Reports come without a gap, numbered from 1. Where the log has lost some (it was long, and its beginning thrown away), none come until the recap
    at the end, which has them all. `has_launcher` says that a launcher was heard.
    """

    def __init__(self, prefix: str, *, is_old: bool = False) -> None:
        self.has_launcher = False
        self._prefix = prefix
        self._is_old = is_old
        self._nonce: str | None = None
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
        done = position = 0  # up to `done` it was passed on; the search goes on at `position`
        while (found := data.find(MARK, position)) >= 0:
            position = found + 1
            # No mark has the first byte of a mark in it: each byte is looked at once, whatever a model prints.
            following = data.find(MARK[:1], position)
            limit = min(found + MARK_BYTES, following if following >= 0 else len(data))
            end = data.find(b"\n", found, limit)
            if end < 0 and following < 0 and len(data) - found < MARK_BYTES:
                break
            if end >= 0 and self._take(data[found + len(MARK) : end], news):
                parts.append(data[done:found])
                done = position = end + 1
        held = _begun(data, position) if found < 0 else found
        parts.append(data[done:held])
        self._rest = data[held:]
        news.text = b"".join(parts)
        return news

    def close(self) -> News:
        """The log is at its end: half a mark of the launcher's is left out, anything else is text."""
        rest, self._rest = self._rest, b""
        return News(text=b"" if self.has_launcher and rest.startswith(MARK) else rest)

    def _take(self, line: bytes, news: News) -> bool:
        """Whether it is a mark of this attempt's launcher."""
        try:
            mark = parsed(line)
        except ValueError:
            return False
        if not self._is_ours(mark.get("nonce")):
            return False
        kind, number = mark.get("kind"), mark.get("number", 0)
        if type(number) is not int or not 0 <= number < 1 << 53:
            return False
        if kind in REPORTS:
            if not isinstance(mark.get("body"), dict):
                return False
            self._report(kind, number, mark["body"], news)
        elif kind == "recap":
            if not isinstance(mark.get("merge"), dict) or not isinstance(mark.get("checkpoints"), list):
                return False
            self._recap(mark, number, news)
        elif kind == "end":
            if (facts := facts_of(mark.get("facts"))) is None:
                return False
            self._has_gap = self._has_gap or number > self._seen
            news.facts = facts
        elif kind != "begin":
            return False
        self._nonce = mark.get("nonce")
        self.has_launcher = True
        return True

    def _is_ours(self, nonce: Any) -> bool:
        if nonce is None:
            return self._is_old
        if not isinstance(nonce, str) or not nonce.startswith(self._prefix):
            return False
        return self._nonce in (None, nonce)

    def _report(self, kind: str, number: int, body: Mapping[str, Any], news: News) -> None:
        if number == self._seen + 1 and not self._has_gap:
            self._seen = number
            self._give(kind, body, news)
        elif number > self._seen:
            self._has_gap = True

    def _recap(self, mark: Mapping[str, Any], number: int, news: News) -> None:
        if number <= self._seen:
            return
        for body in mark["checkpoints"][self._checkpoints :]:
            self._give("checkpoint", body, news)
        if mark["merge"]:
            self._give("merge", mark["merge"], news)
        self._seen, self._has_gap = number, False

    def _give(self, kind: Any, body: Any, news: News) -> None:
        """Pass a report on, with nothing in it that a model may not say: a pod is no more to be trusted than its model."""
        kept, _ = checked(kind, body)
        self._checkpoints += kind == "checkpoint"
        if kept is not None:
            self._given += 1
            news.reports.append(Report(self._given, kind, kept))


def _begun(data: bytes, position: int) -> int:
    """Where in `data`, from `position` on, a mark begins whose first bytes are the last ones there are; the length of `data` if none does."""
    found = data.rfind(MARK[:1], max(position, len(data) - len(MARK) + 1))
    return found if found >= 0 and MARK.startswith(data[found:]) else len(data)


class PodLog:
    """One attempt's log from its stream: `feed`, `restart` after a break, `close` at the end; each `News`. See `MarkReader` for the arguments."""

    def __init__(self, prefix: str, *, is_old: bool = False) -> None:
        self.stamps = TimestampStripper()
        self.marks = MarkReader(prefix, is_old=is_old)

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
