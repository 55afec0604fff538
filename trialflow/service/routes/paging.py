"""Pages: what a list's query asks for."""

from dataclasses import dataclass
from typing import Any

from trialflow.service import validation
from trialflow.service.errors import BadRequest

MOST = 1000


@dataclass(frozen=True)
class Paging:
    """Limit, markers (ids, exclusive) and direction of a list by id."""

    limit: int
    before: int | None
    after: int | None
    ascending: bool

    @classmethod
    def of(cls, query: dict[str, Any]) -> "Paging":
        """Read from a query. Raises `BadRequest`."""
        limit = validation.integer(query.get("limit", MOST), ".limit", least=0, most=MOST)
        before, after = (None if query.get(key) is None else validation.integer(query[key], f".{key}") for key in ("before", "after"))
        if before is not None and after is not None:
            raise BadRequest("before and after cannot be given together")
        return cls(limit, before, after, query.get("ascending") is True)

    def markers(self, rows: list, more: bool) -> dict[str, str | None]:
        """`before` and `after` of the answer: the next page in each direction, null where there is none."""
        if not rows:
            return {"before": None, "after": None}
        first, last = str(rows[0]["id"]), str(rows[-1]["id"])
        if self.after is not None:
            return {"before": last, "after": first if more else None}
        return {"before": last if more else None, "after": first if self.before is not None else None}
