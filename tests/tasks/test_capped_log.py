"""Prefect's log of a training run is bounded, however much there is to say."""

from tasks.capped_log import LONGEST_LINE, CappedLog, shortened


def test_after_so_many_lines_the_rest_is_where_the_pointer_leads() -> None:
    said: list[str] = []
    log = CappedLog(said.append, "12", most=3)
    for number in range(1000):
        log(f"line {number}")
    assert said[:3] == ["line 0", "line 1", "line 2"] and len(said) == 4 and "`trialflow logs 12`" in said[3]


def test_few_lines_are_said_as_they_are() -> None:
    said: list[str] = []
    log = CappedLog(said.append, "12", most=3)
    log("one")
    log("two")
    assert said == ["one", "two"]


def test_a_long_line_says_how_much_of_it_is_missing() -> None:
    assert shortened("short") == "short"
    assert shortened("x" * (LONGEST_LINE + 7)) == "x" * LONGEST_LINE + "... (7 characters more)"
