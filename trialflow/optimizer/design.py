"""Points that need no model: the space-filling start, random points, and the last points of a finite space."""

from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice

import numpy as np

from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.grid import COUNTABLE, ENUMERABLE, all_points
from trialflow.optimizer.region import Region
from trialflow.optimizer.space import SpaceExhausted

Array = np.ndarray
TRIES = 256
BATCH = 64
DESIGNS = 40
START = 5
"""How many points are tried before a model is asked, whatever the number of dimensions: what so few tell is better used at once."""


@dataclass(frozen=True)
class Sampler:
    """Draws rows of `encoder` that exist and satisfy the constraints, from the priors. `seed` is the experiment's."""

    encoder: Encoder
    seed: int
    region: Region = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "region", Region(self.encoder))

    @property
    def count(self) -> int:
        """The number of dimensions."""
        return len(self.encoder.space.dimensions)

    @cached_property
    def every(self) -> Array | None:
        """All rows of a small finite space; None for others."""
        size = self.encoder.space.size
        if size is None or size > ENUMERABLE:
            return None
        rows = self.encoder.encode(all_points(self.encoder.space))
        return rows[self.region.holds(rows)]

    def random(self, count: int, rng: np.random.Generator) -> Array:
        """Random rows. Raises `SpaceExhausted` if no point satisfies the constraints."""
        return self._feasible(rng.random((count, self.count)), rng)

    def spread(self, count: int, rng: np.random.Generator) -> Array:
        """Rows that fill the space more evenly than random ones: a lattice of irrational steps from a random start.

        The steps are powers of the inverse of the root of x^(d+1) = x + 1 (the generalised golden ratio), for which the lattice has low
        discrepancy in every leading part.
        """
        root = 2.0
        for _ in range(64):
            root = (1 + root) ** (1 / (self.count + 1))
        steps = root ** -np.arange(1.0, self.count + 1)
        cube = (rng.random(self.count) + np.arange(1, count + 1)[:, None] * rng.permutation(steps)) % 1.0
        return self._feasible(cube, rng)

    def start(self) -> Array:
        """The first points of an experiment: the middle, or the priors' medians, then a Latin hypercube that keeps its points far apart."""
        rng = np.random.default_rng([self.seed, 1])
        length = START
        best, widest = np.empty((0, self.encoder.width)), -1.0
        for _ in range(DESIGNS):
            cube = np.stack([rng.permutation(length) for _ in range(self.count)], axis=1)
            rows = self.encoder.from_cube((cube + rng.random(cube.shape)) / length)
            apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)[np.triu_indices(length, 1)].min()
            if apart > widest:
                best, widest = rows, float(apart)
        middle = self.encoder.from_cube(np.full((1, self.count), 0.5))
        nearest = np.argmin(np.linalg.norm(best - middle, axis=1))
        best = np.concatenate([middle, np.delete(best, nearest, axis=0)])
        return self.region.repaired(best, rng)

    def new(self, candidates: Array, taken: set[bytes], rng: np.random.Generator) -> Array:
        """The first of `candidates` that is not taken, else a random row that is not. Raises `SpaceExhausted` if there is none."""
        for row, key in zip(candidates, self.encoder.keys(candidates), strict=True):
            if key not in taken:
                return row
        if self.every is None:
            for _ in range(TRIES // BATCH):
                rows = self.random(BATCH, rng)
                for row, key in zip(rows, self.encoder.keys(rows), strict=True):
                    if key not in taken:
                        return row
        return self._left(taken, rng)

    def _left(self, taken: set[bytes], rng: np.random.Generator) -> Array:
        """One of what is left of a space where random tries found nothing new."""
        rows = self.every
        if rows is None:
            rows = self.encoder.encode(islice(all_points(self.encoder.space), COUNTABLE)) if self.encoder.space.size else self.random(TRIES, rng)
            rows = rows[self.region.holds(rows)]
        left = [row for row, key in zip(rows, self.encoder.keys(rows), strict=True) if key not in taken]
        if not left:
            raise SpaceExhausted(f"space exhausted: all {len(rows)} points are known or pending")
        return left[int(rng.integers(len(left)))]

    def _feasible(self, cube: Array, rng: np.random.Generator) -> Array:
        rows = self.encoder.from_cube(cube)
        if self.region.is_everything:
            return rows
        good = self.region.holds(rows)
        if 0 < len(rows) * 0.05 <= good.sum() < len(rows):  # roomy enough for rejection, which keeps the priors
            for _ in range(30):
                others = self.encoder.from_cube(rng.random((len(cube), self.count)))
                others = others[self.region.holds(others)]
                place = np.flatnonzero(~good)[: len(others)]
                rows[place], good[place] = others[: len(place)], True
                if good.all():
                    return rows
        return self.region.repaired(rows, rng)
