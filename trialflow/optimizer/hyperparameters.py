"""Hyperparameters of a process: the maximum a posteriori by L-BFGS-B with analytic gradients, and draws from the posterior around it."""

from functools import lru_cache

import numpy as np
from scipy.linalg import get_lapack_funcs
from scipy.optimize import minimize

from trialflow.optimizer.gp import JITTER, matern_and_slope

Array = np.ndarray
Data = tuple[Array, Array, Array]
"""Squared distances by dimension (dimensions, n, n), targets (n,), variances of their noise (n,)."""
_potrf, _potrs, _potri = get_lapack_funcs(("potrf", "potrs", "potri"), dtype=np.float64)
LENGTH_MODE = 0.4
LENGTH_SD, NOISE_MEAN, NOISE_SD, SIGNAL_SD, MEAN_SD = 1.2, -9.0, 2.5, 1.0, 0.5
LENGTHS, SIGNAL, NOISE, MEAN = (-4.0, 5.0), (-4.0, 4.0), (-13.0, 2.0), (-3.0, 3.0)
NOISY, NOISY_FROM, SAME_NOISE = -2.0, 10, 1.0
"""A log variance of the noise that is looked from too, with how many observations; peaks whose noise is nearer than the last are one."""
STEP, LOOSEST, TOO_MUCH_LESS = 1e-4, 1.5, 1.0
"""Of differences of gradients; the widest standard deviation of a draw; how much less, in nats, is too much."""
ALWAYS = 20
"""With fewer observations hyperparameters are learned anew for each one."""


def most_probable(owner: Array, x: Array, y: Array, noise: Array) -> Array:
    """The most probable hyperparameters. `noise` (n,) has the variance of each target, nan where it is to be learned.

    What was learned is remembered: the same data always give the same answer, and only the first time takes a search.
    """
    return _modes(tuple(int(one) for one in owner), x.tobytes(), y.tobytes(), noise.tobytes())[0][1]


def posterior_draws(owner: Array, x: Array, y: Array, noise: Array, count: int) -> Array:
    """`count` (even) other sets of hyperparameters around the most probable one: draws from Laplace's approximation of the posterior.

    Where the same values may be a rough function's or a smooth one's with noise there are two peaks, and each has its share of the draws. A draw
    that the posterior itself thinks much less of than the approximation does is moved nearer to its peak. MacKay (1992), "Bayesian interpolation".
    """
    return _cached_draws(tuple(int(one) for one in owner), x.tobytes(), y.tobytes(), noise.tobytes(), count)


def count_to_fit(count: int) -> int:
    """How many of `count` observations the hyperparameters are learned from: all up to 20, then in steps of about a tenth.

    They change little from one observation to the next, and learning them is most of the work of a suggestion.
    """
    if count <= ALWAYS:
        return count
    step = max(1, (1 << count.bit_length()) // 10)
    return count // step * step


def prior_mode(dimensions: int) -> Array:
    """The hyperparameters expected before anything is known: lengths grow with the root of the dimension, as distances do."""
    return np.array([np.log(LENGTH_MODE) + 0.5 * np.log(dimensions)] * dimensions + [0.0, NOISE_MEAN, 0.0])


def _data(owner: tuple[int, ...], x: bytes, y: bytes, noise: bytes) -> Data:
    return squares_by_dimension(np.array(owner), np.frombuffer(x).reshape(-1, len(owner))), np.frombuffer(y), np.frombuffer(noise)


def _bounds(dimensions: int) -> Array:
    """The lowest and the highest value of each hyperparameter: (d, 2)."""
    return np.array([LENGTHS] * dimensions + [SIGNAL, NOISE, MEAN])


@lru_cache(maxsize=256)
def _modes(owner: tuple[int, ...], x: bytes, y: bytes, noise: bytes) -> list[tuple[float, Array]]:
    """The posterior's peaks, the most probable first: the negative log posterior and the hyperparameters."""
    data = _data(owner, x, y, noise)
    bounds = _bounds(len(data[0]))
    starts = [np.clip(prior_mode(len(data[0])), *bounds.T)]
    if len(data[1]) >= NOISY_FROM and np.any(np.isnan(data[2])):
        starts.append(np.concatenate([starts[0][:-2], [NOISY], starts[0][-1:]]))
    found = [
        minimize(negative_log_posterior, start, args=data, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 60}) for start in starts
    ]
    peaks = sorted(((float(one.fun), one.x) for one in found if np.all(np.isfinite(one.x))), key=lambda one: one[0])
    if not peaks:
        return [(0.0, starts[0])]
    return peaks[:1] + [one for one in peaks[1:] if abs(one[1][-2] - peaks[0][1][-2]) > SAME_NOISE]


