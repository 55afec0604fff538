"""Ask and tell without a server."""

import math
from typing import Any

import pytest

import trialflow

PLANE = [{"name": "x", "type": "double", "bounds": {"min": -5, "max": 10}}, {"name": "y", "type": "double", "bounds": {"min": 0, "max": 15}}]


def branin(x: float, y: float) -> float:
    return (y - 5.1 / (4 * math.pi**2) * x**2 + 5 / math.pi * x - 6) ** 2 + 10 * (1 - 1 / (8 * math.pi)) * math.cos(x) + 10


def asked(**fields: Any) -> trialflow.Optimizer:
    return trialflow.Optimizer(parameters=PLANE, metrics=[{"name": "f", "objective": "minimize"}], **fields)


def test_a_smooth_function_is_minimised() -> None:
    study = asked()
    for _ in range(25):
        p = study.suggest()
        study.observe(p, f=branin(**p))
    assert study.best().values["f"] < 0.6
    assert study.best() == min(study.observations, key=lambda one: one.values["f"])
    assert set(study.importances()["f"]) == {"x", "y"}


def test_several_can_be_pending_and_none_is_suggested_twice() -> None:
    study = asked()
    open_ones = [study.suggest() for _ in range(4)]
    assert len({tuple(one.values()) for one in open_ones}) == 4 and study.pending == open_ones
    study.observe(open_ones[2], f=1.0)
    assert study.pending == [open_ones[0], open_ones[1], open_ones[3]]


def test_the_same_calls_with_the_same_seed_give_the_same_suggestions() -> None:
    def first(seed: int) -> list[dict[str, Any]]:
        study = asked(seed=seed)
        points = []
        for _ in range(8):
            points.append(study.suggest())
            study.observe(points[-1], f=branin(**points[-1]))
        return points

    assert first(3) == first(3) != first(4)


def test_what_was_measured_elsewhere_teaches_as_well() -> None:
    study = asked()
    study.observe({"x": math.pi, "y": 2.275}, f=0.3979)
    study.observe({"x": 0.0, "y": 0.0}, failed=True)
    assert study.best().assignments == {"x": math.pi, "y": 2.275}
    assert [one.failed for one in study.observations] == [False, True]


def test_a_finite_space_is_used_up() -> None:
    study = trialflow.Optimizer([{"name": "k", "type": "categorical", "categorical_values": ["a", "b"]}], [{"name": "m"}])
    assert {study.suggest()["k"] for _ in range(2)} == {"a", "b"}
    with pytest.raises(trialflow.TrialflowError, match="exhausted"):
        study.suggest()


def test_two_metrics_have_a_front_and_a_threshold_hides_what_misses_it() -> None:
    study = trialflow.Optimizer(PLANE, [{"name": "a"}, {"name": "b", "objective": "minimize"}, {"name": "c", "strategy": "store"}], budget=10)
    for a, b in ((1, 1), (2, 3), (0, 2)):
        study.observe({"x": a, "y": b}, a=a, b=b, c=0)
    assert [one.values["a"] for one in study.best_observations()] == [2, 1]
    limited = trialflow.Optimizer(PLANE, [{"name": "a"}, {"name": "t", "strategy": "constraint", "threshold": 1, "objective": "minimize"}], budget=10)
    limited.observe({"x": 0, "y": 0}, a=9, t=2)
    with pytest.raises(trialflow.TrialflowError, match="satisfies"):
        limited.best()


def test_standard_deviations_are_kept() -> None:
    study = asked()
    assert study.observe(study.suggest(), f=1.0, stddev=0.1).stddev == {"f": 0.1}
    several = trialflow.Optimizer(PLANE, [{"name": "a"}, {"name": "b"}], budget=10)
    assert several.observe(several.suggest(), {"a": 1, "b": 2}, stddev={"b": 0.5}).stddev == {"b": 0.5}
    with pytest.raises(trialflow.InvalidInput, match="is a dict"):
        several.observe(several.suggest(), a=1, b=2, stddev=0.5)


@pytest.mark.parametrize(
    ("point", "measured", "said"),
    [
        ({"x": 1.0}, {"f": 1.0}, "y"),
        ({"x": 1.0, "y": 1.0, "z": 1.0}, {"f": 1.0}, "z"),
        ({"x": 1.0, "y": "high"}, {"f": 1.0}, "number"),
        ({"x": 1.0, "y": 1.0}, {}, "missing values for the metrics: f"),
        ({"x": 1.0, "y": 1.0}, {"g": 1.0}, "g is not one of the metrics"),
        ({"x": 1.0, "y": 1.0}, {"f": "good"}, "number"),
        ({"x": 1.0, "y": 1.0}, {"f": math.nan}, "number"),
        ({"x": 1.0, "y": 1.0}, {"f": 1.0, "failed": True}, "no values"),
    ],
)
def test_what_is_no_observation_is_refused_in_words(point: dict[str, Any], measured: dict[str, Any], said: str) -> None:
    study = asked()
    with pytest.raises(trialflow.InvalidInput, match=said):
        study.observe(point, **measured)
    assert study.observations == []


def test_fields_that_cannot_be_are_named() -> None:
    with pytest.raises(trialflow.InvalidInput, match=r"parameters\[0\].bounds"):
        trialflow.Optimizer([{"name": "x", "type": "double"}], [{"name": "m"}])


def test_values_of_numpy_are_taken() -> None:
    import numpy as np

    study = asked()
    assert study.observe({"x": np.float64(1.0), "y": np.int64(2)}, f=np.float32(0.5)).values == {"f": 0.5}
