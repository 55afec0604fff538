"""The table of training runs: which columns, which rows, in which order. All of it is in the page's address. Pure."""

import csv
import io
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from trialflow.api_types import Experiment, TrainingRun
from trialflow.metadata_keys import LOST, REASON
from trialflow.results.facts import lost_of, state_of, stopped_early

PAGE = 100
MOST_PARAMETERS = 8
"""Parameters that have a column unless others are asked for."""
FACTS: Mapping[str, Callable[[TrainingRun], Any]] = {
    "id": lambda run: int(run["id"]),
    "state": state_of,
    "name": lambda run: run["name"],
    "lost": lambda run: lost_of([run]),
    "seconds": lambda run: None if run["completed"] is None else run["completed"] - run["created"],
    "created": lambda run: run.get("created"),
    "completed": lambda run: run.get("completed"),
    "reason": lambda run: reason_of(run),
}
TIMES = ("fact:created", "fact:completed")
STATES = ("completed", "stopped", "failed", "active", "lost")
COMPARISON = re.compile(r"\s*(.+?)\s*(<=|>=|!=|=|<|>)\s*(.+?)\s*")
COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
    "=": operator.eq,
    "!=": operator.ne,
}


def reason_of(run: TrainingRun) -> str | None:
    """Why a training run failed or was stopped early, or was lost the last time."""
    kept = run.get("dev_metadata") or {}
    reason = stopped_early(run) or (kept.get(REASON) if run["state"] != "completed" or kept.get(LOST) else None)
    return None if reason is None else str(reason)


@dataclass(frozen=True)
class Column:
    """One column: `key` is what the address has for it (`fact:id`, `metric:m`, `parameter:p`, `metadata:k`)."""

    key: str

    @property
    def title(self) -> str:
        """What its head says."""
        return self.key.partition(":")[2]

    @property
    def kind(self) -> str:
        """`fact`, `metric`, `parameter` or `metadata`."""
        return self.key.partition(":")[0]

    def value(self, run: TrainingRun) -> Any:
        """What a training run has in it; None for nothing."""
        if self.kind == "fact":
            return FACTS[self.title](run)
        if self.kind == "metric":
            return (run["values"].get(self.title) or {}).get("value")
        return (run["assignments"] if self.kind == "parameter" else run["metadata"]).get(self.title)

    def is_number(self, runs: Sequence[TrainingRun]) -> bool:
        """Whether it holds numbers, which are written to the right: points in time are none."""
        values = [value for run in runs if (value := self.value(run)) is not None]
        return self.key not in TIMES and bool(values) and all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)


def all_columns(experiment: Experiment, runs: Sequence[TrainingRun]) -> list[Column]:
    """Every column that can be chosen."""
    metadata = sorted({key for run in runs for key in run["metadata"]})[:100]
    more = sorted({name for run in runs for name in run["values"]} - {one["name"] for one in experiment["metrics"]})[:100]
    keys = [
        "fact:id",
        "fact:state",
        *(f"metric:{one['name']}" for one in experiment["metrics"] if one["name"]),
        *(f"metric:{name}" for name in more),
        *(f"parameter:{one['name']}" for one in experiment["parameters"]),
        *(f"fact:{name}" for name in FACTS if name not in ("id", "state")),
        *(f"metadata:{name}" for name in metadata),
    ]
    return [Column(key) for key in keys]


def usual_columns(experiment: Experiment, runs: Sequence[TrainingRun]) -> list[Column]:
    """The columns unless others are chosen; those about failures only where there are any."""
    keys = ["fact:id", "fact:state", *(f"metric:{one['name']}" for one in experiment["metrics"] if one["name"])]
    keys += [f"parameter:{one['name']}" for one in experiment["parameters"][:MOST_PARAMETERS]]
    keys += ["fact:lost"] if lost_of(runs) else []
    keys += ["fact:reason"] if any(reason_of(run) for run in runs) else []
    return [Column(key) for key in keys]


