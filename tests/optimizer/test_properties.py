"""What may be suggested, for any space and any history."""

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from trialflow.optimizer import (
    BetaPrior,
    Conditional,
    LinearConstraint,
    Metric,
    NormalPrior,
    Observation,
    Parameter,
    Space,
    SpaceExhausted,
    Value,
    suggest,
)

MANY = 100 * int(os.environ.get("TRIALFLOW_FUZZ_EXAMPLES", "5"))
"""How many spaces with a history are tried."""
finite = st.floats(-1e6, 1e6, allow_nan=False)
CHOICE = Conditional("choice", ("one", "two", "three"))


@st.composite
def parameters(draw, name: str, conditions: dict) -> Parameter:  # noqa: ANN001
    kind = draw(st.sampled_from(["double", "log", "prior", "int", "categorical", "grid"]))
    if kind == "categorical":
        return Parameter(name, "categorical", categories=tuple(f"c{n}" for n in range(draw(st.integers(2, 5)))), conditions=conditions)
    if kind == "grid":
        return Parameter(name, "double", grid=tuple(draw(st.lists(finite, min_size=2, max_size=5, unique=True))), conditions=conditions)
    low, width = draw(st.integers(-100, 100)), draw(st.integers(1, 50))
    if kind == "int":
        return Parameter(name, "int", (low, low + width), conditions=conditions)
    if kind == "log":
        return Parameter(name, "double", (10.0**-3, 10.0 ** (width / 10)), log=True, conditions=conditions)
    prior = draw(st.sampled_from([NormalPrior(low + width / 3, width / 5), BetaPrior(0.5, 3.0)])) if kind == "prior" else None
    return Parameter(name, "double", (float(low), float(low + width)), prior=prior, conditions=conditions)


@st.composite
def spaces(draw) -> Space:  # noqa: ANN001
    has_choice = draw(st.booleans())
    found = []
    for number in range(draw(st.integers(1, 4))):
        optional = has_choice and number > 0 and draw(st.booleans())
        found.append(draw(parameters(f"p{number}", {"choice": ("one", "three")} if optional else {})))
    plain = [one for one in found if one.type == "double" and one.bounds and not one.log and not one.conditions and one.prior is None]
    constraints = ()
    if len(plain) >= 2 and draw(st.booleans()):
        middle = sum(sum(one.bounds) / 2 for one in plain if one.bounds)
        constraints = (LinearConstraint(draw(st.sampled_from(["less_than", "greater_than"])), middle, tuple((one.name, 1.0) for one in plain)),)
    return Space(tuple(found), (CHOICE,) if has_choice else (), constraints)


METRICS = [
    [Metric("m")],
    [Metric("m", "minimize")],
    [Metric("m"), Metric("c", "maximize", "constraint", 10.0), Metric("s", strategy="store")],
    [Metric("m"), Metric("c", "minimize")],
    [Metric("m", threshold=3.0), Metric("c", "minimize")],
    [Metric("c", "minimize", "constraint", 0.0)],
]


@st.composite
def histories(draw, most: int = 16):  # noqa: ANN001, ANN201
    space, metrics = draw(spaces()), draw(st.sampled_from(METRICS))
    observations, pending = [], []
    for number in range(draw(st.integers(0, most))):
        try:
            point = suggest(space, metrics, observations, pending, seed=3, kind="random").assignments
        except SpaceExhausted:
            break
        if number % 5 == 4:
            pending.append(point)
        else:
            logged = [metric for metric in metrics if draw(st.integers(0, 9)) > 0]
            values = {metric.name: Value(draw(finite), draw(st.sampled_from([None, 0.0, 0.1]))) for metric in logged}
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


def satisfies(one: LinearConstraint, point) -> bool:  # noqa: ANN001
    over = sum(weight * point[name] for name, weight in one.terms) - one.threshold
    return over <= 0 if one.type == "less_than" else over >= 0


@pytest.mark.slow
@settings(
    max_examples=MANY,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(histories(most=9))
def test_spaces_and_histories_of_every_kind_are_answered(history) -> None:  # noqa: ANN001
    space, metrics, observations, pending = history
    try:
        point = suggest(space, metrics, observations, pending, seed=2).assignments
    except SpaceExhausted:
        assert space.size is not None and len(observations) + len(pending) >= (2 if space.conditionals else space.size)
        return
    assert all(is_of(one, point[one.name]) for one in space.parameters if space.is_active(one, point))
    assert point not in [*[one.assignments for one in observations], *pending]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(histories(), st.sampled_from([1, 1, 3]), st.booleans())
def test_a_suggestion_is_inside_the_space_new_and_the_same_again(history, num_solutions: int, has_tasks: bool) -> None:  # noqa: ANN001
    space, metrics, observations, pending = history
    is_single = len([one for one in metrics if one.strategy != "store"]) == 1 and metrics[0].strategy == "optimize"
    more = {"num_solutions": num_solutions, "task_costs": (0.1, 1.0) if has_tasks else ()} if is_single else {}
    try:
        found = suggest(space, metrics, observations, pending, seed=1, budget=30, **more)
    except SpaceExhausted:
        assert space.size is not None and len(observations) + len(pending) >= (2 if space.conditionals else space.size)
        return
    point = found.assignments
    active = [one for one in space.parameters if space.is_active(one, point)]
    assert set(point) == {one.name for one in (*active, *space.conditionals)}
    assert all(is_of(one, point[one.name]) for one in active), found
    assert all(point[one.name] in one.values for one in space.conditionals)
    assert all(satisfies(one, point) for one in space.linear_constraints), found
    assert point not in [*[one.assignments for one in observations], *pending]
    assert found.method != "local", "the model had numerical trouble"
    assert suggest(space, metrics, observations, pending, seed=1, budget=30, **more) == found


def test_the_order_of_observations_that_are_told_again_does_not_matter_for_their_being_new() -> None:
    space = Space((Parameter("i", "int", (1, 40)),))
    points = [{"i": n} for n in range(1, 40)]
    observations = [Observation(point, {"m": Value(float(point["i"]))}) for point in reversed(points)]
    assert suggest(space, METRICS[0], observations, [], seed=1).assignments == {"i": 40}
