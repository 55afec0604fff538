"""What is told of a metric where some training runs fail."""

import math

import numpy as np
import pytest

from trialflow.optimizer import Metric, Observation, Parameter, Space, Value, importances

SPACE = Space((Parameter("x", "double", (0.0, 1.0)), Parameter("y", "double", (0.0, 1.0))))


def observed(seed: int) -> list[Observation]:
    """Forty points of 2 x^2 + sin(5 y), of which those with x above a half fail."""
    found = []
    for x, y in np.random.default_rng(seed).random((40, 2)).tolist():
        value = {"f": Value(2 * x**2 + math.sin(5 * y))}
        found.append(Observation({"x": x, "y": y}, {} if x > 0.5 else value, failed=x > 0.5))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_parameter_does_not_matter_for_what_it_would_do_where_training_runs_fail(seed: int) -> None:
    # By integration: the share of x is 0.04 where training runs succeed, and would be 0.41 in the whole space.
    found = importances(SPACE, [Metric("f")], observed(seed))["f"]
    assert found["x"] == pytest.approx(0.042, abs=0.03)
    without = [one for one in observed(seed) if not one.failed]
    assert importances(SPACE, [Metric("f")], without)["f"]["x"] > 0.1
