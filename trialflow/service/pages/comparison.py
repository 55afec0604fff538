"""Two to five experiments side by side."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from trialflow.results.facts import changed_fields
from trialflow.results.pictures import THEMES, compared
from trialflow.results.pictures.all import BY
from trialflow.results.pictures.labels import plain
from trialflow.results.pictures.progress import By
from trialflow.results.pictures.themes import CURVES
from trialflow.service.errors import BadRequest
from trialflow.service.pages.experiment import changes, summary
from trialflow.service.pages.memory import Memory, Shown
from trialflow.service.pages.rendering import part, render

MOST = len(CURVES)


class ComparisonPage:
    """Answers for the page and its live part; the address names the experiments as `?id=1&id=2`."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory

    async def page(self, request: Request) -> Response:
        """GET /compare."""
        found = await self._read(request)
        shown = {"title": "Comparison", "parts": {"comparison": _facts(found)}, "themes": THEMES}
        return render(request, "comparison.html", shown)

    async def live(self, request: Request) -> Response:
        """GET /compare/live, or 304 if nothing has changed."""
        found = await self._read(request)
        tag = f'"{"-".join(one.version for one in found)}-{hash(request.url.query) & 0xFFFFFFFF:x}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})

        def answer() -> str:
            names = list(dict.fromkeys(metric["name"] for one in found for metric in one.experiment["metrics"] if metric["name"]))
            choices: dict[str, tuple[str, By]] = {f"{plain(name)}, over {by}": (name, by) for name in names for by in BY}
            name, by = choices.get(request.query_params.get("compared", "")) or next(iter(choices.values()))
            picture = compared([(one.experiment, one.points) for one in found], name, by)
            return changes({"comparison": _facts(found)}, [picture], {"compared": list(choices)})

        return Response(await asyncio.to_thread(answer), media_type="application/json", headers={"ETag": tag})

    async def _read(self, request: Request) -> list[Shown]:
        ids = list(dict.fromkeys(request.query_params.getlist("id")))
        if not 2 <= len(ids) <= MOST:
            raise BadRequest(f"Choose 2 to {MOST} experiments to compare; {len(ids)} were chosen")
        return [await self._memory.of(identifier) for identifier in ids]


def _facts(found: list[Shown]) -> str:
    """The facts side by side, and in what the definitions differ from the first one's."""
    columns: list[dict[str, Any]] = [{**summary(one), "colour": colour} for one, colour in zip(found, CURVES, strict=False)]
    first = found[0].experiment
    differing = [changed_fields(first, one.experiment) for one in found]
    parameters = sorted({parameter["name"] for one in found for parameter in one.experiment["parameters"]})
    metrics = list(dict.fromkeys(metric["name"] for one in found for metric in one.experiment["metrics"] if metric["name"]))
    return part("parts/comparison.html", {"columns": columns, "differing": differing, "parameters": parameters, "metrics": metrics})
