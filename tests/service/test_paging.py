"""Pages of lists: every row once, in either direction, whichever marker is followed."""

from typing import Any

import pytest

from trialflow.service.errors import BadRequest
from trialflow.service.paging import Paging


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7])
@pytest.mark.parametrize("limit", [1, 2, 3, 10])
@pytest.mark.parametrize("ascending", [True, False])
def test_following_the_markers_shows_every_row_once_in_order(size: int, limit: int, ascending: bool) -> None:
    rows = [f"r{number}" for number in range(size)]
    marker = "after" if ascending else "before"
    seen: list[str] = []
    page: dict[str, Any] = {}
    while True:
        shown, markers = Paging(limit, ascending=ascending, **page).cut(rows)
        seen += shown
        if markers[marker] is None:
            break
        page = {marker: int(markers[marker])}
    assert seen == (rows if ascending else rows[::-1])


@pytest.mark.parametrize("ascending", [True, False])
def test_before_is_below_and_after_is_above_in_both_directions(ascending: bool) -> None:
    rows = list("abcdefg")
    below, _ = Paging(2, before=4, ascending=ascending).cut(rows)
    above, _ = Paging(2, after=4, ascending=ascending).cut(rows)
    assert (sorted(below), sorted(above)) == (["b", "c"], ["e", "f"])
    assert (below, above) == ((["b", "c"], ["e", "f"]) if ascending else (["c", "b"], ["f", "e"]))


@pytest.mark.parametrize("ascending", [True, False])
def test_a_page_in_the_middle_has_both_neighbours(ascending: bool) -> None:
    rows = list("abcdefg")
    _, markers = Paging(2, after=2, ascending=ascending).cut(rows)
    assert markers == {"before": "3", "after": "4"}
    assert sorted(Paging(10, before=3).cut(rows)[0]) == ["a", "b"]


def test_the_newest_page_has_its_after_and_an_empty_one_has_nothing() -> None:
    assert Paging(2).cut(list("abc")) == (["c", "b"], {"before": "2", "after": "3"})
    assert Paging(2, after=3).cut(list("abc")) == ([], {"before": None, "after": None})


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "x"}, {"limit": "-1"}, {"limit": "1001"}, {"limit": "1" * 30}, {"before": "9" * 19}, {"before": "1", "after": "2"},
        {"ascending": "up"}, {"before": True}, {"after": "１"}, {"limit": "1_0"}, {"limit": 1.5},
    ],
)  # fmt: skip
def test_what_is_no_page_is_refused(query: dict[str, Any]) -> None:
    with pytest.raises(BadRequest):
        Paging.of(query)
