"""Maximizing the acquisition: many candidates are evaluated, then the best few are improved by local search."""

import numpy as np
from scipy.optimize import minimize

from trialflow.optimizer.acquisition import Acquisition
from trialflow.optimizer.design import Sampler
from trialflow.optimizer.encoding import ONE_HOT

Array = np.ndarray
GLOBAL, LOCAL, POLISHED = 512, 256, 4
ROUNDS = 3
APART = 1e-3
FEW_VALUES = 12


def maximize(acquisition: Acquisition, sampler: Sampler, incumbents: Array, rng: np.random.Generator) -> Array:
    """Rows to try, best first. `incumbents` are the best known rows, around which a third of the search goes."""
    if sampler.every is not None:
        return sampler.every[np.argsort(-acquisition.value(sampler.every), kind="stable")]
    candidates = np.concatenate([sampler.spread(GLOBAL, rng), around(incumbents, sampler, rng)])
    order = np.argsort(-acquisition.value(candidates), kind="stable")
    polished = _climbed(acquisition, sampler, _distinct(candidates[order], POLISHED))
    rows = np.concatenate([polished, candidates[order[:64]]])
    return rows[np.argsort(-acquisition.value(rows), kind="stable")]


def around(incumbents: Array, sampler: Sampler, rng: np.random.Generator) -> Array:
    """Good points with a random subset of their dimensions moved by 10^U(-2.5, -0.5), those of them that satisfy the constraints."""
    encoder, count = sampler.encoder, sampler.count
    rows = incumbents[rng.integers(len(incumbents), size=LOCAL)].copy()
    moved = rng.random((LOCAL, count)) < max(0.2, min(1.0, 2.0 / count))
    moved[np.arange(LOCAL), rng.integers(count, size=LOCAL)] = True
    steps = 10 ** rng.uniform(-2.5, -0.5, size=(LOCAL, 1))
    for index, (one, part) in enumerate(zip(encoder.space.dimensions, encoder.columns, strict=True)):
        chosen = np.flatnonzero(moved[:, index])
        if one.type == "categorical":
            rows[np.ix_(chosen, np.arange(part.start, part.stop))] = rng.random((len(chosen), part.stop - part.start))
        else:
            shift = steps[chosen, 0] * rng.standard_normal(len(chosen))
            if one.size is not None:  # a step that stays on the same value is no step
                shift = np.sign(shift) * np.maximum(np.abs(shift), 1.0 / one.size)
            rows[chosen, part.start] = np.clip(rows[chosen, part.start] + shift, 0.0, 1.0)
    rows = encoder.snap(rows)
    return rows[sampler.region.holds(rows)]


def _climbed(acquisition: Acquisition, sampler: Sampler, rows: Array) -> Array:
    """Snapped rows at least as good as `rows`: continuous coordinates by gradients and discrete ones by single moves, in turns."""
    encoder = sampler.encoder
    has_continuous, has_discrete = bool(encoder.is_continuous.any()), not encoder.is_continuous.all()
    if has_continuous:
        rows = _polished(acquisition, sampler, rows)
    if has_discrete:
        before = rows
        rows = _moved(acquisition, sampler, rows)
        if has_continuous and np.any(rows != before):
            rows = _polished(acquisition, sampler, rows)
    return rows


def _polished(acquisition: Acquisition, sampler: Sampler, rows: Array) -> Array:
    free = sampler.encoder.is_continuous & sampler.encoder.active(rows)
    if not free.any():
        return rows
    if sampler.region.is_everything:
        found = _ascended(acquisition, rows, free)
    else:
        found = np.array([_ascended_within(acquisition, sampler, row, mask) for row, mask in zip(rows, free, strict=True)])
    found = sampler.encoder.snap(np.where(np.isfinite(found), found, rows))
    better = sampler.region.holds(found) & (acquisition.value(found) > acquisition.value(rows))
    return np.where(better[:, None], found, rows)


