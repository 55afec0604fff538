"""The mark reader with random bytes, cuts and repeats: no exception, no forged report, no byte of the model lost, and bounded memory.

TRIALFLOW_FUZZ_EXAMPLES says how much: 12 stands for 120 logs.
"""

import json
import os

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from tasks.kubernetes.jobs.log import LONGEST_PIECE, PodLog
from tests.kubernetes.test_log import PREFIX, STEPS, TEXT, read, stamped, written
from trialflow.launcher.ending import facts_of
from trialflow.launcher.marks import MARK, MARK_BYTES, read_short
from trialflow.launcher.reports import checked, parsed

EXAMPLES = 10 * int(os.environ.get("TRIALFLOW_FUZZ_EXAMPLES", "12"))
SEED = int(os.environ.get("TRIALFLOW_FUZZ_SEED", "0"))
OURS = b"".join(stamped(written(*STEPS)))
NUMBERS = [1, 2, 3, 4]

odd = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)),
    max_leaves=8,
)
nonces = st.one_of(st.sampled_from([None, "", PREFIX, PREFIX + "0" * 16, "run-other123/1/" + "0" * 16]), odd)
kinds = st.one_of(st.sampled_from(["begin", "merge", "checkpoint", "file", "recap", "end"]), odd)
forged = st.builds(
    lambda kind, number, body, nonce, more: MARK + json.dumps(more | {"kind": kind, "number": number, "body": body, "nonce": nonce}).encode() + b"\n",
    kinds,
    st.one_of(st.integers(), odd),
    odd,
    nonces,
    st.dictionaries(st.sampled_from(["facts", "merge", "checkpoints"]), odd),
)
pieces = st.lists(st.one_of(st.binary(max_size=40), forged, st.sampled_from([MARK, MARK[:5], b"\x1e", b"\n", b"\r\n", MARK * 3])), max_size=12)


def fuzzed_test(test):  # noqa: ANN001, ANN201
    """EXAMPLES of them, and the same ones whenever the seed is the same."""
    bounds = {"deadline": None, "database": None, "suppress_health_check": list(HealthCheck)}
    return seed(SEED)(settings(max_examples=EXAMPLES, **bounds)(test))


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """The same bytes in pieces."""
    cuts = sorted({place % (len(data) + 1) for place in places})
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


places = st.lists(st.integers(0, 1 << 20), max_size=8)


@fuzzed_test
@given(printed=pieces, places=places)
def test_what_a_model_prints_is_its_text_to_the_byte_and_the_reports_are_the_launchers(printed: list[bytes], places: list[int]) -> None:
    begun = b"".join(printed) + b"\n"
    whole = b"".join(stamped(written(("log", begun), *STEPS)))
    text, reports, facts = read(PodLog(PREFIX), *cut(whole, places))
    assert text == begun + TEXT and [report.number for report in reports] == NUMBERS and facts == {"code": 0}


@fuzzed_test
@given(breaks=st.lists(st.integers(0, len(OURS)), max_size=5), places=places)
def test_however_often_a_stream_breaks_off_and_begins_again_each_report_comes_once(breaks: list[int], places: list[int]) -> None:
    log, text, numbers, told = PodLog(PREFIX), b"", [], None
    for end in sorted(breaks):
        for piece in cut(OURS[:end], places):
            news = log.feed(piece)
            text += news.text
            numbers += [report.number for report in news.reports]
            told = news.facts or told
        log.restart()
    rest, reports, facts = read(log, *cut(OURS, places))
    assert text + rest == TEXT and numbers + [report.number for report in reports] == NUMBERS and (facts or told) == {"code": 0}


@fuzzed_test
@given(stream=st.lists(st.one_of(st.binary(max_size=200), forged, st.just(OURS), st.just(OURS[100:900])), max_size=8), places=places, breaks=places)
def test_any_stream_at_all_is_read(stream: list[bytes], places: list[int], breaks: list[int]) -> None:
    log, given = PodLog(PREFIX, is_old=bool(len(places) % 2)), []
    for number, piece in enumerate(cut(b"".join(stream), places)):
        given += log.feed(piece).reports
        if number in breaks:
            log.restart()
    given += log.close().reports
    assert [report.number for report in given] == list(range(1, len(given) + 1))
    for report in given:
        assert checked(report.kind, report.body) == (report.body, [])


@fuzzed_test
@given(text=st.one_of(st.text(max_size=50), odd.map(json.dumps), odd.map(lambda value: json.dumps({"trialflow": value}))), body=odd)
def test_last_words_and_facts_of_any_form_are_read(text: str, body: object) -> None:
    known = read_short(text, PREFIX)
    assert known is None or isinstance(known[0], dict)
    assert facts_of(body) is None or isinstance(body, dict)
    for kind in ("merge", "checkpoint", "file", "other"):
        kept, dropped = checked(kind, body)
        assert kept is None or (json.dumps(kept, allow_nan=False) and parsed(json.dumps(kept)) == kept)
        assert all(len(sentence) < 300 for sentence in dropped)


@pytest.mark.parametrize("unit", [b"a", b"\x1e", MARK + b'{"kind": "merge", "nonce": "'])
def test_memory_is_bounded_whatever_has_no_line_end(unit: bytes) -> None:
    """32 MiB: what is held back is never more than a piece and a mark."""
    log = PodLog(PREFIX)
    log.feed(b"2026-01-01T00:00:00.000000001Z ")
    chunk = (unit * ((1 << 16) // len(unit) + 1))[: 1 << 16]
    for _ in range(512):
        log.feed(chunk)
        assert len(log.stamps._rest) + len(log.marks._rest) <= LONGEST_PIECE + MARK_BYTES + len(chunk)
