"""Several different good solutions (`num_solutions`): Voronoi cells around good points that are far apart take turns."""

from dataclasses import dataclass

import numpy as np

Array = np.ndarray
FAR = 0.5
STEEPNESS = 50.0


def far_apart(rows: Array, means: Array, count: int) -> Array:
    """Indices of up to `count` of `rows` (n, width): the best one, then always the best of those that are far from all chosen.

    Far is at first the median distance of rows from the middle of them all, and less and less until there are enough.
    """
    order = np.argsort(-means, kind="stable")
    radius = FAR * 2 * float(np.median(np.linalg.norm(rows - rows.mean(axis=0), axis=1)))
    while radius > 1e-6:
        chosen: list[int] = []
        for index in order:
            if all(np.linalg.norm(rows[index] - rows[other]) >= radius for other in chosen):
                chosen.append(int(index))
            if len(chosen) == count:
                return np.array(chosen)
        radius *= 0.7
    return order[:1]


@dataclass(frozen=True)
class VoronoiCell:
    """Zero at points nearer to `own` (width,) than to any of `others` (k, width), and steeply below it elsewhere; a term of an acquisition."""

    own: Array
    others: Array

    def value(self, points: Array) -> Array:
        """(m,) for `points` (m, width)."""
        return self.slopes(points)[0]

    def slopes(self, points: Array) -> tuple[Array, Array]:
        """Values (m,) and their gradients (m, width)."""
        here = points - self.own
        there = points[:, None] - self.others
        distances = np.linalg.norm(there, axis=2)
        nearest = np.argmin(distances, axis=1)
        every = np.arange(len(points))
        mine, theirs = np.linalg.norm(here, axis=1), distances[every, nearest]
        outside = np.maximum(mine - theirs, 0.0)
        slope = here / np.maximum(mine, 1e-12)[:, None] - there[every, nearest] / np.maximum(theirs, 1e-12)[:, None]
        return -STEEPNESS * outside, np.where(outside > 0, -STEEPNESS, 0.0)[:, None] * slope
