"""Pages of lists. Pure.

`before` and `after` are markers, exclusive: `before` one are the lower places in ascending order, `after` one the higher ones, whichever way the list
is shown. The place of a row is its id in lists by id, and its rank in lists by anything else.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from trialflow.service import validation
from trialflow.service.errors import BadRequest

MOST = 1000
T = TypeVar("T")


@dataclass(frozen=True)
class Paging:
    """What a list's query asks for: how many, beyond which marker, and in which direction it is shown."""

    limit: int = MOST
    before: int | None = None
    after: int | None = None
    ascending: bool = False

    @classmethod
    def of(cls, query: Mapping[str, Any]) -> "Paging":
        """From a query. Raises `BadRequest`."""
        limit = validation.integer(query.get("limit", MOST), ".limit", least=0, most=MOST)
        before, after = (None if query.get(key) is None else validation.integer(query[key], f".{key}") for key in ("before", "after"))
        if before is not None and after is not None:
            raise BadRequest("before and after cannot be given together")
        ascending = query.get("ascending", False)
        if not isinstance(ascending, bool):
            raise BadRequest(f"{validation.excerpt(ascending)} is not one of the allowed values for ascending: true, false")
        return cls(limit, before, after, ascending)

    @property
    def is_upwards(self) -> bool:
        """Whether the page begins at its lowest place: the rows next to the marker are those that a page shows."""
        return self.after is not None or (self.before is None and self.ascending)

    def page(self, found: Sequence[T]) -> tuple[list[T], bool]:
        """The rows to show and whether there are more, of up to `limit + 1` rows found from the marker on, nearest first."""
        rows, more = list(found[: self.limit]), len(found) > self.limit
        return (rows if self.is_upwards == self.ascending else rows[::-1]), more

    def markers(self, places: Sequence[int], more: bool) -> dict[str, str | None]:
        """`before` and `after` of the page with these places: where its neighbours are.

        Null where there is none; but the newest page of a descending list has its `after`, with which to ask later for what was added.
        """
        if not places:
            return {"before": None, "after": None}
        lowest, highest = str(min(places)), str(max(places))
        if self.is_upwards:
            return {"before": lowest if self.after is not None else None, "after": highest if more else None}
        return {"before": lowest if more else None, "after": highest}

    def cut(self, ascending: Sequence[T], place: Callable[[T], int] | None = None) -> tuple[list[T], dict[str, str | None]]:
        """The page of a whole list, given in ascending order, and its markers. Places are ranks, from 1, unless rows have places of their own."""
        places = range(1, len(ascending) + 1) if place is None else [place(row) for row in ascending]
        if self.is_upwards:
            start = 0 if self.after is None else bisect_right(places, self.after)
            found = range(start, min(start + self.limit + 1, len(places)))
        else:
            top = len(places) if self.before is None else bisect_left(places, self.before)
            found = range(top - 1, max(top - self.limit - 1, 0) - 1, -1)
        shown, more = self.page(found)
        return [ascending[index] for index in shown], self.markers([places[index] for index in shown], more)
