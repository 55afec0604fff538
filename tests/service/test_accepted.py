"""Every kind of experiment that SigOpt accepted is accepted, suggested for and observed; what it refused is refused. Over HTTP."""

from typing import Any

import pytest

from tests.service.conftest import Running

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
Y = {**X, "name": "y"}
WHOLE = {"name": "i", "type": "int", "bounds": {"min": 0, "max": 9}}
K = {"name": "k", "type": "categorical", "categorical_values": ["a", "b"]}
GRID = {"name": "g", "type": "double", "grid": [0.1, 0.2, 0.5]}
LOG = {"name": "l", "type": "double", "bounds": {"min": 1e-6, "max": 1}, "transformation": "log"}
PRIOR = {**X, "prior": {"name": "normal", "mean": 0.5, "scale": 0.1}}
CONSTRAINT = {"name": "c", "strategy": "constraint", "threshold": 0}
CHOICE = {
    "conditionals": [{"name": "c", "values": ["p", "q"]}],
    "parameters": [{**X, "conditions": {"c": "p"}}, {**WHOLE, "conditions": {"c": ["q"]}}],
}


def linear(first: dict[str, Any], second: dict[str, Any], threshold: float) -> dict[str, Any]:
    terms = [{"name": one["name"], "weight": 1} for one in (first, second)]
    return {"parameters": [first, second], "linear_constraints": [{"type": "less_than", "threshold": threshold, "terms": terms}]}


ACCEPTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "a whole budget as a float": {"budget": 60.0},
    "no budget": {"budget": None},
    "each kind of parameter": {"parameters": [X, WHOLE, K, GRID, LOG]},
    "categories as objects": {"parameters": [X, {**K, "categorical_values": [{"name": "a", "enum_index": 1}, {"name": "b", "enum_index": 2}]}]},
    "more than 50 parameters": {"parameters": [{**X, "name": f"x{number}"} for number in range(55)]},
    "priors": {"parameters": [PRIOR, {**Y, "prior": {"name": "beta", "shape_a": 2, "shape_b": 3, "mean": None}}]},
    "conditionals": CHOICE,
    "conditionals at random": {**CHOICE, "type": "random"},
    "a linear constraint of doubles": linear(X, Y, 0.7),
    "a linear constraint of ints": linear(WHOLE, {**WHOLE, "name": "j"}, 7),
    "a linear constraint at random": {**linear(X, Y, 0.7), "type": "random"},
    "a linear constraint and a prior": linear(PRIOR, Y, 0.7),
    "two metrics": {"metrics": [{"name": "m"}, {"name": "n", "objective": "minimize"}]},
    "two metrics, a threshold, a constraint": {"metrics": [{"name": "m", "threshold": 1}, {"name": "n"}, CONSTRAINT]},
    "four constraints": {"metrics": [{"name": "m"}, *({**CONSTRAINT, "name": f"c{number}"} for number in range(4))]},
    "a search": {"metrics": [CONSTRAINT]},
    "fifty metrics": {"metrics": [{"name": "m"}, *({"name": f"s{number}", "strategy": "store"} for number in range(49))]},
    "several solutions": {"num_solutions": 3},
    "several solutions and a constraint": {"num_solutions": 3, "metrics": [{"name": "m"}, CONSTRAINT]},
    "a grid": {"type": "grid", "parameters": [GRID, K], "budget": None},
    "a grid and two metrics": {"type": "grid", "parameters": [GRID, K], "budget": 6, "metrics": [{"name": "m"}, {"name": "n"}]},
    "random and two metrics": {"type": "random", "metrics": [{"name": "m"}, {"name": "n"}]},
    "nulls and echoed tags": {"object": "aiexperiment", "conditionals": None, "linear_constraints": [], "metadata": None, "num_solutions": None},
}


@pytest.mark.parametrize("change", ACCEPTED.values(), ids=ACCEPTED)
def test_an_experiment_that_sigopt_accepted_goes_on_from_observation_to_suggestion(service: Running, change: dict[str, Any]) -> None:
    experiment = service.experiment(**change)
    points = []
    for number in range(4):
        run = service.run(experiment)
        assert run["suggestion"] and run["assignments"]
        points.append(run["assignments"])
        values = {one["name"]: {"value": float(number)} for one in experiment["metrics"]}
        ended = service.call("PUT", f"training_runs/{run['id']}", {"values": values, "state": "completed"})
        assert ended["observation"]
    assert all(points.count(one) == 1 for one in points)
    assert not any(one["failed"] for one in service.call("GET", f"experiments/{experiment['id']}/observations")["data"])
    assert service.call("GET", f"aiexperiments/{experiment['id']}/best_training_runs")["count"] >= 1


@pytest.mark.parametrize(
    "change",
    [
        {"budget": 60.5},
        {"budget": "1"},
        {"budget": None, "metrics": [{"name": "m"}, {"name": "n"}]},
        {"budget": None, "metrics": [CONSTRAINT]},
        {"budget": None, "num_solutions": 2},
        {"parallel_bandwidth": 1.5},
        {"type": "nonsense"},
        {"parameters": [X, X]},
        {"parameters": [{**WHOLE, "transformation": "log"}]},
        {"parameters": [{**X, "transformation": "log"}]},
        {"parameters": [{**LOG, "prior": PRIOR["prior"]}]},
        {"parameters": [{**GRID, "bounds": X["bounds"]}]},
        {**CHOICE, "parameters": CHOICE["parameters"][:1]},
        {**CHOICE, "num_solutions": 2},
        linear(X, WHOLE, 0.7),
        linear(X, K, 0.7),
        linear(X, Y, -1),
        {"metrics": [{"name": "m", "threshold": 1}]},
        {"metrics": [{"name": f"m{number}"} for number in range(3)]},
        {"metrics": ["m"]},
        {"num_solutions": 11},
        {"type": "grid", "parameters": [GRID, K], "budget": 5},
        {"tasks": [{"name": "t", "cost": 1}]},
        {"observation_budget": 3},
        {"metadata": {"k": True}},
    ],
    ids=str,
)
def test_an_experiment_that_sigopt_refused_is_refused(service: Running, change: dict[str, Any]) -> None:
    body = {"name": "e", "parameters": [X, K], "metrics": [{"name": "m"}], "budget": 10, **change}
    status, message = service.refused("POST", "clients/1/projects/default/aiexperiments", body)
    assert status == 400 and message
