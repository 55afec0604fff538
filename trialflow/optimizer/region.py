"""Linear constraints: which rows satisfy them, and rows that do, however little room they leave."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.optimize import Bounds, linprog, milp
from scipy.optimize import LinearConstraint as Halfspaces

from trialflow.optimizer.encoding import Encoder, ends
from trialflow.optimizer.space import SpaceExhausted

Array = np.ndarray
SLACK = 1e-9
"""How far, relative to the weights, a row may be over a threshold: what rounding does to a point on the boundary."""
MARGIN = 1e-7
"""How far inside, where there is room, points are kept, so that rounding cannot take them out."""
STEPS = 40
VERTICES = 12


@dataclass(frozen=True)
class Region:
    """The rows of `encoder` within the space's linear constraints, `weights` (k, width) times row at most `limits` (k,)."""

    encoder: Encoder

    @cached_property
    def _system(self) -> tuple[Array, Array]:
        space, encoder = self.encoder.space, self.encoder
        column = {one.name: (part.start, one) for one, part in zip(space.dimensions, encoder.columns, strict=True)}
        weights, limits = np.zeros((len(space.linear_constraints), encoder.width)), np.empty(len(space.linear_constraints))
        for index, constraint in enumerate(space.linear_constraints):
            sign = 1.0 if constraint.type == "less_than" else -1.0
            limits[index] = sign * constraint.threshold
            for name, weight in constraint.terms:
                place, one = column[name]
                low, high = ends(one)
                weights[index, place] = sign * weight * (high - low)
                limits[index] -= sign * weight * low
        size = np.maximum(np.abs(weights).sum(axis=1), 1e-300)
        weights, limits = weights / size[:, None], limits / size
        is_free = np.any(weights[:, encoder.is_continuous] != 0, axis=1)
        inner = limits[is_free] - MARGIN
        if is_free.any() and _corner(np.zeros(encoder.width), weights[is_free], inner) is not None:
            limits[is_free] = inner
        return weights, limits

    @property
    def weights(self) -> Array:
        """One row for each constraint, its absolute values adding up to 1."""
        return self._system[0]

    @property
    def limits(self) -> Array:
        """What each constraint's weighted sum may be at most."""
        return self._system[1]

    @cached_property
    def is_everything(self) -> bool:
        """Whether there are no constraints."""
        return not self.encoder.space.linear_constraints

    def holds(self, rows: Array) -> Array:
        """For each row whether it satisfies all constraints: (points,)."""
        if self.is_everything:
            return np.ones(len(rows), dtype=bool)
        return np.all(rows @ self.weights.T <= self.limits + SLACK, axis=1)

    def repaired(self, rows: Array, rng: np.random.Generator) -> Array:
        """Snapped rows with those that break a constraint replaced by ones that differ in constrained coordinates only.

        Raises `SpaceExhausted` if no point satisfies the constraints.
        """
        broken = ~self.holds(rows)
        if not broken.any():
            return rows
        result = rows.copy()
        columns = np.flatnonzero(np.any(self.weights != 0, axis=0))
        for whole in (False, True):
            kind = columns[self.encoder.is_continuous[columns] != whole]
            if len(kind):
                found = self._whole(kind, int(broken.sum()), rng) if whole else self._walk(kind, int(broken.sum()), rng)
                result[np.ix_(broken, kind)] = found
        return self.encoder.snap(result)

    def _parts(self, columns: Array) -> tuple[Array, Array]:
        """The constraints that touch `columns`; none touches others, doubles and ints are not mixed."""
        touching = np.any(self.weights[:, columns] != 0, axis=1)
        return self.weights[np.ix_(touching, columns)], self.limits[touching]

    def _walk(self, columns: Array, count: int, rng: np.random.Generator) -> Array:
        """Random points (count, columns) by hit and run. Smith (1984), "Efficient Monte Carlo procedures for generating points uniformly"."""
        weights, limits = self._parts(columns)
        vertices = [_corner(rng.standard_normal(len(columns)), weights, limits) for _ in range(min(VERTICES, 2 + 2 * len(columns)))]
        corners = np.array([one for one in vertices if one is not None])
        if len(corners) == 0:
            raise SpaceExhausted("space exhausted: no point satisfies the linear constraints")
        points = rng.dirichlet(np.ones(len(corners)), size=count) @ corners
        # Directions between vertices stay inside even where the region has no width, as between x + y <= 1 and x + y >= 1.
        spread = corners - corners.mean(axis=0)
        for _ in range(STEPS):
            way = rng.standard_normal((count, len(corners))) @ spread
            way /= np.maximum(np.linalg.norm(way, axis=1, keepdims=True), 1e-300)
            low, high = _reach(points, way, weights, limits)
            points = np.clip(points + (low + rng.random(count) * np.maximum(high - low, 0.0))[:, None] * way, 0.0, 1.0)
        return points

    def _whole(self, columns: Array, count: int, rng: np.random.Generator) -> Array:
        """Random points of ints: the relaxed walk, rounded where that holds, else solutions of an integer program and steps from them."""
        weights, limits = self._parts(columns)
        sizes = np.array([float(self.encoder.space.dimensions[self.encoder.owner[column]].size or 1) for column in columns])

        def holds(points: Array) -> Array:
            return np.all(points @ weights.T <= limits + SLACK, axis=1)

        try:
            relaxed = self._walk(columns, 8 * count, rng)
        except SpaceExhausted:
            relaxed = np.empty((0, len(columns)))
        rounded = (np.minimum(np.floor(relaxed * sizes), sizes - 1) + 0.5) / sizes
        good = rounded[holds(rounded)]
        if len(good) < count:
            good = np.concatenate([good, _integer_solutions(weights, limits, sizes, rng)])
        points = good[rng.integers(len(good), size=count)] if len(good) < count else good[:count]
        every = np.arange(len(points))
        for _ in range(STEPS if len(columns) > 1 else 0):
            # Two ints move at once, either way, so that sums which have to stay as they are can.
            first = rng.integers(len(columns), size=len(points))
            second = (first + rng.integers(1, len(columns), size=len(points))) % len(columns)
            length = np.ceil(np.minimum(sizes[first], sizes[second]) * 2.0 ** -rng.integers(2, 12, size=len(points)))
            moved = points.copy()
            moved[every, first] += length / sizes[first]
            moved[every, second] += rng.integers(-1, 2, size=len(points)) * length / sizes[second]
            is_fine = np.all((moved > 0) & (moved < 1), axis=1) & holds(moved)
            points = np.where(is_fine[:, None], moved, points)
        return points


