"""Pictures as data: what they show of which training runs, and that nobody's name becomes markup."""

import json
from typing import Any

import plotly.graph_objects as go
import pytest

from trialflow.results.pictures import catalogue, choices_of, compared, pictures_of, points_of, themed
from trialflow.results.pictures.front import front_of
from trialflow.results.pictures.labels import label, slug

HOSTILE = "<img src=x onerror=alert(1)> %{x} $\\frac{1}{2}$ \x1b[31m" + "a" * 10_000
PARAMETERS = [
    {"name": "lr", "type": "double", "bounds": {"min": 1e-5, "max": 1}, "transformation": "log"},
    {"name": "kind", "type": "categorical", "categorical_values": [{"name": "adam"}, {"name": HOSTILE}]},
    {"name": "depth", "type": "int", "bounds": {"min": 1, "max": 9}, "conditions": {"net": ["deep"]}},
]
ONE = {"id": "1", "name": HOSTILE, "parameters": PARAMETERS, "metrics": [{"name": "loss", "objective": "minimize", "threshold": 0.9}]}
TWO = {**ONE, "metrics": [{"name": "loss", "objective": "minimize", "threshold": 0.9}, {"name": "speed", "threshold": 1.0}]}


def run(number: int, state: str = "completed", loss: float | None = None, speed: float | None = None, **more: Any) -> dict[str, Any]:
    values = {name: {"value": value} for name, value in (("loss", loss), ("speed", speed)) if value is not None}
    assignments = {"lr": 10.0**-number, "kind": HOSTILE if number % 2 else "adam", **({"depth": number} if number < 3 else {})}
    times = {"created": 1000 + number, "completed": None if state == "active" else 2000 - number}
    return {"id": str(number), "name": "r", "state": state, "values": values, "assignments": assignments, "dev_metadata": {}, **times, **more}


RUNS = [
    run(1, loss=0.5, speed=2.0),
    run(2, "failed", dev_metadata={"trialflow_reason": HOSTILE, "trialflow_lost": 1}),
    run(3, loss=0.95, speed=9.0),
    run(4, loss=0.3, speed=1.5, dev_metadata={"trialflow_stopped_early": "slow", "trialflow_lost": 2}),
    run(5, "active"),
    run(6, loss=0.4, speed=0.5),
]


def of(experiment: dict[str, Any], runs: list[dict[str, Any]] = RUNS, **more: Any) -> dict[str, Any]:
    return {one.name: one for one in pictures_of(catalogue(experiment, points_of(runs), **more))}


def traces(picture: Any) -> dict[str, dict[str, Any]]:
    return {trace["name"]: trace for trace in picture.figure["data"]}


def test_the_best_so_far_only_improves_and_keeps_the_thresholds() -> None:
    best = of(ONE)["best-training-runs-loss"]
    assert (traces(best)["best so far"]["x"], traces(best)["best so far"]["y"]) == ([1, 4, 6], [0.5, 0.3, 0.3])
    assert traces(best)["training runs"]["y"] == [0.5, 0.95, 0.3, 0.4], "what breaks a threshold is shown, and is never the best"
    assert "0.3" in best.caption and "training run 4" in best.caption


def test_over_time_training_runs_come_in_the_order_in_which_they_ended() -> None:
    best = of(ONE)["best-time-loss"]
    assert traces(best)["best so far"]["y"] == [0.4, 0.3, 0.3] and best.figure["layout"]["xaxis"]["type"] == "date"


def test_the_history_tells_states_apart_and_shows_each_training_run_once_beside_the_mark_of_the_lost() -> None:
    shown = [trace for trace in of(ONE)["history-loss"].figure["data"] if trace["name"] != "lost and launched again"]
    assert sorted(number for trace in shown for number in trace["x"]) == [1, 2, 3, 4, 5, 6]
    assert {trace["name"]: trace["x"] for trace in shown} == {"completed": [1, 3, 6], "stopped early": [4], "failed": [2], "running": [5]}
    assert len({(trace["marker"]["color"], trace["marker"]["symbol"]) for trace in shown}) == 4
    lost = [trace for trace in of(ONE)["history-loss"].figure["data"] if trace["name"] == "lost and launched again"]
    assert sorted(number for trace in lost for number in trace["x"]) == [2, 4]


def test_each_name_is_in_the_legend_once() -> None:
    for picture in of(TWO).values():
        named = [trace["name"] for trace in picture.figure["data"] if "name" in trace and trace.get("showlegend", True)]
        assert len(named) == len(set(named))


