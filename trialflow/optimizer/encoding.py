"""Assignments as points of the unit cube and back.

A numeric parameter is one coordinate: logarithms for `log`, ints widened by half a step at each end so that every value has the same share, grids by
their place in order. A categorical one has a coordinate for each category (one-hot, scaled so that two categories are 1 apart).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from math import exp, log

import numpy as np

from trialflow.optimizer.space import Assignment, Parameter, Space

Array = np.ndarray
ONE_HOT = 2**-0.5


@dataclass(frozen=True)
class Encoder:
    """Encodes the points of `space`; arrays are (points, `width`)."""

    space: Space

    @cached_property
    def columns(self) -> list[slice]:
        """The coordinates of each parameter."""
        result, start = [], 0
        for one in self.space.parameters:
            width = len(one.categories or ()) if one.type == "categorical" else 1
            result.append(slice(start, start + width))
            start += width
        return result

    @property
    def width(self) -> int:
        """How many coordinates a point has."""
        return self.columns[-1].stop

    @cached_property
    def owner(self) -> Array:
        """For each coordinate the number of its parameter."""
        return np.concatenate([np.full(part.stop - part.start, index) for index, part in enumerate(self.columns)])

    @cached_property
    def is_continuous(self) -> Array:
        """For each coordinate whether any value in [0, 1] is one of the parameter's."""
        free = [one.type == "double" and one.grid is None for one in self.space.parameters]
        return np.array([free[index] for index in self.owner])

    def encode(self, points: Iterable[Mapping[str, Assignment]]) -> Array:
        """Points as an array. Values outside of the bounds are moved to them, unknown ones to the middle: histories outlive their space."""
        rows = [np.concatenate([_encode(one, point.get(one.name)) for one in self.space.parameters]) for point in points]
        return np.array(rows, dtype=float).reshape(len(rows), self.width)

    def decode(self, row: Array) -> dict[str, Assignment]:
        """The assignments nearest to a row."""
        return {one.name: _decode(one, row[part]) for one, part in zip(self.space.parameters, self.columns, strict=True)}

    def snap(self, rows: Array) -> Array:
        """Rows moved to points that exist."""
        return self.encode(self.decode(row) for row in rows)

    def from_cube(self, cube: Array) -> Array:
        """Points drawn evenly from a cube with one coordinate for each parameter, as snapped rows."""
        rows = np.empty((len(cube), self.width))
        for index, (one, part) in enumerate(zip(self.space.parameters, self.columns, strict=True)):
            if one.type == "categorical":
                count = len(one.categories or ())
                rows[:, part] = ONE_HOT * np.eye(count)[np.minimum((cube[:, index] * count).astype(int), count - 1)]
            else:
                rows[:, part.start] = cube[:, index]
        return self.snap(rows)


def _encode(one: Parameter, value: Assignment | None) -> Array:
    if one.type == "categorical":
        categories = one.categories or ()
        coordinates = np.zeros(len(categories))
        if value in categories:
            coordinates[categories.index(str(value))] = ONE_HOT
        else:
            coordinates[:] = ONE_HOT / len(categories)
        return coordinates
    if value is None or isinstance(value, str):
        return np.array([0.5])
    if one.values is not None:
        nearest = int(np.argmin([abs(float(known) - float(value)) for known in one.values]))
        return np.array([(nearest + 0.5) / len(one.values)])
    low, high = _ends(one)
    at = log(max(float(value), 1e-300)) if one.log else float(value)
    return np.array([min(1.0, max(0.0, (at - low) / (high - low)))])


def _decode(one: Parameter, coordinates: Array) -> Assignment:
    if one.type == "categorical":
        return (one.categories or ())[int(np.argmax(coordinates))]
    share = min(1.0, max(0.0, float(coordinates[0])))
    if one.values is not None:
        return one.values[min(int(share * len(one.values)), len(one.values) - 1)]
    low, high = _ends(one)
    at = low + share * (high - low)
    assert one.bounds is not None
    if one.type == "int":
        return int(min(max(round(at), one.bounds[0]), one.bounds[1]))
    return float(min(max(exp(at) if one.log else at, one.bounds[0]), one.bounds[1]))


def _ends(one: Parameter) -> tuple[float, float]:
    assert one.bounds is not None
    low, high = map(float, one.bounds)
    if one.log:
        return log(low), log(high)
    return (low - 0.5, high + 0.5) if one.type == "int" else (low, high)