def _ascended(acquisition: Acquisition, rows: Array, free: Array) -> Array:
    """All rows climbed from at once, as one problem whose value is their sum: one call of the model serves all."""

    def cost(parts: Array) -> tuple[float, Array]:
        points = rows.copy()
        points[free] = parts
        value, gradient = acquisition.slopes(points)
        return -float(np.sum(value)), -gradient[free]

    found = minimize(cost, rows[free], jac=True, method="L-BFGS-B", bounds=[(0.0, 1.0)] * int(free.sum()), options={"maxiter": 40, "maxfun": 60})
    result = rows.copy()
    result[free] = np.clip(found.x, 0.0, 1.0)
    return result


def _ascended_within(acquisition: Acquisition, sampler: Sampler, row: Array, free: Array) -> Array:
    """One row climbed from within the linear constraints."""
    if not free.any():
        return row
    region = sampler.region

    def cost(part: Array) -> tuple[float, Array]:
        point = row.copy()
        point[free] = part
        value, gradient = acquisition.slopes(point[None])
        return -float(value[0]), -gradient[0, free]

    room = region.limits - region.weights[:, ~free] @ row[~free]
    inside = {"type": "ineq", "fun": lambda part: room - region.weights[:, free] @ part, "jac": lambda part: -region.weights[:, free]}
    bounds = [(0.0, 1.0)] * int(free.sum())
    found = minimize(cost, row[free], jac=True, method="SLSQP", bounds=bounds, constraints=[inside], options={"maxiter": 25})
    result = row.copy()
    # What SLSQP oversteps a constraint by is taken back along the way to where it came from, which satisfied it.
    for share in (1.0, 1 - 1e-6, 0.99, 0.5):
        result[free] = np.clip(row[free] + share * (found.x - row[free]), 0.0, 1.0)
        if region.holds(result[None])[0]:
            return result
    return row


def _moved(acquisition: Acquisition, sampler: Sampler, rows: Array) -> Array:
    """Rows after the best single moves of a discrete dimension, as long as they gain."""
    result = rows.copy()
    values = acquisition.value(result)
    for _ in range(ROUNDS):
        options = [_neighbours(sampler, row) for row in result]
        every = np.concatenate(options)
        if len(every) == 0:
            return result
        gains = acquisition.value(every)
        start, is_changed = 0, False
        for index, option in enumerate(options):
            part = gains[start : start + len(option)]
            if len(part) and part.max() > values[index] + 1e-9:
                result[index], values[index], is_changed = option[np.argmax(part)], part.max(), True
            start += len(option)
        if not is_changed:
            break
    return result


def _neighbours(sampler: Sampler, row: Array) -> Array:
    """Feasible rows that differ from a row in one discrete dimension: all values of a small one, steps of several lengths of a large one."""
    encoder, found = sampler.encoder, []
    for one, part in zip(encoder.space.dimensions, encoder.columns, strict=True):
        if one.size is None:
            continue
        if one.type == "categorical":
            others = ONE_HOT * np.eye(one.size)
        elif one.size <= FEW_VALUES:
            others = (np.arange(one.size)[:, None] + 0.5) / one.size
        else:
            steps = np.unique([max(1, one.size >> power) for power in (20, 6, 4, 3, 2)]) / one.size
            others = row[part.start] + np.concatenate([-steps, steps])[:, None]
        moved = np.repeat(row[None], len(others), axis=0)
        moved[:, part] = others
        found.append(moved)
    moved = encoder.snap(np.concatenate(found)) if found else row[None][:0]
    return moved[sampler.region.holds(moved) & np.any(moved != row, axis=1)]


def _distinct(rows: Array, count: int) -> Array:
    chosen: list[Array] = []
    for row in rows:
        if all(np.max(np.abs(row - other)) > APART for other in chosen):
            chosen.append(row)
        if len(chosen) == count:
            break
    return np.array(chosen)
