"""The page of one experiment: what it shows, and the same again as JSON whenever something has changed."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from trialflow.metadata_keys import OWNER
from trialflow.results.facts import belief_lines, categories_of, lost_of
from trialflow.results.links import flow_runs
from trialflow.results.pictures import THEMES, Picture, catalogue, choices_of, pictures_of
from trialflow.results.pictures.figure import MOST_DRAWN
from trialflow.results.spending import dollars, spent_on
from trialflow.results.text import text_of
from trialflow.service import json_text
from trialflow.service.optimizer_process import BACKGROUND
from trialflow.service.pages.gate import policy
from trialflow.service.pages.memory import Memory, Shown
from trialflow.service.pages.overview import experiment_facts
from trialflow.service.pages.rendering import part, render, root_of
from trialflow.service.pages.table import TIMES, Query, Table, all_columns, as_csv, grouped_reasons, table_of
from trialflow.service.service import Service
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import observations as observation_store

MOST_BEST = 20
"""Training runs on a front that are listed."""
GROUPS = ("best", "front", "history", "coordinates", "against", "importances", "checkpoints")


class ExperimentPage:
    """Answers for the page, its live part, what the optimizer believes, and the table as CSV."""

    def __init__(self, service: Service, memory: Memory) -> None:
        self._service = service
        self._memory = memory
        self._beliefs: dict[int, tuple[tuple[int, int], list[dict[str, Any]]]] = {}

    async def page(self, request: Request) -> Response:
        """GET /experiments/{id}."""
        shown = await self._memory.of(request.path_params["id"])
        parts = await asyncio.to_thread(self._parts, shown, request)
        facts = experiment_facts(shown.experiment)
        best = shown.best
        fields = suggestion_fields(shown.experiment, shown.runs[best[0]]["assignments"] if best else {})
        actions = {"fields": fields, "conditionals": shown.experiment.get("conditionals") or [], "is_ai": is_ai(shown)}
        is_large = len(shown.runs) > MOST_DRAWN
        pictures = {"groups": list(dict.fromkeys(one.group for one in shown.entries)), "themes": THEMES, "is_large": is_large}
        response = render(request, "experiment.html", {**facts, **actions, **pictures, "title": facts["name"], "parts": parts})
        if is_large:  # plotly's WebGL compiles its drawing commands
            response.headers["Content-Security-Policy"] = policy(script_src="'self' 'unsafe-eval'")
        return response

    async def live(self, request: Request) -> Response:
        """GET /experiments/{id}/live: the parts of the page and its pictures, or 304 if nothing has changed."""
        shown = await self._memory.of(request.path_params["id"])
        chosen = {name: request.query_params.get(name, "") for name in GROUPS}
        tag = f'"{shown.version}-{hash(request.url.query) & 0xFFFFFFFF:x}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})

        def answer() -> str:
            return changes(self._parts(shown, request), pictures_of(shown.entries, chosen), choices_of(shown.entries))

        if tag not in shown.answers:  # thousands of training runs take a while: other requests go on meanwhile
            shown.answers = {tag: await asyncio.to_thread(answer)}
        return Response(shown.answers[tag], media_type="application/json", headers={"ETag": tag})

    async def beliefs(self, request: Request) -> Response:
        """GET /experiments/{id}/beliefs: what the optimizer believes. Suggestions go before it."""
        shown = await self._memory.of(request.path_params["id"])
        believed = await self._believed(shown)
        entries = catalogue(shown.experiment, [], beliefs=believed)
        some = [one for one in entries if one.group == "importances"]
        pictures = pictures_of(some, {"importances": request.query_params.get("importances", "")})
        words = belief_lines(shown.experiment, believed)
        parts = {"beliefs": part("parts/beliefs.html", {"lines": words, "done": len(shown.points)})}
        return Response(changes(parts, pictures, choices_of(some)), media_type="application/json")

    async def table_csv(self, request: Request) -> Response:
        """GET /experiments/{id}/table.csv: every row of the table that the query asks for."""
        shown = await self._memory.of(request.path_params["id"])
        query = Query.of(request.query_params.multi_items())
        text = await asyncio.to_thread(lambda: as_csv(table_of(shown.experiment, list(shown.runs.values()), query, every=True)))
        name = f"experiment-{shown.experiment['id']}.csv"
        return Response(text, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": f'attachment; filename="{name}"'})

    def _parts(self, shown: Shown, request: Request) -> dict[str, str]:
        """The parts of the page that change, as HTML. A page asks for them again at once, when its script begins."""
        query, root = Query.of(request.query_params.multi_items()), root_of(request.scope["path"].removesuffix("/live"))
        if (root, query) not in shown.kept:
            shown.kept = {(root, query): self._new_parts(shown, query, root)}
        return shown.kept[root, query]

    def _new_parts(self, shown: Shown, query: Query, root: str) -> dict[str, str]:
        runs = list(shown.runs.values())
        table = table_of(shown.experiment, runs, query)
        place = {"root": root, "base": f"{root}experiments/{shown.experiment['id']}/"}
        every = all_columns(shown.experiment, runs)
        facts = summary(shown)
        return {
            "summary": part("parts/summary.html", {"root": root, **facts}),
            "repeat": part("parts/repeat.html", {"best": facts["best"]}),
            "reasons": part("parts/reasons.html", {"root": root, "groups": grouped_reasons(runs)}),
            "table": part("parts/table.html", {**place, "is_ai": is_ai(shown), **shown_table(table, query, every, shown.best)}),
        }

    async def _believed(self, shown: Shown) -> list[dict[str, Any]]:
        identifier = int(shown.experiment["id"])
        rows = await self._service.store.do(lambda connection: observation_store.of_experiment(connection, identifier))
        stamp = (len(rows), rows[-1]["id"] if rows else 0)
        if self._beliefs.get(identifier, (None, []))[0] != stamp:
            body = await self._service.store.do(lambda connection: experiment_body(connection, identifier))
            found = await self._service.suggester.ask("beliefs", body, rows, urgency=BACKGROUND)
            self._beliefs.pop(identifier, None)
            self._beliefs[identifier] = (stamp, [{"metric": metric, **one} for metric, one in sorted(found.items())])
            while len(self._beliefs) > 64:
                del self._beliefs[next(iter(self._beliefs))]
        return self._beliefs[identifier][1]


def experiment_body(connection: Any, identifier: int) -> Mapping[str, Any]:
    """An experiment's body, as the optimizer takes it."""
    return experiment_store.get(connection, identifier)["body"]


