"""Where the acquisition is highest: many candidates looked at, the best few climbed from."""

import numpy as np
from scipy.optimize import minimize

from trialflow.optimizer.acquisition import Acquisition
from trialflow.optimizer.design import sobol
from trialflow.optimizer.encoding import Encoder

Array = np.ndarray
GLOBAL, LOCAL, POLISHED = 512, 256, 4


def maximise(acquisition: Acquisition, encoder: Encoder, incumbents: Array, rng: np.random.Generator) -> Array:
    """Rows to try, best first. `incumbents` are the best known rows, around which half of the search goes."""
    cube = sobol(encoder.space, GLOBAL, int(rng.integers(2**31)))
    candidates = np.concatenate([encoder.from_cube(cube), _around(incumbents, encoder, rng)])
    values = acquisition.value(candidates)
    order = np.argsort(-values)
    polished = [_climb(acquisition, encoder, row) for row in _distinct(candidates[order], POLISHED)]
    rows = encoder.snap(np.concatenate([np.array(polished), candidates[order[:64]]]))
    return rows[np.argsort(-acquisition.value(rows), kind="stable")]


def _around(incumbents: Array, encoder: Encoder, rng: np.random.Generator) -> Array:
    """Good points with a random subset of their parameters moved by 10^U(-2.5, -0.5)."""
    count = len(encoder.space.parameters)
    rows = incumbents[rng.integers(len(incumbents), size=LOCAL)].copy()
    moved = rng.random((LOCAL, count)) < max(0.2, min(1.0, 2.0 / count))
    moved[np.arange(LOCAL), rng.integers(count, size=LOCAL)] = True
    steps = 10 ** rng.uniform(-2.5, -0.5, size=(LOCAL, 1))
    for index, (one, part) in enumerate(zip(encoder.space.parameters, encoder.columns, strict=True)):
        chosen = moved[:, index]
        if one.type == "categorical":
            rows[np.ix_(chosen, np.arange(part.start, part.stop))] = rng.random((int(chosen.sum()), part.stop - part.start))
        else:
            shift = steps[chosen, 0] * rng.standard_normal(int(chosen.sum()))
            if one.size is not None:  # a step that stays on the same value is no step
                shift = np.sign(shift) * np.maximum(np.abs(shift), 1.0 / one.size)
            rows[chosen, part.start] = np.clip(rows[chosen, part.start] + shift, 0.0, 1.0)
    return encoder.snap(rows)


def _climb(acquisition: Acquisition, encoder: Encoder, row: Array) -> Array:
    free = encoder.is_continuous
    if not free.any():
        return row

    def cost(part: Array) -> tuple[float, Array]:
        point = row.copy()
        point[free] = part
        value, gradient = acquisition.value_and_gradient(point)
        return -value, -gradient[free]

    found = minimize(cost, row[free], jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * int(free.sum()), options={"maxiter": 30})
    result = row.copy()
    result[free] = np.clip(found.x, 0.0, 1.0)
    return result if np.all(np.isfinite(result)) else row


def _distinct(rows: Array, count: int) -> Array:
    chosen: list[Array] = []
    for row in rows:
        if all(np.max(np.abs(row - other)) > 1e-3 for other in chosen):
            chosen.append(row)
        if len(chosen) == count:
            break
    return np.array(chosen)
