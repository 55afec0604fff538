"""What may be suggested, for any space and any history."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trialflow.optimizer import (
    BetaPrior,
    Conditional,
    Metric,
    Observation,
    Parameter,
    Space,
    SpaceExhausted,
    UnsupportedExperiment,
    Value,
    check_supported,
    importances,
    suggest,
)

finite = st.floats(-1e6, 1e6, allow_nan=False)


@st.composite
def parameters(draw, name: str) -> Parameter:  # noqa: ANN001
    kind = draw(st.sampled_from(["double", "log", "int", "categorical", "grid"]))
    if kind == "categorical":
        return Parameter(name, "categorical", categories=tuple(f"c{n}" for n in range(draw(st.integers(2, 5)))))
    if kind == "grid":
        return Parameter(name, "double", grid=tuple(draw(st.lists(finite, min_size=2, max_size=5, unique=True))))
    low = draw(st.integers(-100, 100))
    width = draw(st.integers(1, 50))
    if kind == "int":
        return Parameter(name, "int", (low, low + width))
    return Parameter(name, "double", (10.0**-3, 10.0 ** (width / 10)) if kind == "log" else (float(low), float(low + width)), log=kind == "log")


@st.composite
def histories(draw):  # noqa: ANN001, ANN201
    space = Space(tuple(draw(parameters(f"p{n}")) for n in range(draw(st.integers(1, 4)))))
    metrics = [Metric("m", draw(st.sampled_from(["maximize", "minimize"])))]
    if draw(st.booleans()):
        metrics.append(Metric("c", "maximize", "constraint", draw(finite)))
    elif draw(st.booleans()):
        metrics.append(Metric("c", "minimize"))
    observations, pending = [], []
    for number in range(draw(st.integers(0, 16))):
        try:
            point = suggest(space, metrics, observations, pending, seed=3, kind="random").assignments
        except SpaceExhausted:
            break
        if number % 5 == 4:
            pending.append(point)
        else:
            values = {metric.name: Value(draw(finite), draw(st.sampled_from([None, 0.1]))) for metric in metrics}
            failed = draw(st.integers(0, 4)) == 0
            observations.append(Observation(point, {} if failed else values, failed))
    return space, metrics, observations, pending


def is_of(one: Parameter, value) -> bool:  # noqa: ANN001
    if one.type == "categorical":
        return value in (one.categories or ())
    if one.grid is not None:
        return value in one.grid
    assert one.bounds is not None
    return one.bounds[0] <= value <= one.bounds[1] and (one.type != "int" or isinstance(value, int))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(histories())
def test_a_suggestion_is_inside_the_space_new_and_the_same_again(history) -> None:  # noqa: ANN001
    space, metrics, observations, pending = history
    try:
        found = suggest(space, metrics, observations, pending, seed=1)
    except SpaceExhausted:
        assert space.size is not None and len(observations) + len(pending) >= space.size
        return
    assert set(found.assignments) == {one.name for one in space.parameters}
    assert all(is_of(one, found.assignments[one.name]) for one in space.parameters), found
    assert found.assignments not in [*[one.assignments for one in observations], *pending]
    assert suggest(space, metrics, observations, pending, seed=1) == found


def branin(x: float, y: float) -> float:
    return (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def search(space: Space, metrics: list[Metric], measure, budget: int, *, open_at_once: int = 1, seed: int = 1) -> list[Observation]:  # noqa: ANN001
    observations: list[Observation] = []
    pending: list[dict] = []
    for _ in range(budget + open_at_once - 1):
        pending.append(suggest(space, metrics, observations, pending, seed=seed).assignments)
        if len(pending) == open_at_once:
            point = pending.pop(0)
            observations.append(Observation(point, {name: Value(value) for name, value in measure(point).items()}))
    return observations


PLANE = Space((Parameter("x", "double", (-5, 10)), Parameter("y", "double", (0, 15))))
SQUARE = Space((Parameter("x", "double", (0, 1)), Parameter("y", "double", (0, 1))))


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_smooth_function_is_minimised_with_four_open_at_once(seed: int) -> None:
    seen = search(PLANE, [Metric("f", "minimize")], lambda p: {"f": branin(p["x"], p["y"])}, 35, open_at_once=4, seed=seed)
    assert min(one.values["f"].value for one in seen) < 0.397887 + 0.05


def test_the_best_under_a_constraint_is_found() -> None:
    metrics = [Metric("f"), Metric("c", "minimize", "constraint", 0.5)]
    seen = search(SQUARE, metrics, lambda p: {"f": p["x"] + p["y"], "c": p["x"]}, 25)
    assert max(one.values["f"].value for one in seen if one.values["c"].value <= 0.5) > 1.45


def test_two_metrics_are_searched_along_their_front() -> None:
    def measure(p: dict) -> dict:
        g = 1 + 9 * p["y"]
        return {"f": p["x"], "g": g * (1 - math.sqrt(p["x"] / g))}  # ZDT1 in two dimensions: the front is g = 1 - sqrt(f)

    seen = search(SQUARE, [Metric("f", "minimize"), Metric("g", "minimize")], measure, 40)
    near = [one for one in seen if one.values["g"].value < 1.05 - math.sqrt(one.values["f"].value)]
    assert len(near) > 12 and max(one.values["f"].value for one in near) - min(one.values["f"].value for one in near) > 0.8


def test_where_training_runs_fail_is_kept_away_from() -> None:
    observations: list[Observation] = []
    for _ in range(30):
        point = suggest(SQUARE, [Metric("f")], observations, [], seed=1).assignments
        x, y = float(point["x"]), float(point["y"])
        failed = x > 0.6
        observations.append(Observation(point, {} if failed else {"f": Value(-((x - 0.4) ** 2) - (y - 0.5) ** 2)}, failed))
    assert sum(one.failed for one in observations[12:]) <= 3
    assert max(one.values["f"].value for one in observations if not one.failed) > -0.002


def test_a_finite_space_is_gone_through_and_then_used_up() -> None:
    space = Space((Parameter("i", "int", (1, 3)), Parameter("c", "categorical", categories=("a", "b"))))
    observations: list[Observation] = []
    for _ in range(6):
        found = suggest(space, [Metric("f")], observations, [], seed=1)
        observations.append(Observation(found.assignments, {"f": Value(1.0)}))
    assert len({tuple(one.assignments.values()) for one in observations}) == 6
    with pytest.raises(SpaceExhausted, match="all 6 points are known or pending"):
        suggest(space, [Metric("f")], observations, [], seed=1)


def test_a_grid_is_gone_through_in_order() -> None:
    space = Space((Parameter("b", "double", grid=(2.0, 1.0)), Parameter("a", "categorical", categories=("x", "y"))))
    points = [suggest(space, [Metric("f")], [], [{}] * n, seed=1, kind="grid").assignments for n in range(4)]
    assert points == [{"a": "x", "b": 1.0}, {"a": "y", "b": 1.0}, {"a": "x", "b": 2.0}, {"a": "y", "b": 2.0}]
    with pytest.raises(SpaceExhausted):
        suggest(space, [Metric("f")], [], [{}] * 4, seed=1, kind="grid")


def test_observations_of_an_older_space_do_no_harm() -> None:
    observations = [Observation({"x": 40.0, "gone": "a"}, {"f": Value(float(n))}) for n in range(12)]
    assert 0 <= suggest(SQUARE, [Metric("f")], observations, [], seed=1).assignments["x"] <= 1  # type: ignore[operator]


@pytest.mark.parametrize("values", [[1.0] * 12, [1e300, -1e300] * 6, [0.0] * 11 + [1e-300]])
def test_values_without_information_or_of_any_size_are_survived(values: list[float]) -> None:
    observations: list[Observation] = []
    for value in values:
        point = suggest(SQUARE, [Metric("f")], observations, [], seed=1).assignments
        observations.append(Observation(point, {"f": Value(value)}))
    assert suggest(SQUARE, [Metric("f")], observations, [], seed=1).method in ("gp", "random")


@pytest.mark.parametrize(
    ("space", "metrics", "more", "named"),
    [
        (Space(SQUARE.parameters, (Conditional("c", ("a", "b")),)), [Metric("f")], {}, "conditionals"),
        (Space((Parameter("x", "double", (0, 1), prior=BetaPrior(1, 2)),)), [Metric("f")], {}, "priors"),
        (SQUARE, [Metric("f")], {"num_solutions": 2}, "num_solutions"),
        (SQUARE, [Metric("f")], {"tasks": True}, "tasks"),
    ],
)
def test_what_is_not_supported_is_named(space: Space, metrics: list[Metric], more: dict, named: str) -> None:
    with pytest.raises(UnsupportedExperiment, match=named):
        check_supported(space, metrics, "offline", **more)


def test_importances_add_up_and_name_what_matters() -> None:
    seen = search(SQUARE, [Metric("f")], lambda p: {"f": math.sin(6 * p["x"]) + 0.01 * p["y"]}, 15)
    found = importances(SQUARE, [Metric("f")], seen)["f"]
    assert sum(found.values()) == pytest.approx(1) and found["x"] > 0.9
