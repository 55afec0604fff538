"""What a search finds, and how it ends."""

import math

import numpy as np
import pytest

from trialflow.optimizer import (
    Conditional,
    LinearConstraint,
    Metric,
    NormalPrior,
    Observation,
    Parameter,
    Space,
    SpaceExhausted,
    UnsupportedExperiment,
    Value,
    check_supported,
    importances,
    model_summaries,
    suggest,
)


def branin(x: float, y: float) -> float:
    return (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def search(
    space: Space,
    metrics: list[Metric],
    measure,  # noqa: ANN001
    budget: int,
    *,
    open_at_once: int = 1,
    seed: int = 1,
    num_solutions: int = 1,
) -> list[Observation]:
    observations: list[Observation] = []
    pending: list[dict] = []
    for _ in range(budget + open_at_once - 1):
        pending.append(suggest(space, metrics, observations, pending, seed=seed, num_solutions=num_solutions).assignments)
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


def test_the_first_point_is_the_middle_and_few_follow_before_the_model_is_asked() -> None:
    methods, observations = [], []
    for number in range(7):
        found = suggest(SQUARE, [Metric("f")], observations, [], seed=4)
        methods.append(found.method)
        observations.append(Observation(found.assignments, {"f": Value(float(number % 3))}))
    assert observations[0].assignments == {"x": 0.5, "y": 0.5}
    assert methods == ["design"] * 5 + ["gp"] * 2


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
    failures = []
    for seed in range(6):
        observations: list[Observation] = []
        for _ in range(30):
            point = suggest(SQUARE, [Metric("f")], observations, [], seed=seed).assignments
            x, y = float(point["x"]), float(point["y"])
            failed = x > 0.6
            observations.append(Observation(point, {} if failed else {"f": Value(-((x - 0.4) ** 2) - (y - 0.5) ** 2)}, failed))
        failures.append(sum(one.failed for one in observations[12:]))
        assert max(one.values["f"].value for one in observations if not one.failed) > -0.002
    assert sum(failures) <= 24, failures  # of 108, where even draws would fail 43 times


def test_failures_that_have_nothing_to_do_with_the_place_hide_no_good_one() -> None:
    for seed in range(3):
        rng, observations = np.random.default_rng(seed), list[Observation]()
        for _ in range(30):
            point = suggest(SQUARE, [Metric("f")], observations, [], seed=seed).assignments
            value = -((float(point["x"]) - 0.4) ** 2) - (float(point["y"]) - 0.5) ** 2
            failed = bool(rng.random() < 0.25)
            observations.append(Observation(point, {} if failed else {"f": Value(value)}, failed))
        assert max(one.values["f"].value for one in observations if not one.failed) > -0.001


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
    assert suggest(SQUARE, [Metric("f")], observations, [], seed=1).method in ("gp", "local")


def test_a_good_prior_is_drawn_from_and_a_bad_one_is_left_behind() -> None:
    def peak(mean: float) -> tuple[list[Observation], float]:
        space = Space((Parameter("x", "double", (0, 1), prior=NormalPrior(mean, 0.05)), Parameter("y", "double", (0, 1))))
        seen = search(space, [Metric("f")], lambda p: {"f": -((p["x"] - 0.3) ** 2) - (p["y"] - 0.6) ** 2}, 25)
        return seen, max(one.values["f"].value for one in seen)

    seen, best = peak(0.3)
    assert all(abs(float(one.assignments["x"]) - 0.3) < 0.2 for one in seen[:5]) and best > -1e-3
    assert peak(0.8)[1] > -0.02


CHOICE = Space(
    (
        Parameter("rate", "double", (1e-5, 1.0), log=True),
        Parameter("depth", "int", (1, 12), conditions={"model": ("tree", "forest")}),
        Parameter("c", "double", (0, 10), conditions={"model": ("svm",)}),
    ),
    (Conditional("model", ("tree", "forest", "svm")),),
)


def test_the_best_branch_of_a_conditional_is_found_and_only_its_parameters_are_assigned() -> None:
    def measure(p: dict) -> dict:
        assert set(p) == {"rate", "model", "c" if p["model"] == "svm" else "depth"}
        branch = -((p["c"] - 6.5) ** 2) if p["model"] == "svm" else -0.3 * abs(p["depth"] - 7) - (0.5 if p["model"] == "tree" else 1.0)
        return {"f": branch - (math.log10(p["rate"]) + 3) ** 2}

    seen = search(CHOICE, [Metric("f")], measure, 40, open_at_once=2)
    best = max(seen, key=lambda one: one.values["f"].value)
    assert best.assignments["model"] == "svm" and best.values["f"].value > -0.05


def test_the_best_within_a_thin_region_is_found() -> None:
    terms = (("a", 1.0), ("b", 1.0), ("c", 1.0))
    space = Space(
        tuple(Parameter(name, "double", (0, 1)) for name in "abc"),
        (),
        (LinearConstraint("less_than", 1.0, terms), LinearConstraint("greater_than", 0.999, terms)),
    )
    seen = search(space, [Metric("f")], lambda p: {"f": -((p["a"] - 0.2) ** 2) - (p["b"] - 0.3) ** 2}, 20)
    assert all(0.999 <= sum(map(float, one.assignments.values())) <= 1.0 for one in seen)
    assert max(one.values["f"].value for one in seen) > -1e-3


def test_constraints_alone_are_satisfied_in_many_different_ways() -> None:
    metrics = [Metric("c", "minimize", "constraint", 0.3), Metric("d", "maximize", "constraint", 0.2)]
    seen = search(SQUARE, metrics, lambda p: {"c": math.hypot(p["x"] - 0.4, p["y"] - 0.5), "d": p["y"]}, 40)
    good = np.array([[one.assignments["x"], one.assignments["y"]] for one in seen if one.values["c"].value <= 0.3 and one.values["d"].value >= 0.2])
    assert len(good) >= 20
    # Everywhere in the feasible disc there is one nearby; the even share of 20 points in it has a radius of about 0.07.
    inside = np.array([[0.4 + r * math.cos(t), 0.5 + r * math.sin(t)] for r in (0.1, 0.2) for t in np.linspace(0, 6, 7)])
    assert np.linalg.norm(inside[:, None] - good[None], axis=2).min(axis=1).max() < 0.17


def test_several_solutions_are_each_improved() -> None:
    wells = {-math.pi: 12.275, math.pi: 2.275, 9.42478: 2.475}
    seen = search(PLANE, [Metric("f", "minimize")], lambda p: {"f": branin(p["x"], p["y"])}, 60, open_at_once=2, num_solutions=3)
    best = [min(one.values["f"].value for one in seen if abs(float(one.assignments["x"]) - x) < 1.5) for x in wells]
    assert max(best) < 0.397887 + 0.3, best


@pytest.mark.parametrize(
    "metrics", [[Metric("f"), Metric("g", "minimize")], [Metric("f"), Metric("g", strategy="constraint", threshold=0.5)], [Metric("f")]]
)
def test_more_observations_than_a_model_takes_are_chosen_from(metrics: list[Metric], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trialflow.optimizer.candidates.MOST_MODELLED", {1: 30, 2: 30})
    monkeypatch.setattr("trialflow.optimizer.candidates.MOST_OF_MANY", 30)
    rng = np.random.default_rng(0)
    observations = []
    for number in range(90):
        x, y = rng.random(2)
        values = {"f": Value(-((x - 0.3) ** 2) - (y - 0.6) ** 2), "g": Value(x - y)}
        values.pop({7: "f", 8: "g"}.get(number % 9, ""), None)
        observations.append(Observation({"x": x, "y": y}, values if number % 10 else {}, failed=number % 10 == 0))
    found = suggest(SQUARE, metrics, observations, [{"x": 0.1, "y": 0.1}], seed=1)
    assert found.method == "gp" and math.hypot(found.assignments["x"] - 0.3, found.assignments["y"] - 0.6) < 0.6  # type: ignore[operator]


def test_thresholds_say_which_part_of_the_front_is_wanted() -> None:
    metrics = [Metric("f", "minimize", threshold=0.5), Metric("g", "minimize", threshold=0.7)]
    seen = search(SQUARE, metrics, lambda p: {"f": p["x"] + p["y"], "g": (1 - p["x"]) ** 2 + p["y"]}, 30)
    wanted = [one for one in seen[5:] if one.values["f"].value <= 0.5 and one.values["g"].value <= 0.7]
    assert len(wanted) > 15


def test_cheap_tasks_are_asked_first_and_the_full_one_at_the_end() -> None:
    metrics, costs = [Metric("f", "minimize")], (0.1, 0.3, 1.0)
    observations: list[Observation] = []
    while sum(one.task_cost for one in observations) < 15:
        found = suggest(PLANE, metrics, observations, [], seed=1, task_costs=costs, budget=15)
        x, y = float(found.assignments["x"]), float(found.assignments["y"])
        value = branin(x, y) + (1 - found.task_cost) * 5 * math.sin(x)
        observations.append(Observation(found.assignments, {"f": Value(value)}, task_cost=found.task_cost))
    full = [one.values["f"].value for one in observations if one.task_cost == 1.0]
    assert {one.task_cost for one in observations} <= set(costs) and len(observations) > 20
    assert 3 <= len(full) < 16 and min(full) < 0.397887 + 0.1
    assert observations[-1].task_cost == 1.0


def test_repeated_noise_does_not_mislead() -> None:
    rng = np.random.default_rng(0)
    seen = search(SQUARE, [Metric("f")], lambda p: {"f": -((p["x"] - 0.3) ** 2) - (p["y"] - 0.6) ** 2 + 0.1 * rng.standard_normal()}, 40)
    last = np.array([[one.assignments["x"], one.assignments["y"]] for one in seen[-8:]], dtype=float)
    assert np.linalg.norm(np.median(last, axis=0) - [0.3, 0.6]) < 0.25


def test_nothing_measured_at_all_still_spreads_over_the_space() -> None:
    observations: list[Observation] = []
    for _ in range(15):
        observations.append(Observation(suggest(SQUARE, [Metric("f")], observations, [], seed=1).assignments, {}, failed=True))
    points = np.array([[one.assignments["x"], one.assignments["y"]] for one in observations], dtype=float)
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)[np.triu_indices(15, 1)]
    assert apart.min() > 0.03


def test_numerical_trouble_is_named_and_answered_near_to_the_best(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def breaks(*_args: object, **_more: object) -> None:
        raise np.linalg.LinAlgError("singular")

    seen = search(SQUARE, [Metric("f")], lambda p: {"f": -((p["x"] - 0.3) ** 2)}, 12)
    monkeypatch.setattr("trialflow.optimizer.candidates.maximize", breaks)
    found = suggest(SQUARE, [Metric("f")], seen, [], seed=1)
    assert found.method == "local" and "singular" in caplog.text
    assert found.assignments not in [one.assignments for one in seen]


LINEAR = LinearConstraint("less_than", 1.0, (("x", 1.0), ("y", 1.0)))


@pytest.mark.parametrize(
    ("space", "metrics", "more", "named"),
    [
        (SQUARE, [Metric("f"), Metric("g"), Metric("h")], {}, "more than two metrics"),
        (SQUARE, [Metric("f", strategy="store")], {}, "no metric to optimize"),
        (SQUARE, [Metric("f"), Metric("g")], {"num_solutions": 2}, "num_solutions"),
        (SQUARE, [Metric("f"), Metric("g")], {"tasks": True}, "tasks"),
        (SQUARE, [Metric("f")], {"kind": "grid"}, "cannot be counted"),
        (Space((Parameter("x", "double", (1, 2), log=True), Parameter("y", "double", (0, 1))), (), (LINEAR,)), [Metric("f")], {}, "linear scale"),
        (Space((Parameter("x", "int", (1, 2)), Parameter("y", "double", (0, 1))), (), (LINEAR,)), [Metric("f")], {}, "both doubles and ints"),
        (Space((Parameter("x", "double", (1, 2)),), (), (LINEAR,)), [Metric("f")], {}, "linear scale"),
    ],
)
def test_what_no_experiment_can_ask_for_is_named(space: Space, metrics: list[Metric], more: dict, named: str) -> None:
    with pytest.raises(UnsupportedExperiment, match=named):
        check_supported(space, metrics, more.pop("kind", "offline"), **more)


@pytest.mark.parametrize(
    ("space", "metrics", "more"),
    [
        (CHOICE, [Metric("f"), Metric("g", threshold=1.0), Metric("c", strategy="constraint", threshold=1.0), Metric("s", strategy="store")], {}),
        (SQUARE, [Metric("c", strategy="constraint", threshold=1.0)], {}),
        (Space(SQUARE.parameters, (), (LINEAR,)), [Metric("f")], {"num_solutions": 3}),
        (SQUARE, [Metric("f")], {"tasks": True}),
    ],
)
def test_what_experiments_can_ask_for_is_accepted(space: Space, metrics: list[Metric], more: dict) -> None:
    check_supported(space, metrics, "offline", **more)


def test_importances_add_up_and_name_what_matters() -> None:
    seen = search(SQUARE, [Metric("f")], lambda p: {"f": math.sin(6 * p["x"]) + 0.01 * p["y"]}, 15)
    found = importances(SQUARE, [Metric("f")], seen)["f"]
    assert sum(found.values()) == pytest.approx(1) and found["x"] > 0.9


def test_beliefs_are_in_the_units_of_the_metric() -> None:
    rng = np.random.default_rng(0)
    metric = Metric("f", "minimize")
    seen = search(SQUARE, [metric], lambda p: {"f": 100 + 50 * (p["x"] - 0.3) ** 2 + 0.5 * rng.standard_normal()}, 40)
    found = model_summaries(SQUARE, [metric], seen)["f"]
    assert found.value == pytest.approx(100, abs=1.0) and found.best["x"] == pytest.approx(0.3, abs=0.15)
    assert 0.15 < found.noise < 1.5 and 0 < found.stddev < 1.0
    assert found.length_scales["x"] < found.length_scales["y"]


def test_nothing_is_believed_of_what_is_hardly_known() -> None:
    seen = search(SQUARE, [Metric("f")], lambda p: {"f": p["x"]}, 4)
    assert model_summaries(SQUARE, [Metric("f")], seen) == {} and importances(SQUARE, [Metric("f")], seen) == {}
