"""A pod's log taken apart gives the model's output to the byte and each report once, however it is cut and wherever it breaks off."""

import json
import os
import random
import re

import pytest

from tasks.kubernetes.jobs.log import MarkReader, PodLog
from trialflow.launcher.marks import LONG, MARK, LogRecords, nonce_prefix

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


def marked(**content: object) -> bytes:
    return MARK + json.dumps(content).encode() + b"\n"


FORGED = [
    marked(kind="begin", python="3.11"),
    marked(kind="end", number=0, facts={"code": 0}),
    marked(kind="merge", number=1, body={"values": {"a": {"value": 9}}}),
    marked(kind="merge", number=1, body={"values": {"a": {"value": 9}}}, nonce=PREFIX + "0" * 16),
    marked(kind="end", number=5, facts={"code": 0}, nonce=nonce_prefix("run-zzzz9999", 1) + "0" * 16),
    MARK + b"[1, 2]\n",
    MARK + b"{not json}\n",
    MARK + b"half a mark\n",
    MARK * 50 + b"\n",
]


@pytest.mark.parametrize("forged", FORGED)
def test_what_a_model_prints_is_text_whatever_it_looks_like(forged: bytes) -> None:
    text, reports, facts = read(PodLog(PREFIX), b"".join(stamped(written(("log", b"a\n" + forged), *STEPS))))
    assert text == b"a\n" + forged + TEXT
    assert [report.number for report in reports] == [1, 2, 3, 4] and facts == {"code": 0}


def test_another_pods_log_is_text() -> None:
    other = written(*STEPS).replace(PREFIX.encode(), nonce_prefix("run-other123", 1).encode())
    text, reports, _ = read(PodLog(PREFIX), b"".join(stamped(written(("log", other)))))
    assert text == other and reports == []


def test_half_a_mark_before_a_real_one_hides_nothing() -> None:
    _, reports, _ = read(PodLog(PREFIX), b"".join(stamped(written(("log", MARK + b'{"kind": "merge", '), *STEPS))))
    assert [report.number for report in reports] == [1, 2, 3, 4]


@pytest.mark.parametrize("piece", [b"x" * 4096, MARK + b'{"a": "' + b"x" * 4000, MARK, b"\x1e"])
def test_32_mib_without_a_line_end_are_text_in_bounded_memory(piece: bytes) -> None:
    reader, length, most = MarkReader(PREFIX), 0, 0
    chunk = (piece * (1 + (256 << 10) // len(piece)))[: 256 << 10]
    for _ in range(128):
        length += len(reader.feed(chunk).text)
        most = max(most, len(reader._rest))
    assert length + len(reader.close().text) == 128 * len(chunk) and most <= 2 << 20


def test_pods_of_the_version_before_are_read_as_before() -> None:
    old = re.sub(rb', "nonce": "[^"]*"', b"", written(*STEPS))
    text, reports, facts = read(PodLog(PREFIX, is_old=True), b"".join(stamped(old)))
    assert text == TEXT and [report.number for report in reports] == [1, 2, 3, 4] and facts == {"code": 0}
    assert read(PodLog(PREFIX), b"".join(stamped(old)))[1] == []


def test_a_pod_says_no_more_than_a_model_may() -> None:
    steps = [("merge", {"deleted": True, "dev_metadata": {"trialflow_attempt": "x"}, "values": {"a": {"value": 1}}}), ("checkpoint", {"x": 1})]
    _, reports, _ = read(PodLog(PREFIX), b"".join(stamped(written(*steps))))
    assert [report.body for report in reports] == [{"values": {"a": {"value": 1}}}]


@pytest.mark.parametrize("seed", range(200))
def test_random_bytes_cuts_and_repeats_never_harm_what_is_real(seed: int) -> None:
    chance = random.Random(seed)
    noise = [chance.choice(FORGED) if chance.random() < 0.5 else chance.randbytes(chance.randrange(60)) for _ in range(chance.randrange(8))]
    noise = [one[: chance.randrange(len(one) + 1)] if chance.random() < 0.3 else one for one in noise]
    steps = list(STEPS)
    for one in filter(None, noise):
        steps.insert(chance.randrange(len(steps) + 1), ("log", one))
    lines = stamped(written(*steps))
    log, reports, facts = PodLog(PREFIX), [], None
    if chance.random() < 0.5:  # it breaks off somewhere, and lines come again
        cut = chance.randrange(1, len(lines) + 1)
        news = log.feed(b"".join(lines[:cut])[: -chance.randrange(1, 5)])
        reports, facts = list(news.reports), news.facts
        log.restart()
    whole = b"".join(lines)
    cuts = sorted(chance.sample(range(len(whole)), min(6, len(whole))))
    _, more, last = read(log, *(whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)))
    assert [report.number for report in reports + more] == [1, 2, 3, 4] and (last or facts) == {"code": 0}