@lru_cache(maxsize=256)
def _cached_draws(owner: tuple[int, ...], x: bytes, y: bytes, noise: bytes, count: int) -> Array:
    peaks, pairs, data = _modes(owner, x, y, noise), count // 2, _data(owner, x, y, noise)
    of_second = round(pairs / (1 + np.exp(min(peaks[1][0] - peaks[0][0], 700.0)))) if len(peaks) > 1 else 0
    shares = (pairs - of_second, of_second)
    return np.concatenate([_around(mode, data, share) for (_, mode), share in zip(peaks, shares, strict=False) if share])


def _around(mode: Array, data: Data, pairs: int) -> Array:
    """Antithetic pairs of draws around a peak: (2 pairs, d)."""
    low, high = _bounds(len(data[0])).T
    value, gradient = negative_log_posterior(mode, *data)
    curvature = np.array([(negative_log_posterior(mode + STEP * unit, *data)[1] - gradient) / STEP for unit in np.eye(len(mode))])
    values, vectors = np.linalg.eigh((curvature + curvature.T) / 2)
    # No direction may be looser than the priors allow.
    scales = 1 / np.sqrt(np.maximum(values, 1 / LOOSEST**2))
    half = np.random.default_rng(len(data[1])).standard_normal((pairs, len(mode)))
    draws = []
    for normal in np.concatenate([half, -half]):
        step = vectors @ (scales * normal)
        for _ in range(5):
            draw = np.clip(mode + step, low, high)
            if negative_log_posterior(draw, *data)[0] - value <= 0.5 * normal @ normal + TOO_MUCH_LESS:
                break
            step, normal = step / 2, normal / 2
        draws.append(draw)
    return np.array(draws)


def squares_by_dimension(owner: Array, x: Array) -> Array:
    """Squared distances between rows by dimension: (dimensions, n, n)."""
    result = np.zeros((int(owner.max()) + 1, len(x), len(x)))
    for column, dimension in enumerate(owner):
        result[dimension] += (x[:, column, None] - x[None, :, column]) ** 2
    return result


def negative_log_posterior(theta: Array, squares: Array, y: Array, noise: Array) -> tuple[float, Array]:
    """Negative log posterior of the hyperparameters and its gradient. Rasmussen and Williams (2006), eq. 5.8 and 5.9, plus normal priors."""
    count = len(squares)
    flat = squares.reshape(count, -1)
    inverse_lengths = np.exp(-2 * theta[:count])
    kernel, slope = matern_and_slope((inverse_lengths @ flat).reshape(len(y), -1), float(np.exp(theta[count])))
    learned = np.isnan(noise)
    noise_variance = np.exp(theta[-2])
    covariance = kernel.copy()
    covariance.flat[:: len(y) + 1] += np.where(learned, noise_variance, noise) + JITTER
    lower, failed = _potrf(covariance, lower=1)
    if failed:
        return 1e10, np.zeros_like(theta)
    residual = y - theta[-1]
    weights, _ = _potrs(lower, residual, lower=1)
    inverse, _ = _potri(lower, lower=1)
    inner = np.tril(inverse) + np.tril(inverse, -1).T - np.outer(weights, weights)
    value = 0.5 * residual @ weights + np.sum(np.log(np.diag(lower)))
    gradient = np.empty_like(theta)
    gradient[:count] = 0.5 * inverse_lengths * (flat @ (inner * slope).ravel())
    gradient[count] = 0.5 * np.sum(inner * kernel)
    gradient[-2] = 0.5 * noise_variance * np.sum(np.diag(inner)[learned])
    gradient[-1] = -np.sum(weights)
    spread = np.array([LENGTH_SD] * count + [SIGNAL_SD, NOISE_SD, MEAN_SD])
    deviation = (theta - prior_mode(count)) / spread
    return float(value + 0.5 * deviation @ deviation), gradient + deviation / spread
