"""Assignments as points of the unit cube and back.

A numeric dimension is one coordinate: logarithms for `log`, ints widened by half a step at each end so that every value has the same share, grids by
their place in order. A categorical one, and a conditional, has a coordinate for each category (one-hot, scaled so that two categories are 1 apart).
Inactive parameters rest in the middle: they are the same for all points that lack them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import exp, isfinite, log

import numpy as np

from trialflow.optimizer.priors import quantiles
from trialflow.optimizer.space import Assignment, Parameter, Space

Array = np.ndarray
ONE_HOT = 2**-0.5
MIDDLE = 0.5
DIGITS = 9
"""Two points are the same if their coordinates agree to so many decimals."""


@dataclass(frozen=True)
class Encoder:
    """Encodes the points of `space`; arrays are (points, `width`)."""

    space: Space

    @cached_property
    def columns(self) -> list[slice]:
        """The coordinates of each dimension."""
        result, start = [], 0
        for one in self.space.dimensions:
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
        """For each coordinate the number of its dimension."""
        return np.concatenate([np.full(part.stop - part.start, index) for index, part in enumerate(self.columns)])

    @cached_property
    def is_continuous(self) -> Array:
        """For each coordinate whether any value in [0, 1] is one of the dimension's."""
        free = [one.type == "double" and one.grid is None for one in self.space.dimensions]
        return np.array([free[index] for index in self.owner])

    @cached_property
    def is_optional(self) -> bool:
        """Whether any parameter can be inactive."""
        return any(one.conditions for one in self.space.parameters)

    def encode(self, points: Iterable[Mapping[str, Assignment]]) -> Array:
        """Points as rows. Values outside of the bounds are moved to them, unknown ones to the middle: histories outlive their space."""
        return self.recognise(points)[0]

    def recognise(self, points: Iterable[Mapping[str, Assignment]]) -> tuple[Array, Array]:
        """Points as rows, and for each whether it is a point of this space: nothing missing, nothing moved."""
        known = list(points)
        rows, exact = np.empty((len(known), self.width)), np.ones(len(known), dtype=bool)
        for one, part in zip(self.space.dimensions, self.columns, strict=True):
            rows[:, part], is_value = _encode(one, [point.get(one.name) for point in known])
            if one.conditions:
                is_value |= ~np.array([self.space.is_active(one, point) for point in known], dtype=bool)
            exact &= is_value
        self._rest(rows)
        return rows, exact

    def decode(self, row: Array) -> dict[str, Assignment]:
        """The assignments nearest to a row, of active parameters only."""
        point: dict[str, Assignment] = {}
        for one, part in zip(self.space.dimensions, self.columns, strict=True):
            if not one.conditions or self.space.is_active(one, point):
                point[one.name] = _decode(one, row[part])
        return point

    def snap(self, rows: Array) -> Array:
        """Rows moved to points that exist."""
        result = np.clip(rows, 0.0, 1.0)
        for one, part in zip(self.space.dimensions, self.columns, strict=True):
            if one.type == "categorical":
                result[:, part] = ONE_HOT * np.eye(part.stop - part.start)[np.argmax(rows[:, part], axis=1)]
            elif one.size is not None:
                result[:, part.start] = _snap(one, result[:, part.start])
        self._rest(result)
        return result

    def from_cube(self, cube: Array) -> Array:
        """Points of a cube with one coordinate for each dimension, as snapped rows; even draws become draws from the priors."""
        rows = np.empty((len(cube), self.width))
        for index, (one, part) in enumerate(zip(self.space.dimensions, self.columns, strict=True)):
            if one.type == "categorical":
                count = part.stop - part.start
                rows[:, part] = np.eye(count)[np.minimum((cube[:, index] * count).astype(int), count - 1)]
            else:
                rows[:, part.start] = quantiles(one, cube[:, index])
        return self.snap(rows)

    def keys(self, rows: Array) -> list[bytes]:
        """What tells points apart, for each row."""
        rounded = np.round(rows, DIGITS) + 0.0  # adding zero turns -0.0 into 0.0, which has other bytes
        return [row.tobytes() for row in rounded]

    def active(self, rows: Array) -> Array:
        """For each row and coordinate whether its parameter is active: (points, width)."""
        result = np.ones(rows.shape, dtype=bool)
        for one, part in zip(self.space.dimensions, self.columns, strict=True):
            for name, values in one.conditions.items():
                result[:, part] &= self._has(rows, name, values)[:, None]
        return result

    def _has(self, rows: Array, name: str, values: Sequence[str]) -> Array:
        """For each row whether the conditional `name` has one of `values`."""
        index = next((at for at, one in enumerate(self.space.conditionals) if one.name == name), None)
        if index is None:
            return np.zeros(len(rows), dtype=bool)
        fitting = np.isin(np.array(self.space.conditionals[index].values), list(values))
        return fitting[np.argmax(rows[:, self.columns[index]], axis=1)]

    def _rest(self, rows: Array) -> None:
        """Move inactive parameters to the middle, in place."""
        if not self.is_optional:
            return
        active = self.active(rows)
        for one, part in zip(self.space.dimensions, self.columns, strict=True):
            if one.conditions:
                middle = ONE_HOT / (part.stop - part.start) if one.type == "categorical" else MIDDLE
                rows[:, part] = np.where(active[:, part], rows[:, part], middle)