def changes(parts: Mapping[str, str], pictures: list[Picture], choices: Mapping[str, list[str]]) -> str:
    """What a page takes in, as JSON."""
    return json.dumps({"parts": dict(parts), "pictures": [one.to_json() for one in pictures], "choices": dict(choices)}, allow_nan=False)


def is_ai(shown: Shown) -> bool:
    """Whether an experiment has training runs; one of the core API has observations only."""
    return shown.experiment["object"] == "aiexperiment"


def summary(shown: Shown) -> dict[str, Any]:
    """The facts on top of the page."""
    experiment, points = shown.experiment, shown.points
    metadata = experiment.get("metadata") or {}
    counts = {state: sum(one.state == state for one in points) for state in ("completed", "stopped", "failed", "active")}
    best = shown.best
    ended = [one.completed for one in points if one.completed]
    return {
        **experiment_facts(experiment),
        "counts": {**counts, "lost": lost_of(list(shown.runs.values()))},
        "metrics": experiment["metrics"],
        "best": [{"id": number, **shown.runs[number]} for number in best[:MOST_BEST]],
        "more_best": max(0, len(best) - MOST_BEST),
        "bandwidth": experiment.get("parallel_bandwidth") or 1,
        "kind": experiment.get("type") or "offline",
        "is_ai": is_ai(shown),
        "seconds": max(ended) - min(one.created for one in points) if ended else None,
        "workers": [worker_text(one) for one in experiment["workers"]],
        "owner": owner_text(metadata.get(OWNER)),
        "flow_runs": flow_runs(metadata, is_in_progress=bool(experiment["workers"])),
        "cost": dollars(spent_on(list(shown.runs.values()))),
        "metadata": {key: value for key, value in metadata.items() if not key.startswith("trialflow_")},
    }


def owner_text(kept: Any) -> str | None:
    """Who worked on an experiment last, as its metadata says; None if it does not."""
    if not isinstance(kept, str):
        return None
    try:
        fields = json_text.parse(kept.encode()) if kept.startswith("{") else None
    except Exception:  # noqa: BLE001 - anybody can write metadata
        return None
    if not isinstance(fields, Mapping):
        return text_of(kept)
    return worker_text(fields)


def worker_text(holder: Any) -> str:
    """Who holds a lease, or held the experiment."""
    fields = holder if isinstance(holder, Mapping) else {}
    return f"process {text_of(fields.get('pid'))} on {text_of(fields.get('host'))}"


def shown_table(table: Table, query: Query, every: list[Any], best: list[int]) -> dict[str, Any]:
    """A table with the addresses of its heads and its pages."""
    heads = []
    for one in table.columns:
        is_sorted = query.sort == one.key
        descending = not query.is_descending if is_sorted else one.kind != "parameter"
        order = ("descending" if query.is_descending else "ascending") if is_sorted else None
        address = query.address(sort=one.key, is_descending=descending)
        heads.append({"column": one, "order": order, "address": address, "is_number": one.is_number(table.rows)})
    page = min(max(1, query.page), table.pages)
    pages = {
        name: query.address(page=number) if 1 <= number <= table.pages else None for name, number in (("previous", page - 1), ("next", page + 1))
    }
    chosen = {one.key for one in table.columns}
    columns = [{"column": one, "is_chosen": one.key in chosen} for one in every]
    return {"table": table, "heads": heads, "query": query, "page": page, "pages": pages, "columns": columns, "best": set(best), "times": TIMES}


def suggestion_fields(experiment: Mapping[str, Any], best: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The fields of the form for a suggestion, filled with the best assignments."""
    return [
        {
            "name": one["name"],
            "kind": one["type"],
            "choices": categories_of(one),
            "bounds": one.get("bounds"),
            "value": best.get(one["name"]),
        }
        for one in experiment["parameters"]
    ]