@dataclass(frozen=True)
class Query:
    """What the address asks for. `states` and `text` narrow the rows, `columns` are keys, `page` counts from 1."""

    sort: str = "fact:id"
    is_descending: bool = True
    states: tuple[str, ...] = ()
    text: str = ""
    columns: tuple[str, ...] = ()
    page: int = 1

    @classmethod
    def of(cls, query: Sequence[tuple[str, str]]) -> "Query":
        """From the arguments of an address; what makes no sense is as if it were not there."""
        given = dict(query)
        page = given.get("page", "1")
        return cls(
            sort=given.get("sort", "fact:id"),
            is_descending=given.get("order", "desc") != "asc",
            states=tuple(value for key, value in query if key == "state" and value in STATES),
            text=given.get("where", "").strip()[:500],
            columns=tuple(value for key, value in query if key == "column"),
            page=int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 1,
        )

    def address(self, **changed: Any) -> str:
        """The query part of an address that asks for this, with something changed; the page only if that is what changes."""
        asked = {**self.__dict__, "page": 1, **changed}
        pairs = [("sort", asked["sort"]), ("order", "desc" if asked["is_descending"] else "asc")]
        pairs += [("state", one) for one in asked["states"]] + [("column", one) for one in asked["columns"]]
        pairs += [("where", asked["text"])] if asked["text"] else []
        pairs += [("page", asked["page"])] if asked["page"] > 1 else []
        return "?" + urlencode(pairs)


@dataclass(frozen=True)
class Table:
    """What is shown: `rows` of one page, of `count` that match, of `total`. `problem` says why a filter was not understood."""

    columns: list[Column]
    rows: list[TrainingRun]
    count: int
    total: int
    pages: int
    problem: str | None = None


def table_of(experiment: Experiment, runs: Sequence[TrainingRun], query: Query, *, every: bool = False) -> Table:
    """The rows that match, sorted; one page of them, or `every` one."""
    known = {one.key: one for one in all_columns(experiment, runs)}
    columns = [known[key] for key in query.columns if key in known] or usual_columns(experiment, runs)
    test, problem = _test(query.text, known)
    found = [run for run in runs if (not query.states or _is_in(run, query.states)) and test(run)]
    by = known.get(query.sort, known["fact:id"])
    found.sort(key=lambda run: int(run["id"]), reverse=True)
    present = [run for run in found if by.value(run) is not None]
    present.sort(key=lambda run: _sortable(by.value(run)), reverse=query.is_descending)
    found = present + [run for run in found if by.value(run) is None]  # what is missing is last, whichever way
    pages = max(1, -(-len(found) // PAGE))
    first = (min(max(1, query.page), pages) - 1) * PAGE
    return Table(columns, found if every else found[first : first + PAGE], len(found), len(runs), pages, problem)


def as_csv(table: Table) -> str:
    """A table as CSV, with numbers in full."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([one.title for one in table.columns])
    writer.writerows([[one.value(run) for one in table.columns] for run in table.rows])
    return buffer.getvalue()


def grouped_reasons(runs: Sequence[TrainingRun]) -> list[dict[str, Any]]:
    """Why training runs failed, or were lost and launched again, most frequent first. Numbers in a reason do not make it another one."""
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        kind = "failed" if run["state"] == "failed" else "lost" if lost_of([run]) else None
        if kind is not None:
            text = str((run.get("dev_metadata") or {}).get(REASON) or "no reason is known")
            group = groups.setdefault((kind, re.sub(r"\d+", "#", text)), {"kind": kind, "reason": text, "runs": []})
            group["runs"].append(int(run["id"]))
    return sorted(groups.values(), key=lambda one: (-len(one["runs"]), one["reason"]))


def _is_in(run: TrainingRun, states: Sequence[str]) -> bool:
    return state_of(run) in states or ("lost" in states and lost_of([run]) > 0)


def _sortable(value: Any) -> tuple[bool, Any]:
    return isinstance(value, str), value


def _test(text: str, known: Mapping[str, Column]) -> tuple[Callable[[TrainingRun], bool], str | None]:
    """What a filter lets through: `name < value` compares a column, anything else is looked for in names, reasons and words."""
    if not text:
        return (lambda run: True), None
    if (match := COMPARISON.fullmatch(text)) and (column := _named(match[1], known)) is not None:
        wanted = _number(match[3])
        compare = COMPARISONS[match[2]]

        def holds(run: TrainingRun) -> bool:
            value = column.value(run)
            return value is not None and isinstance(value, str) == isinstance(wanted, str) and compare(value, wanted)

        return holds, None
    problem = f"there is no column {match[1]!r}; the text is looked for as it is" if match else None
    needle = text.lower()
    return (lambda run: any(needle in one.lower() for one in _words(run))), problem


def _named(name: str, known: Mapping[str, Column]) -> Column | None:
    """The column with this key, or else this title: a metric before a parameter."""
    for prefix in ("", "fact:", "metric:", "parameter:", "metadata:"):
        if (found := known.get(prefix + name)) is not None:
            return found
    return None


def _words(run: TrainingRun) -> list[str]:
    texts = [value for value in (*run["assignments"].values(), *run["metadata"].values()) if isinstance(value, str)]
    return [run["name"], str(run["id"]), state_of(run), reason_of(run) or "", *texts]


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
