"""The page of one training run: everything that the service knows of it, and the files that the model logged."""

import asyncio
import time
from typing import Any

from sqlalchemy import Connection, select
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from trialflow.metadata_keys import ATTEMPT, EXIT_CODE, PLACE, PREFIX
from trialflow.results.facts import lost_of, state_of
from trialflow.results.links import flow_runs, place_of
from trialflow.results.pictures import THEMES, catalogue, choices_of, pictures_of, points_of
from trialflow.results.spending import dollars, spent_on, uses_of
from trialflow.service import serializers
from trialflow.service.errors import NotFound
from trialflow.service.pages.experiment import changes
from trialflow.service.pages.rendering import part, render, root_of
from trialflow.service.pages.table import reason_of
from trialflow.service.routes.files import SAFE
from trialflow.service.service import Service
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import runs as run_store
from trialflow.service.store import workers as worker_store
from trialflow.service.store.rows import Row, find
from trialflow.service.store.schema import checkpoints, files

IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")


class TrainingRunPage:
    """Answers for the page, its live part, and files."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def page(self, request: Request) -> Response:
        """GET /training-runs/{id}."""
        found = await self._service.store.do(lambda connection: _read(connection, request.path_params["id"]))
        run = found["run"]
        parts = _parts(found, root_of(request.scope["path"]))
        shown = {"run": run, "experiment": found["experiment"], "title": f"Training run {run['id']}", "parts": parts, "themes": THEMES}
        return render(request, "training_run.html", shown)

    async def live(self, request: Request) -> Response:
        """GET /training-runs/{id}/live, or 304 if nothing has changed."""
        found = await self._service.store.do(lambda connection: _read(connection, request.path_params["id"]))
        run = found["run"]

        def answer() -> str:
            root = root_of(request.scope["path"].removesuffix("/live"))
            experiment: Any = found["experiment"] or {"parameters": [], "metrics": []}
            curves = {int(run["id"]): found["checkpoints"]}
            entries = [one for one in catalogue(experiment, points_of([run]), checkpoints=curves) if one.group == "checkpoints"]
            pictures = pictures_of(entries, {"checkpoints": request.query_params.get("checkpoints", "")})
            return changes(_parts(found, root), pictures, choices_of(entries))

        text = await asyncio.to_thread(answer)
        tag = f'"{run["id"]}-{hash(text) & 0xFFFFFFFFFFFF:x}"'
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(text, media_type="application/json", headers={"ETag": tag})

    async def file(self, request: Request) -> Response:
        """GET /training-runs/{id}/files/{file}: images are shown, everything else is saved."""

        def read(connection: Connection) -> Row:
            row = find(connection, files, request.path_params["file"])
            if str(row["training_run"]) != request.path_params["id"]:
                raise NotFound("file", request.path_params["file"])
            return row

        row = await self._service.store.do(read)
        is_image = row["content_type"] in IMAGES
        content_type = row["content_type"] if is_image else "application/octet-stream"
        how = "inline" if is_image else "attachment"
        name = row["filename"] or row["name"] or f"file-{row['id']}"
        path = self._service.files.path(row)
        return FileResponse(path, media_type=content_type, headers=SAFE, filename=name, content_disposition_type=how)


def _read(connection: Connection, identifier: str) -> dict[str, Any]:
    row = run_store.get(connection, identifier)
    query = select(checkpoints).where(checkpoints.c.training_run == row["id"]).order_by(checkpoints.c.id)
    kept = select(files).where((files.c.training_run == row["id"]) & files.c.uploaded.is_(True)).order_by(files.c.id)
    experiment = None
    if row["experiment"] is not None:
        of_it = experiment_store.get(connection, row["experiment"])
        experiment = {"id": str(of_it["id"]), "name": of_it["name"], **{key: of_it["body"].get(key) for key in ("metrics", "parameters", "metadata")}}
    return {
        "run": dict(serializers.training_run(row)),
        "checkpoints": [{"values": one["values"]} for one in connection.execute(query).mappings()],
        "files": [dict(one) for one in connection.execute(kept).mappings()],
        "experiment": experiment,
        "is_executed": worker_store.executes(connection, row, moment=time.time()),
    }


def _parts(found: dict[str, Any], root: str) -> dict[str, str]:
    """The parts of the page that change, as HTML."""
    shown = {"root": root, **_shown(found)}
    names = {"actions": "run_actions", "summary": "run_summary", "run": "training_run"}
    return {name: part(f"parts/{template}.html", shown) for name, template in names.items()}


def _shown(found: dict[str, Any]) -> dict[str, Any]:
    run, experiment = found["run"], found["experiment"] or {}
    dev = run["dev_metadata"]
    kept = {**(experiment.get("metadata") or {}), **run["metadata"], **dev}
    return {
        **found,
        "state": state_of(run),
        "reason": reason_of(run),
        "lost": lost_of([run]),
        "attempt": dev.get(ATTEMPT) or 1,
        "exit_code": dev.get(EXIT_CODE),
        "flow_runs": flow_runs(kept, is_in_progress=found["is_executed"] or (run["state"] == "active" and not experiment)),
        "place": place_of(dev.get(PLACE)),
        "cost": dollars(spent_on([run])),
        "nodes": uses_of(run),
        "metadata": {key: value for key, value in {**run["metadata"], **dev}.items() if not key.startswith(PREFIX)},
        "images": IMAGES,
    }
