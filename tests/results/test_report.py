"""The report of an experiment."""

from trialflow.results.report import escaped, report

COUNTS = {"done": 4, "failed": 1, "stopped": 0, "lost": 2}
RUN = {"id": "7", "values": {"accuracy": {"value": 0.91}}, "assignments": {"kind": "a|b", "rate": 0.25}}


def test_it_says_how_many_and_what_is_best() -> None:
    text = report({"id": "1", "name": "mine", "budget": 4}, [RUN], **COUNTS)
    assert text.startswith("# mine (experiment 1)\n\n4 of 4 training runs done, 1 failed, 2 lost and launched again.")
    assert "## Best: training run 7" in text and "| accuracy | 0.91 |" in text and "| rate | 0.25 |" in text


def test_without_a_best_it_says_so() -> None:
    text = report({"id": "1", "name": "mine", "budget": None}, [], **{**COUNTS, "stopped": 3})
    assert "4 of unlimited training runs done, 3 stopped early" in text and "No training run has completed yet." in text


def test_text_of_a_user_is_never_markdown() -> None:
    assert escaped("a|b\n# <img src=x> [link](u) *c*") == "a\\|b # \\<img src=x\\> \\[link\\](u) \\*c\\*"
    assert "| kind | a\\|b |" in report({"id": "1", "name": "x", "budget": 1}, [RUN], **COUNTS)
