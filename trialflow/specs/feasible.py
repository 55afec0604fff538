"""Whether linear constraints can hold all together."""

from collections.abc import Sequence
from fractions import Fraction

Row = Sequence[int | float]


def can_hold(rows: Sequence[Row], limits: Row, lowest: Row, highest: Row) -> bool:
    """Whether there is an `x` with `lowest <= x <= highest` and `row . x <= limit` for every row and its limit.

    Exact in the decimals that people write: 0.1 is a tenth. Whole numbers are not asked for. The method is the first phase of the simplex
    algorithm with one artificial variable and Bland's rule (Cormen et al., Introduction to Algorithms, 29.5).
    """
    low = [_exact(value) for value in lowest]
    exact = [[_exact(value) for value in row] for row in rows]
    # In terms of y = x - lowest >= 0, with the upper bounds as rows of their own.
    ends = [_exact(limit) - sum(weight * start for weight, start in zip(row, low, strict=True)) for row, limit in zip(exact, limits, strict=True)]
    for index, value in enumerate(highest):
        exact.append([Fraction(place == index) for place in range(len(low))])
        ends.append(_exact(value) - low[index])
    return _has_solution(exact, ends)


def _exact(value: int | float) -> Fraction:
    return Fraction(repr(value))


def _has_solution(rows: list[list[Fraction]], limits: list[Fraction]) -> bool:
    """Whether some `y >= 0` has `row . y <= limit` for all rows."""
    if min(limits) >= 0:
        return True
    # Maximize -x0 where row . y - x0 <= limit; a solution without x0 exists if that reaches 0. Columns: x0, y, limit; the last row is the aim.
    table = [[Fraction(-1), *row, limit] for row, limit in zip(rows, limits, strict=True)]
    width = len(table[0])
    table.append([Fraction(1)] + [Fraction(0)] * (width - 1))
    outside, inside = list(range(width - 1)), list(range(width - 1, width - 1 + len(rows)))
    row, column = limits.index(min(limits)), 0
    while True:
        _exchange(table, row, column)
        inside[row], outside[column] = outside[column], inside[row]
        entering = [place for place in range(width - 1) if table[-1][place] < 0]
        if not entering:
            return table[-1][-1] == 0
        column = min(entering, key=outside.__getitem__)
        leaving = [place for place in range(len(rows)) if table[place][column] > 0]
        row = min(leaving, key=lambda place: (table[place][-1] / table[place][column], inside[place]))


def _exchange(table: list[list[Fraction]], row: int, column: int) -> None:
    """Swap the variable of `row` with that of `column`."""
    pivot = table[row][column]
    table[row] = [value / pivot for value in table[row]]
    table[row][column] = 1 / pivot
    for place, line in enumerate(table):
        if place != row and (factor := line[column]):
            table[place] = [value - factor * other for value, other in zip(line, table[row], strict=True)]
            table[place][column] = -factor / pivot