def ends(one: Parameter) -> tuple[float, float]:
    """What 0 and 1 stand for, in the parameter's units or their logarithm."""
    assert one.bounds is not None
    low, high = map(float, one.bounds)
    if one.type == "int":
        low, high = low - 0.5, high + 0.5
    return (log(max(low, 1e-300)), log(max(high, 1e-300))) if one.log else (low, high)


def _encode(one: Parameter, values: Sequence[Assignment | None]) -> tuple[Array, Array]:
    """Coordinates (values, coordinates of the parameter) and whether each is a value of the parameter."""
    if one.type == "categorical":
        place = {category: index for index, category in enumerate(one.categories or ())}
        found = np.array([place.get(value, -1) if isinstance(value, str) else -1 for value in values], dtype=int)
        coordinates = ONE_HOT * np.eye(len(place))[found]
        coordinates[found < 0] = ONE_HOT / len(place)
        return coordinates, found >= 0
    numbers = np.array([_number(value) for value in values], dtype=float)
    is_number = ~np.isnan(numbers)
    numbers = np.where(is_number, numbers, 1.0)
    if one.values is not None:
        known = np.array(one.values, dtype=float)
        nearest = np.clip(np.searchsorted((known[1:] + known[:-1]) / 2, numbers), 0, len(known) - 1)
        coordinates = (nearest + 0.5) / len(known)
        exact = is_number & np.isclose(known[nearest], numbers, rtol=1e-12, atol=0.0)
    else:
        assert one.bounds is not None
        low, high = ends(one)
        inside = np.clip(numbers, float(one.bounds[0]), float(one.bounds[1]))
        coordinates = np.clip(((np.log(inside) if one.log else inside) - low) / max(high - low, 1e-300), 0.0, 1.0)
        exact = is_number & (inside == numbers)
    return np.where(is_number, coordinates, MIDDLE)[:, None], exact


def _number(value: Assignment | None) -> float:
    return float(value) if isinstance(value, int | float) and isfinite(value) else float("nan")


def _snap(one: Parameter, share: Array) -> Array:
    if one.values is not None or not one.log:
        size = one.size or 1
        return (np.minimum(np.floor(share * size), size - 1) + 0.5) / size
    assert one.bounds is not None
    low, high = ends(one)
    whole = np.clip(np.round(np.exp(low + share * (high - low))), one.bounds[0], one.bounds[1])
    return np.clip((np.log(whole) - low) / (high - low), 0.0, 1.0)


def _decode(one: Parameter, coordinates: Array) -> Assignment:
    if one.type == "categorical":
        return (one.categories or ())[int(np.argmax(coordinates))]
    share = min(1.0, max(0.0, float(coordinates[0])))
    if one.values is not None:
        return one.values[min(int(share * len(one.values)), len(one.values) - 1)]
    assert one.bounds is not None
    low, high = ends(one)
    at = low + share * (high - low)
    value = exp(at) if one.log else at
    if one.type == "int":
        return int(min(max(round(value), one.bounds[0]), one.bounds[1]))
    return float(min(max(value, one.bounds[0]), one.bounds[1]))
