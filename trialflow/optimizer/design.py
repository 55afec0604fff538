"""Points that need no model: the space-filling start, random points, grids, and the rest of a finite space."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod

import numpy as np

from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.errors import SpaceExhausted
from trialflow.optimizer.space import Assignment, Parameter, Space

Array = np.ndarray
Key = tuple[Assignment, ...]
TRIES = 256
ENUMERABLE = 4096
"""A finite space up to this size is looked through point by point."""


def start_length(space: Space) -> int:
    """How many points are tried before a model is asked: one more than there are parameters, at least 5, at most 12."""
    return min(max(5, len(space.parameters) + 1), 12)


def sobol(space: Space, count: int, seed: int) -> Array:
    """The first `count` points of a scrambled Sobol sequence over the parameters: (count, parameters)."""
    from scipy.stats import qmc  # slow to import, and only the start of an experiment and the search for a maximum need it

    size = 1 << max(0, (count - 1).bit_length())
    return qmc.Sobol(len(space.parameters), rng=np.random.default_rng(seed)).random(size)[:count]


def key_of(space: Space, point: Mapping[str, Assignment]) -> Key:
    """What tells two points apart."""
    return tuple(point.get(one.name, "") for one in space.parameters)


def new_point(encoder: Encoder, candidates: Array, taken: set[Key], rng: np.random.Generator) -> dict[str, Assignment]:
    """The first of `candidates` that is not taken, else a random point that is not. Raises `SpaceExhausted` if there is none."""
    for row in candidates:
        point = encoder.decode(row)
        if key_of(encoder.space, point) not in taken:
            return point
    for _ in range(TRIES):
        point = encoder.decode(encoder.from_cube(rng.random((1, len(encoder.space.parameters))))[0])
        if key_of(encoder.space, point) not in taken:
            return point
    left = [point for point in all_points(encoder.space) if key_of(encoder.space, point) not in taken]
    if not left:
        raise SpaceExhausted(f"space exhausted: all {encoder.space.size} points are known or pending")
    return left[int(rng.integers(len(left)))]


def all_points(space: Space) -> Iterator[dict[str, Assignment]]:
    """Every point of a finite space, the first parameter in alphabetical order varying fastest."""
    ordered = sorted(space.parameters, key=lambda one: one.name, reverse=True)
    for values in product(*(_values(one) for one in ordered)):
        yield dict(zip((one.name for one in ordered), values, strict=True))


def grid_point(space: Space, index: int) -> dict[str, Assignment]:
    """The point number `index` of a grid experiment. Raises `SpaceExhausted` beyond the last one."""
    if index >= prod(len(_values(one)) for one in space.parameters):
        raise SpaceExhausted(f"space exhausted: all {space.size} points of the grid are known or pending")
    point = {}
    for one in sorted(space.parameters, key=lambda one: one.name):
        values = _values(one)
        index, place = divmod(index, len(values))
        point[one.name] = values[place]
    return point


def _values(one: Parameter) -> Sequence[Assignment]:
    if one.values is not None:
        return one.values
    assert one.bounds is not None
    return range(int(one.bounds[0]), int(one.bounds[1]) + 1)
