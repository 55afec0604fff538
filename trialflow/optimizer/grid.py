"""Spaces that can be counted through: the order of grid experiments, and all points of a small space."""

from collections.abc import Iterator, Sequence
from itertools import product
from math import prod

from trialflow.optimizer.space import Assignment, Parameter, Space, SpaceExhausted

ENUMERABLE = 4096
"""A finite space up to this size is looked through point by point at each suggestion."""
COUNTABLE = 1 << 18
"""A finite space up to this size is looked through before it is called exhausted."""


def grid_point(space: Space, index: int) -> dict[str, Assignment]:
    """The point number `index` of a grid experiment: parameters by name, the first varying fastest. Raises `SpaceExhausted` beyond the last one."""
    if index >= prod(len(_values(one)) for one in space.dimensions):
        raise SpaceExhausted(f"space exhausted: all {space.size} points of the grid are known or pending")
    point = {}
    for one in sorted(space.dimensions, key=lambda one: one.name):
        values = _values(one)
        index, place = divmod(index, len(values))
        point[one.name] = values[place]
    return point


def all_points(space: Space) -> Iterator[dict[str, Assignment]]:
    """Every point of a finite space once, whether or not linear constraints hold, conditionals first."""
    free = [one for one in space.dimensions if not one.conditions]
    optional = [one for one in space.dimensions if one.conditions]
    for values in product(*(_values(one) for one in free)):
        point = dict(zip((one.name for one in free), values, strict=True))
        active = [one for one in optional if space.is_active(one, point)]
        for others in product(*(_values(one) for one in active)):
            yield point | dict(zip((one.name for one in active), others, strict=True))


def _values(one: Parameter) -> Sequence[Assignment]:
    if one.values is not None:
        return one.values
    assert one.bounds is not None
    return range(int(one.bounds[0]), int(one.bounds[1]) + 1)