def _reach(points: Array, way: Array, weights: Array, limits: Array) -> tuple[Array, Array]:
    """How far each point can go backwards and forwards along its way within the constraints and the unit cube."""
    rates = np.concatenate([way @ weights.T, way, -way], axis=1)
    rooms = np.maximum(np.concatenate([limits - points @ weights.T, 1.0 - points, points], axis=1), 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        times = rooms / rates
    forwards = np.where(rates > 1e-12, times, np.inf).min(axis=1)
    backwards = np.where(rates < -1e-12, times, -np.inf).max(axis=1)
    return np.maximum(backwards, -2.0), np.minimum(forwards, 2.0)


def _corner(direction: Array, weights: Array, limits: Array) -> Array | None:
    """The region's outermost point against a direction; None if it is empty."""
    answer = linprog(direction, A_ub=weights, b_ub=limits, bounds=(0.0, 1.0), method="highs")
    return None if answer.x is None else np.clip(answer.x, 0.0, 1.0)


def _integer_solutions(weights: Array, limits: Array, sizes: Array, rng: np.random.Generator) -> Array:
    """Some points of ints within the constraints. Raises `SpaceExhausted` if there is none."""
    found = []
    for _ in range(4):
        answer = milp(
            rng.standard_normal(len(sizes)) / sizes,
            constraints=Halfspaces(weights / sizes, ub=limits - weights @ (0.5 / sizes) + SLACK / 2),  # type: ignore[arg-type]  # scipy stubs know only numbers
            integrality=np.ones(len(sizes)),
            bounds=Bounds(0, sizes - 1),  # type: ignore[arg-type]  # scipy stubs know only numbers
        )
        if answer.x is None:
            raise SpaceExhausted("space exhausted: no point satisfies the linear constraints")
        found.append((np.round(answer.x) + 0.5) / sizes)
    return np.array(found)
