"""Formulas against differences, other ways to compute them, and published values."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime

from trialflow.optimizer.acquisition import Acquisition, log_h, log_h_slope
from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.gp import Posterior, Shape, learn, loss
from trialflow.optimizer.space import Parameter, Space
from trialflow.optimizer.targets import transformed

SHAPE = Shape(np.array([0, 1, 2, 2, 2]))


@pytest.fixture
def data() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]:
    rng = np.random.default_rng(0)
    noise = np.full(12, np.nan)
    noise[:3] = 0.01
    return rng.random((12, 5)), rng.standard_normal(12), noise, rng


def test_the_gradient_of_the_posterior_of_hyperparameters(data) -> None:  # noqa: ANN001
    x, y, noise, rng = data
    theta = SHAPE.start() + 0.3 * rng.standard_normal(6)
    squares = SHAPE.squares(x, x)
    numeric = approx_fprime(theta, lambda at: loss(at, SHAPE, squares, y, noise)[0], 1e-7)
    assert loss(theta, SHAPE, squares, y, noise)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize("pending", [0, 3])
@pytest.mark.parametrize("conditions", [0, 2])
def test_the_gradient_of_the_acquisition(data, pending: int, conditions: int) -> None:  # noqa: ANN001
    x, y, noise, rng = data
    model = Posterior(SHAPE, x, y, noise, learn(SHAPE, x, y, noise))
    acquisition = Acquisition.over(model, rng.random((pending, 5)), (model,) * conditions, rng)
    point = rng.random(5)
    value, gradient = acquisition.value_and_gradient(point)
    assert value == pytest.approx(acquisition.value(point[None])[0])
    assert gradient == pytest.approx(approx_fprime(point, lambda at: acquisition.value(at[None])[0], 1e-7), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("z", [3.0, 0.0, -0.5, -1.0, -1.5, -4.0, -8.0])
def test_log_expected_improvement_is_the_integral(z: float) -> None:
    expected, _ = quad(lambda u: (z + u) * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi), -z, -z + 30, epsabs=0, epsrel=1e-10)
    assert log_h(np.array([z]))[0] == pytest.approx(np.log(expected), rel=1e-6)


def test_log_expected_improvement_goes_on_where_the_plain_one_is_zero() -> None:
    z = np.array([-50.0, -1e3, -1e5, -1e7])
    # For z far below 0, phi(z) + z Phi(z) tends to phi(z) / z^2 (Ament et al. 2023).
    assert log_h(z) == pytest.approx(-(z**2) / 2 - np.log(2 * np.pi) / 2 - 2 * np.log(-z), rel=1e-3)
    assert np.all(np.isfinite(log_h_slope(z))) and np.all(np.diff(log_h(z)) < 0)


def test_the_posterior_goes_through_what_is_known_for_sure() -> None:
    x = np.array([[0.1], [0.5], [0.9]])
    y = np.array([1.0, -1.0, 0.5])
    shape = Shape(np.array([0]))
    model = Posterior(shape, x, y, np.full(3, 1e-10), np.array([np.log(0.3), 0.0, -7.0, 0.0]))
    mean, deviation = model.predict(x)
    assert mean == pytest.approx(y, abs=1e-4) and deviation == pytest.approx(0, abs=1e-3)
    joint, covariance = model.joint(np.array([[0.3], [0.7]]))
    single, deviation = model.predict(np.array([[0.3], [0.7]]))
    assert joint == pytest.approx(single) and np.sqrt(np.diag(covariance)) == pytest.approx(deviation)


def test_targets_keep_their_order_and_lose_their_scale() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, -1e6, 8.0, 9.0])
    targets, _ = transformed(values)
    assert list(np.argsort(targets)) == list(np.argsort(values))
    assert targets.mean() == pytest.approx(0, abs=1e-9) and targets.std() == pytest.approx(1)
    assert targets == pytest.approx(transformed(values * 1000 + 5)[0], abs=1e-6)


@pytest.mark.parametrize(
    ("parameter", "value", "coordinate"),
    [
        (Parameter("p", "double", (0, 10)), 2.5, 0.25),
        (Parameter("p", "double", (0.01, 100), log=True), 1.0, 0.5),
        (Parameter("p", "int", (1, 4)), 1, 0.125),
        (Parameter("p", "int", (1, 4)), 4, 0.875),
        (Parameter("p", "double", grid=(1.0, 10.0, 100.0)), 10.0, 0.5),
    ],
)
def test_values_are_encoded_where_they_belong_and_decoded_again(parameter: Parameter, value: float, coordinate: float) -> None:
    encoder = Encoder(Space((parameter,)))
    assert encoder.encode([{"p": value}])[0] == pytest.approx([coordinate])
    assert encoder.decode(encoder.encode([{"p": value}])[0]) == {"p": pytest.approx(value)}


def test_categories_are_all_as_far_from_each_other() -> None:
    encoder = Encoder(Space((Parameter("c", "categorical", categories=("a", "b", "c")),)))
    rows = encoder.encode([{"c": name} for name in "abc"])
    assert Shape(encoder.owner).squares(rows, rows)[0] == pytest.approx(1 - np.eye(3))
    assert [encoder.decode(row)["c"] for row in rows] == ["a", "b", "c"]
