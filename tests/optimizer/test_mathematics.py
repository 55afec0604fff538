"""Formulas against differences, other ways to compute them, and published values."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import approx_fprime

from trialflow.optimizer.acquisition import Acquisition, improvement_term
from trialflow.optimizer.expected_improvement import ExpectedImprovement, Feasibility, log_h, log_h_slope
from trialflow.optimizer.gp import Ensemble, GaussianProcess
from trialflow.optimizer.hyperparameters import (
    LENGTH_SD,
    LENGTHS,
    most_probable,
    negative_log_posterior,
    posterior_draws,
    prior_mode,
    squares_by_dimension,
)
from trialflow.optimizer.hypervolume import HypervolumeImprovement, dominated_area, pareto_front, reference_of
from trialflow.optimizer.model import MetricModel
from trialflow.optimizer.observations import Metric
from trialflow.optimizer.priors import PriorTerm
from trialflow.optimizer.solutions import VoronoiCell
from trialflow.optimizer.space import BetaPrior, NormalPrior, Parameter
from trialflow.optimizer.warping import OutputWarp

OWNER = np.array([0, 1, 2, 2, 2])
Data = tuple[np.ndarray, np.ndarray, np.ndarray, np.random.Generator]


@pytest.fixture
def data() -> Data:
    rng = np.random.default_rng(0)
    noise = np.full(12, np.nan)
    noise[:3] = 0.01
    return rng.random((12, 5)), rng.standard_normal(12), noise, rng


def process_of(x: np.ndarray, y: np.ndarray, noise: np.ndarray) -> GaussianProcess:
    return GaussianProcess.of(OWNER, x, y, noise, most_probable(OWNER, x, y, noise))


def fitted_of(x: np.ndarray, y: np.ndarray, noise: np.ndarray, threshold: float | None = None) -> MetricModel:
    return MetricModel(Metric("m", threshold=threshold), OutputWarp(1.0, 0.0, 1.0, None, 0.0, 1.0), process_of(x, y, noise))


def test_the_gradient_of_the_posterior_of_hyperparameters(data: Data) -> None:
    x, y, noise, rng = data
    theta = prior_mode(3) + 0.3 * rng.standard_normal(6)
    squares = squares_by_dimension(OWNER, x)
    numeric = approx_fprime(theta, lambda at: negative_log_posterior(at, squares, y, noise)[0], 1e-7)
    assert negative_log_posterior(theta, squares, y, noise)[1] == pytest.approx(numeric, rel=1e-3, abs=1e-3)


def test_plausible_hyperparameters_are_near_the_most_probable_ones_and_scatter_less_the_more_is_known(data: Data) -> None:
    rng = data[3]
    scatter = []
    for count in (6, 60):
        x = rng.random((count, 5))
        y, noise = np.sin(6 * x[:, 0]) + 0.05 * rng.standard_normal(count), np.full(count, np.nan)
        mode, draws = most_probable(OWNER, x, y, noise), posterior_draws(OWNER, x, y, noise, 64)
        squares = squares_by_dimension(OWNER, x)
        highest = negative_log_posterior(mode, squares, y, noise)[0]
        assert draws.shape == (64, 6) and np.all((draws[:, :3] >= LENGTHS[0]) & (draws[:, :3] <= LENGTHS[1]))
        assert all(highest - 1e-3 <= negative_log_posterior(draw, squares, y, noise)[0] <= highest + 20 for draw in draws)
        assert np.array_equal(draws, posterior_draws(OWNER, x, y, noise, 64))
        scatter.append(float(np.std(draws[:, 0])))
    assert scatter[1] < 0.6 * scatter[0]


def test_draws_of_a_posterior_that_is_all_prior_have_the_width_of_the_prior() -> None:
    x = np.full((2, 1), 0.5)  # two equal points say nothing of a length
    draws = posterior_draws(np.array([0]), x, np.zeros(2), np.full(2, np.nan), 400)
    assert np.std(draws[:, 0]) == pytest.approx(LENGTH_SD, rel=0.15)


@pytest.mark.parametrize("others", [0, 2])
@pytest.mark.parametrize("pending", [0, 3])
@pytest.mark.parametrize("metrics", [1, 2])
@pytest.mark.parametrize("conditions", [0, 2])
@pytest.mark.parametrize("failed", [0, 2])
def test_the_gradient_of_the_acquisition(data: Data, others: int, pending: int, metrics: int, conditions: int, failed: int) -> None:
    x, y, noise, rng = data
    optimized = [fitted_of(x, y, noise), fitted_of(x, -y + rng.standard_normal(12), noise)][:metrics]
    shifted = [
        tuple(GaussianProcess.of(OWNER, x, one.process.y, noise, prior_mode(3) + shift) for shift in (-0.3, 0.4)[:others]) for one in optimized
    ]
    optimized = [replace(one, others=more) for one, more in zip(optimized, shifted, strict=True)]
    held = Feasibility(Ensemble(optimized[0].members), 0.1)
    feasibilities = [held, Feasibility(Ensemble((optimized[0].process,)), -0.3, 0.1)][:conditions]
    prior = PriorTerm(
        ((0, Parameter("a", "double", (0, 1), prior=NormalPrior(0.4, 0.2))), (1, Parameter("b", "double", (0, 1), prior=BetaPrior(2, 3)))), 0.7
    )
    apart = VoronoiCell(rng.random(5), rng.random((3, 5)))
    term = improvement_term(optimized, feasibilities, rng.random((pending, 5)), rng.random((failed, 5)), rng)
    acquisition = Acquisition((term, *feasibilities, prior, apart))
    for point in rng.random((4, 5)):
        value, gradient = acquisition.slopes(point[None])
        assert value == pytest.approx(acquisition.value(point[None]))
        numeric = approx_fprime(point, lambda at: acquisition.value(at[None])[0], 1e-7)
        assert gradient[0] == pytest.approx(numeric, rel=2e-3, abs=1e-4)


@pytest.mark.parametrize("z", [3.0, 0.0, -0.5, -1.0, -1.5, -4.0, -8.0])
def test_log_expected_improvement_is_the_integral(z: float) -> None:
    expected, _ = quad(lambda u: (z + u) * np.exp(-(u**2) / 2) / np.sqrt(2 * np.pi), -z, -z + 30, epsabs=0, epsrel=1e-10)
    assert log_h(np.array([z]))[0] == pytest.approx(np.log(expected), rel=1e-6)


def test_log_expected_improvement_goes_on_where_the_plain_one_is_zero() -> None:
    z = np.array([-50.0, -1e3, -1e5, -1e7])
    # For z far below 0, phi(z) + z Phi(z) tends to phi(z) / z^2 (Ament et al. 2023).
    assert log_h(z) == pytest.approx(-(z**2) / 2 - np.log(2 * np.pi) / 2 - 2 * np.log(-z), rel=1e-3)
    assert np.all(np.isfinite(log_h_slope(z, log_h(z)))) and np.all(np.diff(log_h(z)) < 0)


def test_the_process_goes_through_what_is_known_for_sure() -> None:
    x, y = np.array([[0.1], [0.5], [0.9]]), np.array([1.0, -1.0, 0.5])
    process = GaussianProcess.of(np.array([0]), x, y, np.full(3, 1e-10), np.array([np.log(0.3), 0.0, -7.0, 0.0]))
    mean, deviation = process.predict(x)
    assert mean[:, 0] == pytest.approx(y, abs=1e-4) and deviation == pytest.approx(0, abs=1e-3)
    assert process.means[:, 0] == pytest.approx(mean[:, 0], abs=1e-6)
    points = np.array([[0.3], [0.7]])
    assert np.sqrt(np.diag(process.covariance(points, points))) == pytest.approx(process.predict(points)[1])


def test_a_process_given_more_points_is_the_one_fitted_with_them(data: Data) -> None:
    x, y, noise, rng = data
    process = process_of(x, y, noise)
    pending = rng.random((3, 5))
    given = process.condition_on(pending, rng.standard_normal((3, 4)))
    assert given.y.shape == (15, 4)
    for fantasy in range(4):
        whole = GaussianProcess.of(OWNER, given.x, given.y[:, fantasy], given.noise, process.theta)
        points = rng.random((6, 5))
        mean, deviation = whole.predict(points)
        assert given.predict(points)[0][:, fantasy] == pytest.approx(mean[:, 0], abs=1e-5)
        assert given.predict(points)[1] == pytest.approx(deviation, abs=1e-5)


def test_a_point_that_lacks_the_cost_is_at_full_cost(data: Data) -> None:
    x, y, noise, rng = data
    process = process_of(x, y, noise)
    points = rng.random((4, 4))
    padded = np.concatenate([points, np.zeros((4, 1))], axis=1)
    assert process.predict(points)[0] == pytest.approx(process.predict(padded)[0])
    assert process.slopes(points)[2] == pytest.approx(process.slopes(padded)[2][:, :4])


def test_targets_keep_their_order_and_lose_their_scale() -> None:
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, -1e6, 8.0, 9.0])
    targets = OutputWarp.of(values)(values)
    assert list(np.argsort(targets)) == list(np.argsort(values))
    assert targets.mean() == pytest.approx(0, abs=1e-9) and targets.std() == pytest.approx(1)
    assert targets == pytest.approx(OutputWarp.of(values * 1000 + 5)(values * 1000 + 5), abs=1e-2)
    assert OutputWarp.of(values, -1.0)(values)[7] == pytest.approx(max(OutputWarp.of(values, -1.0)(values)))


@pytest.mark.parametrize("sign", [1.0, -1.0])
@pytest.mark.parametrize("count", [3, 30])
def test_targets_lead_back_to_their_values(sign: float, count: int) -> None:
    values = np.random.default_rng(count).lognormal(size=count) - 2
    warp = OutputWarp.of(values, sign)
    assert warp.inverse(warp(values)) == pytest.approx(values, rel=1e-6, abs=1e-6)


def test_deviations_follow_the_slope_of_the_warp_and_unknown_ones_stay_unknown() -> None:
    values = np.linspace(0, 10, 5)
    warp = OutputWarp.of(values)
    variances = warp.variances(values, np.array([0.1, np.nan, 0.1, 0.2, 0.0]))
    assert variances[0] == pytest.approx(variances[2]) and variances[3] == pytest.approx(4 * variances[0])
    assert np.isnan(variances[1]) and 0 < variances[4] < 1e-9


FRONTS = [
    (np.empty((0, 2)), 0.0),
    (np.array([[1.0, 1.0]]), 1.0),
    (np.array([[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]), 6.0),
    (np.array([[-1.0, 5.0], [2.0, 2.0]]), 4.0),
]


@pytest.mark.parametrize(("front", "area"), FRONTS)
def test_the_dominated_area(front: np.ndarray, area: float) -> None:
    assert dominated_area(front, np.zeros(2)) == pytest.approx(area)


def test_the_front_is_what_nothing_dominates() -> None:
    points = np.array([[1.0, 3.0], [0.5, 2.0], [3.0, 1.0], [2.0, 2.0], [2.0, 1.0], [2.0, 2.0]])
    assert pareto_front(points).tolist() == [[1.0, 3.0], [2.0, 2.0], [3.0, 1.0]]


def test_the_reference_is_the_threshold_where_there_is_one() -> None:
    front = np.array([[0.0, 2.0], [2.0, 0.0]])
    assert reference_of(front, (None, 1.0)).tolist() == [pytest.approx(-0.2), 1.0]


@pytest.mark.parametrize("front", [front for front, _ in FRONTS[:3]])
def test_expected_hypervolume_improvement_is_the_mean_gain_of_samples(data: Data, front: np.ndarray) -> None:
    x, y, noise, rng = data
    processes = (process_of(x, y, noise), process_of(x, -y, noise))
    reference = np.array([-0.5, -0.5])
    term = HypervolumeImprovement.over((Ensemble(processes[:1]), Ensemble(processes[1:])), (front - 0.5,), (reference,))
    point = rng.random((1, 5))
    draws = [mean[0, 0] + deviation[0] * rng.standard_normal(20000) for mean, deviation in (one.predict(point) for one in processes)]
    before = dominated_area(front - 0.5, reference)
    gains = [dominated_area(pareto_front(np.vstack([front - 0.5, pair])), reference) - before for pair in np.stack(draws, axis=1)]
    assert np.exp(term.value(point)[0]) == pytest.approx(np.mean(gains), abs=4 * np.std(gains) / 20000**0.5 + 1e-9)


def test_expected_improvement_and_chance_are_the_means_of_samples(data: Data) -> None:
    x, y, noise, rng = data
    process = process_of(x, y, noise)
    point = rng.random((1, 5))
    mean, deviation = process.predict(point)
    draws = mean[0, 0] + deviation[0] * rng.standard_normal(100_000)
    one = Ensemble((process,))
    assert np.exp(ExpectedImprovement(one, np.array([0.2])).value(point)[0]) == pytest.approx(np.mean(np.maximum(draws - 0.2, 0)), rel=0.03)
    assert np.exp(Feasibility(one, 0.2).value(point)[0]) == pytest.approx(np.mean(draws > 0.2), abs=0.01)


def test_an_ensemble_expects_the_mean_of_what_its_members_expect(data: Data) -> None:
    x, y, noise, rng = data
    first, second = process_of(x, y, noise), GaussianProcess.of(OWNER, x, y, noise, prior_mode(3))
    other = process_of(x, -y, noise)
    points, bests, reference = rng.random((6, 5)), np.array([0.2, -0.1]), np.array([-1.0, -1.0])
    fronts = [np.array([[-0.5, 0.3], [0.1, 0.2], [0.4, -0.6]]), np.array([[0.0, 0.0]])]  # of different lengths

    def term(kind: str, chosen: list[int]) -> np.ndarray:
        ensemble = Ensemble(tuple((first, second)[index] for index in chosen))
        if kind == "improvement":
            return ExpectedImprovement(ensemble, bests[chosen]).value(points)
        if kind == "chance":
            return Feasibility(ensemble, 0.3, 0.1).value(points)
        others = Ensemble((other,) * len(chosen))
        return HypervolumeImprovement.over((ensemble, others), [fronts[index] for index in chosen], [reference] * len(chosen)).value(points)

    for kind in ("improvement", "chance", "area"):
        assert np.exp(term(kind, [0, 1])) == pytest.approx((np.exp(term(kind, [0])) + np.exp(term(kind, [1]))) / 2), kind


def sloping(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Sixteen values of a slope in one dimension with noise: owner, points, targets, and that their noise is to be learned."""
    x = np.linspace(0, 1, 16)[:, None]
    values = x[:, 0] + 0.3 * np.random.default_rng(seed).standard_normal(16)
    return np.array([0]), x, (values - values.mean()) / values.std(), np.full(16, np.nan)


def test_a_smooth_function_with_noise_is_found_where_a_rough_one_without_is_a_peak_too() -> None:
    owner, x, y, noise = sloping(8)
    theta = most_probable(owner, x, y, noise)
    rough = np.array([-2.6, 0.0, -9.0, 0.0])
    assert (
        theta[-2] > -3
        and negative_log_posterior(theta, squares_by_dimension(owner, x), y, noise)[0]
        < negative_log_posterior(rough, squares_by_dimension(owner, x), y, noise)[0] - 1
    )
    assert most_probable(owner, x, 3 * x[:, 0] - 1.5, noise)[-2] < -8, "there is no noise in a straight line"


def test_two_peaks_that_are_about_as_probable_share_the_draws() -> None:
    rough, noisy = np.sort(posterior_draws(*sloping(10), 4)[:, -2]).reshape(2, 2)
    assert max(rough) < -5 < min(noisy)
    assert np.all(posterior_draws(*sloping(3), 4)[:, -2] < -4), "the other peak is a thirtieth as probable"
