"""What the optimizer believes, in words."""

from trialflow.results.facts import belief_lines

EXPERIMENT = {"metrics": [{"name": "loss", "objective": "minimize"}, {"name": "acc", "objective": "maximize"}]}
BELIEF = {
    "metric": "loss",
    "best": {"lr": 0.001234567, "kind": "adam"},
    "value": 0.25,
    "stddev": 0.01,
    "noise": 0.003,
    "length_scales": {"lr": 0.3},
    "importances": {"lr": 0.9, "kind": 0.099, "seed": 0.001},
}


def test_a_belief_says_where_how_good_how_sure_and_what_matters() -> None:
    assert belief_lines(EXPERIMENT, [BELIEF]) == [
        "loss: expected lowest at lr=0.0012346, kind=adam",
        "  there it should be 0.25, give or take 0.01; one measurement varies by 0.003",
        "  what moves it: lr 90%, kind 10%; 1 other hardly at all",
    ]


def test_the_highest_is_wanted_of_a_maximized_metric_and_nothing_known_says_nothing() -> None:
    assert belief_lines(EXPERIMENT, [{**BELIEF, "metric": "acc"}])[0].startswith("acc: expected highest")
    assert belief_lines(EXPERIMENT, []) == []
