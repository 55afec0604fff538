"""Values as coordinates and back."""

import numpy as np
import pytest
from scipy.special import betainc, ndtr

from trialflow.optimizer import BetaPrior, Conditional, NormalPrior, Parameter, Space
from trialflow.optimizer.encoding import Encoder

CHOICES = Space(
    (
        Parameter("x", "double", (0, 1)),
        Parameter("depth", "int", (1, 4), conditions={"model": ("tree",)}),
        Parameter("kernel", "categorical", categories=("rbf", "linear"), conditions={"model": ("svm",)}),
    ),
    (Conditional("model", ("tree", "svm", "none")),),
)


@pytest.mark.parametrize(
    ("parameter", "value", "coordinate"),
    [
        (Parameter("p", "double", (0, 10)), 2.5, 0.25),
        (Parameter("p", "double", (0.01, 100), log=True), 1.0, 0.5),
        (Parameter("p", "int", (1, 4)), 1, 0.125),
        (Parameter("p", "int", (1, 4)), 4, 0.875),
        (Parameter("p", "int", (0, 1)), 1, 0.75),
        (Parameter("p", "double", grid=(1.0, 10.0, 100.0)), 10.0, 0.5),
        (Parameter("p", "double", grid=(100.0, 1.0)), 100.0, 0.75),
    ],
)
def test_values_are_encoded_where_they_belong_and_decoded_again(parameter: Parameter, value: float, coordinate: float) -> None:
    encoder = Encoder(Space((parameter,)))
    rows, exact = encoder.recognise([{"p": value}])
    assert rows[0] == pytest.approx([coordinate]) and exact[0]
    assert encoder.decode(rows[0]) == {"p": pytest.approx(value)}
    assert encoder.snap(rows) == pytest.approx(rows)


@pytest.mark.parametrize(
    ("parameter", "value", "coordinate"),
    [
        (Parameter("p", "double", (0, 10)), 11.0, 1.0),
        (Parameter("p", "double", (0, 10)), float("nan"), 0.5),
        (Parameter("p", "double", (0, 10)), "high", 0.5),
        (Parameter("p", "double", (0.01, 100), log=True), -3.0, 0.0),
        (Parameter("p", "int", (1, 4)), 9, 0.875),
        (Parameter("p", "int", (1, 4)), None, 0.5),
        (Parameter("p", "double", grid=(1.0, 10.0, 100.0)), 30.0, 0.5),
    ],
)
def test_what_is_no_value_is_moved_and_not_taken_for_one(parameter: Parameter, value: float, coordinate: float) -> None:
    rows, exact = Encoder(Space((parameter,))).recognise([{} if value is None else {"p": value}])
    assert rows[0] == pytest.approx([coordinate]) and not exact[0]


def test_categories_are_all_as_far_from_each_other() -> None:
    encoder = Encoder(Space((Parameter("c", "categorical", categories=("a", "b", "c")),)))
    rows, exact = encoder.recognise([{"c": name} for name in ("a", "b", "c", "gone")])
    assert np.sum((rows[:3, None] - rows[None, :3]) ** 2, axis=2) == pytest.approx(1 - np.eye(3))
    assert [encoder.decode(row)["c"] for row in rows[:3]] == ["a", "b", "c"] and list(exact) == [True, True, True, False]


@pytest.mark.parametrize(
    "point", [{"model": "tree", "x": 0.3, "depth": 2}, {"model": "svm", "x": 0.3, "kernel": "linear"}, {"model": "none", "x": 0.3}]
)
def test_only_active_parameters_are_assigned(point: dict) -> None:
    encoder = Encoder(CHOICES)
    rows, exact = encoder.recognise([point])
    assert encoder.decode(rows[0]) == point and exact[0]


def test_inactive_parameters_take_no_part_in_the_distance() -> None:
    encoder = Encoder(CHOICES)
    rows = encoder.encode([{"model": "none", "x": 0.3, "depth": 1}, {"model": "none", "x": 0.3, "depth": 4, "kernel": "rbf"}])
    assert np.array_equal(rows[0], rows[1])
    rng = np.random.default_rng(0)
    drawn = encoder.from_cube(rng.random((50, 4)))
    assert np.array_equal(encoder.encode([encoder.decode(row) for row in drawn]).round(9), drawn.round(9))


def test_points_have_the_same_key_only_if_they_are_the_same() -> None:
    encoder = Encoder(CHOICES)
    keys = encoder.keys(encoder.encode([{"model": "none", "x": x} for x in (0.3, 0.3 + 1e-12, 0.30001)]))
    assert keys[0] == keys[1] != keys[2]


@pytest.mark.parametrize(
    ("prior", "share"),
    [
        (NormalPrior(2.0, 1.0), lambda v: (ndtr(v - 2) - ndtr(-2)) / (ndtr(8) - ndtr(-2))),
        (BetaPrior(2.0, 5.0), lambda v: betainc(2.0, 5.0, v / 10)),
    ],
)
def test_even_draws_become_draws_from_the_prior(prior, share) -> None:  # noqa: ANN001
    encoder = Encoder(Space((Parameter("p", "double", (0, 10), prior=prior),)))
    cube = np.linspace(0.01, 0.99, 23)
    values = np.array([encoder.decode(row)["p"] for row in encoder.from_cube(cube[:, None])], dtype=float)
    assert share(values) == pytest.approx(cube, abs=1e-9)


def test_a_prior_whose_mass_bounds_have_left_is_drawn_at_the_nearest_bound() -> None:
    encoder = Encoder(Space((Parameter("p", "double", (0, 1), prior=NormalPrior(500.0, 1.0)),)))
    assert encoder.from_cube(np.array([[0.1], [0.9]])) == pytest.approx(1.0)