def test_parallel_coordinates_have_an_axis_for_each_parameter_and_metric_and_a_place_for_what_is_not_active() -> None:
    figure = of(TWO)["parallel-coordinates"].figure
    lines = {}
    for trace in figure["data"]:
        if trace["mode"] == "lines":
            for place in range(0, len(trace["x"]), 6):
                assert trace["x"][place : place + 6] == [0, 1, 2, 3, 4, None]
                lines[trace["customdata"][place]] = trace["y"][place : place + 5]
    assert sorted(lines) == [1, 3, 4, 6], "those without a result have no line"
    lr, kind, depth, loss, speed = ({number: line[axis] for number, line in lines.items()} for axis in range(5))
    assert lr == {1: 1.0, 3: 0.6, 4: 0.4, 6: 0.0}, "on a logarithmic scale"
    assert kind == {1: 1.0, 3: 1.0, 4: 0.0, 6: 0.0}
    assert depth[3] == depth[4] == depth[6] == 0 < depth[1], "not active is a place of its own"
    assert loss[3] == 1.0 and loss[4] == 0.0 and speed[3] == 1.0 and speed[6] == 0.0
    assert "not active" in [one["text"] for one in figure["layout"]["annotations"]]
    assert len({trace["line"]["color"] for trace in figure["data"] if trace["mode"] == "lines"}) > 1


def test_a_parameter_is_shown_only_where_it_is_active_and_on_its_own_scale() -> None:
    pictures = of(ONE)
    assert [trace["x"] for trace in pictures["depth-against-loss"].figure["data"]] == [[1.0]]
    assert pictures["lr-against-loss"].figure["layout"]["xaxis"]["type"] == "log"
    assert pictures["kind-against-loss"].figure["layout"]["xaxis"]["tickvals"] == [0, 1]


def test_the_front_is_what_nothing_beats_within_the_thresholds() -> None:
    assert [one.id for one in front_of(TWO, points_of(RUNS))] == [4, 1]
    front = traces(of(TWO)["pareto-front"])
    assert sorted(front["Pareto front"]["customdata"]) == [1, 4] and sorted(front["beyond a threshold"]["customdata"]) == [3, 6]
    assert len(of(TWO)["pareto-front"].figure["layout"]["shapes"]) == 2 and "pareto-front" not in of(ONE)


def test_checkpoints_make_a_curve_for_each_training_run_and_the_stopped_end_in_a_mark() -> None:
    checkpoints = {number: [{"values": [{"name": "loss", "value": 1 / place}]} for place in (1, 2, 3)] for number in (1, 4)}
    picture = of(ONE, checkpoints=checkpoints, with_checkpoints=7)["checkpoints-loss"]
    ends = [trace for trace in picture.figure["data"] if trace["mode"] == "markers"]
    assert [trace["customdata"] for trace in ends] == [[4]] and ends[0]["x"] == [3]
    assert "of 7" in picture.caption and "1 of them" in picture.caption


def test_importances_are_ordered_and_experiments_are_compared_from_their_beginnings() -> None:
    picture = of(ONE, beliefs=[{"metric": "loss", "importances": {"a": 0.1, "b": 0.9}}])["importances-loss"]
    assert picture.figure["data"][0]["x"] == [0.1, 0.9] and "b 90%, a 10%" in picture.caption
    side = compared([(ONE, points_of(RUNS)), (TWO, points_of(RUNS))], "loss", "time")
    assert len(side.figure["data"]) == 2 and len({(trace["line"]["color"], trace["line"]["dash"]) for trace in side.figure["data"]}) == 2


@pytest.mark.parametrize("experiment", [ONE, TWO, {**ONE, "metrics": [{"name": HOSTILE, "strategy": "store"}]}])
@pytest.mark.parametrize("runs", [RUNS, [], [run(1, "active")], [run(1, "failed")]])
def test_plotly_accepts_every_figure_and_none_holds_foreign_markup(experiment: dict[str, Any], runs: list[dict[str, Any]]) -> None:
    checkpoints = {1: [{"values": [{"name": HOSTILE, "value": 1.0}]}]}
    beliefs = [{"metric": HOSTILE, "importances": {HOSTILE: 1.0}}]
    for picture in of(experiment, runs, checkpoints=checkpoints, beliefs=beliefs).values():
        for theme in ("light", "dark"):
            go.Figure(themed(picture.figure, theme))
        text = json.dumps(picture.figure, allow_nan=False)
        assert "<img" not in text and "\\u001b" not in text and len(text) < 60_000
        assert picture.name == slug(picture.name)


def test_one_picture_of_each_group_is_made_and_an_unknown_choice_is_the_first() -> None:
    entries = catalogue(TWO, points_of(RUNS))
    picked = pictures_of(entries, {"best": "speed, over time", "history": "no such"})
    assert [(one.group, one.choice) for one in picked][:3] == [("best", "speed, over time"), ("front", ""), ("history", "loss")]
    assert choices_of(entries)["history"] == ["loss", "speed"] and "front" not in choices_of(entries)


def test_many_training_runs_are_drawn_by_webgl_few_are_not() -> None:
    many = [run(number, loss=1.0) for number in range(1, 3)] * 800
    assert {trace["type"] for trace in of(ONE, many)["history-loss"].figure["data"]} == {"scattergl"}
    assert {trace["type"] for trace in of(ONE)["history-loss"].figure["data"]} == {"scatter"}


def test_a_label_is_one_short_line_without_markup() -> None:
    assert label("a<b>&\n c") == "a&lt;b&gt;&amp; c" and len(label("x" * 10_000)) == 60 and label(0.123456789) == "0.12346"
