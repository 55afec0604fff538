"""A pod's log taken apart gives the model's output to the byte and each report once, however it is cut and wherever it breaks off."""

import os
import random

import pytest

from tasks.kubernetes.jobs.log import PodLog
from trialflow.launcher.marks import LONG, LogRecords, nonce_prefix

PREFIX = nonce_prefix("run-abcd1234", 1)


def written(*steps: tuple[str, object], long: bool = False) -> bytes:
    """What a launcher writes for some steps."""
    reader, writer = os.pipe()
    marks = LogRecords(writer, PREFIX)
    chunks = []

    def take() -> None:
        chunks.append(os.read(reader, 1 << 16))

    marks.begin("3.11")
    take()
    if long:
        marks.written = LONG + 1
    for kind, content in steps:
        marks.log(content) if kind == "log" else marks.add(kind, content)  # type: ignore[arg-type]
        take()
    marks.finish({"code": 0})
    take()
    os.close(reader)
    os.close(writer)
    return b"".join(chunks)


def stamped(text: bytes) -> list[bytes]:
    """The lines as the kubelet gives them."""
    lines = text.split(b"\n")
    lines = lines[:-1] if not lines[-1] else lines
    return [b"2026-01-01T00:00:00.%09dZ %s\n" % (number, line) for number, line in enumerate(lines)]


STEPS = [
    ("log", b"hello wor"),
    ("merge", {"values": {"a": {"value": 1}}}),
    ("log", b"ld\nsecond \x1e line\n"),
    ("checkpoint", {"values": [{"name": "l", "value": 1}]}),
    ("checkpoint", {"values": [{"name": "l", "value": 2}]}),
    ("merge", {"values": {"a": {"value": 3}}}),
    ("log", b"\xff\xfe last\n"),
]
TEXT = b"hello world\nsecond \x1e line\n\xff\xfe last\n"


def read(log: PodLog, *pieces: bytes) -> tuple[bytes, list, object]:
    text, reports, facts = b"", [], None
    for news in [*map(log.feed, pieces), log.close()]:
        text += news.text
        reports += news.reports
        facts = news.facts or facts
    return text, reports, facts


@pytest.mark.parametrize("seed", range(20))
def test_any_cutting_gives_the_same(seed: int) -> None:
    whole = b"".join(stamped(written(*STEPS)))
    random.seed(seed)
    cuts = sorted(random.sample(range(len(whole)), 12))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    text, reports, facts = read(PodLog(PREFIX), *pieces)
    assert text == TEXT and facts == {"code": 0}
    assert [(report.number, report.kind) for report in reports] == [(1, "merge"), (2, "checkpoint"), (3, "checkpoint"), (4, "merge")]


@pytest.mark.parametrize("seed", range(20))
def test_a_stream_that_breaks_off_goes_on_without_a_gap_or_a_repeat(seed: int) -> None:
    whole = b"".join(stamped(written(*STEPS)))
    log = PodLog(PREFIX)
    first = log.feed(whole[: random.Random(seed).randrange(len(whole))])
    log.restart()
    text, reports, _ = read(log, whole)  # a second-grained `since` gives lines again that were taken
    assert first.text + text == TEXT
    assert [report.number for report in [*first.reports, *reports]] == [1, 2, 3, 4]


def test_a_log_that_lost_its_beginning_has_all_reports_in_its_recap() -> None:
    lines = stamped(written(*STEPS, long=True))
    _, reports, facts = read(PodLog(PREFIX), b"".join(lines[3:]))
    assert [report.body for report in reports if report.kind == "checkpoint"] == [
        {"values": [{"name": "l", "value": 1}]},
        {"values": [{"name": "l", "value": 2}]},
    ]
    assert reports[-1].body["values"]["a"]["value"] == 3 and facts == {"code": 0}
    assert [report.number for report in reports] == [1, 2, 3]


def test_reports_missing_without_a_recap_are_noticed() -> None:
    lines = stamped(written(*STEPS))
    log = PodLog(PREFIX)
    _, reports, _ = read(log, b"".join([lines[0], *lines[2:]]))
    assert reports == [] and not log.marks.is_complete


def test_a_log_without_a_launcher_is_text() -> None:
    log = PodLog(PREFIX)
    text, reports, facts = read(log, b"".join(stamped(b"y=1\nno end")))
    assert text.rstrip(b"\n") == b"y=1\nno end" and not reports and facts is None and not log.marks.has_launcher


def test_a_line_without_end_is_passed_on_in_pieces() -> None:
    log = PodLog(PREFIX)
    line = b"x" * (3 << 20)
    first = log.feed(b"2026-01-01T00:00:00.000000001Z " + line[: 2 << 20])
    rest = log.feed(line[2 << 20 :] + b"\n2026-01-01T00:00:00.000000002Z end\n")
    assert first.text + rest.text == line + b"\nend\n" and len(first.text) == 2 << 20
