"""What can be changed from a page: by the API's own endpoints, with their checks. Each is asked for in a dialog first.

Work on an experiment is stopped as `trialflow experiment stop` does it, by that very command: who works where, and how it is ended, is known above
the service.
"""

import asyncio
import os
import sys
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response

from trialflow.metadata_keys import REASON, STOPPED_BY_USER
from trialflow.results.text import clean
from trialflow.service import json_text
from trialflow.service.errors import ApiError, BadRequest
from trialflow.service.pages.overview import experiment_facts
from trialflow.service.requests import Call, json_object, read_body
from trialflow.service.routes import experiments as experiment_routes
from trialflow.service.routes import runs as run_routes
from trialflow.service.routes import suggestions as suggestion_routes
from trialflow.service.service import Service
from trialflow.service.store import runs as run_store
from trialflow.service.store import workers as worker_store

LARGEST = 64 << 10
SECONDS = 10.0
STOP_SECONDS = 120.0


class Actions:
    """Answers `{"message"}` when something was done, and the API's refusals when it was not."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def archive(self, request: Request) -> Response:
        """POST /experiments/{id}/archive."""
        await experiment_routes.put_any(await self._call(request, {"state": "deleted"}))
        return _done("Archived. It is listed among the archived experiments, and can be unarchived there.")

    async def unarchive(self, request: Request) -> Response:
        """POST /experiments/{id}/unarchive."""
        await experiment_routes.put_any(await self._call(request, {"state": "active"}))
        return _done("Unarchived.")

    async def set_budget(self, request: Request) -> Response:
        """POST /experiments/{id}/budget with `budget`: a number, or nothing for an unlimited one."""
        given = (await _fields(request)).get("budget")
        if given in (None, ""):
            budget = None
        elif isinstance(given, str) and given.isascii() and given.isdigit() and len(given) < 10:
            budget = int(given)
        else:
            raise BadRequest("A budget is a whole number of training runs, or empty for an unlimited one")
        await experiment_routes.put_any(await self._call(request, {"budget": budget}))
        return _done(f"The budget is {budget if budget is not None else 'unlimited'} now.")

    async def suggest(self, request: Request) -> Response:
        """POST /experiments/{id}/suggest with the name and value of each parameter, as text: queued, and given out before any other."""
        fields = await _fields(request)
        experiment: Any = await experiment_routes.get_any(await self._call(request, {}))
        kinds = {one["name"]: one["type"] for one in experiment["parameters"]}
        given = {name: _value(name, value, kinds.get(name, "categorical")) for name, value in fields.items() if value != ""}
        return await self._queue(request, str(experiment["id"]), given)

    async def repeat(self, request: Request) -> Response:
        """POST /experiments/{id}/repeat with `training_run`: its assignments are queued for another training run."""
        wanted = (await _fields(request)).get("training_run")
        if not isinstance(wanted, str):
            raise BadRequest("No training run has a result yet")
        row = await self._service.store.do(lambda connection: run_store.get(connection, wanted))
        if str(row["experiment"]) != request.path_params["id"]:
            raise BadRequest(f"Training run {wanted[:20]} belongs to another experiment")
        return await self._queue(request, request.path_params["id"], row["data"]["assignments"])

    async def repeat_run(self, request: Request) -> Response:
        """POST /training-runs/{id}/repeat: the same, from the training run's own page."""
        await _fields(request)
        row = await self._service.store.do(lambda connection: run_store.get(connection, request.path_params["id"]))
        if row["experiment"] is None:
            raise BadRequest("It belongs to no experiment: `trialflow run` runs it again")
        return await self._queue(request, str(row["experiment"]), row["data"]["assignments"])

    async def stop_run(self, request: Request) -> Response:
        """POST /training-runs/{id}/stop: it fails in the service, and its worker learns of that when it renews its lease."""
        await _fields(request)

        def check(connection: Connection) -> None:
            row = run_store.get(connection, request.path_params["id"])
            if row["completed"] is not None:
                raise ApiError(409, f"It is {row['state']} already")
            if not worker_store.executes(connection, row, moment=time.time()):
                raise ApiError(409, "No worker of trialflow executes it, so nobody would end it; stop it where it was started")

        await self._service.store.do(check)
        await run_routes.merge(await self._call(request, {"state": "failed", "dev_metadata": {REASON: STOPPED_BY_USER}}))
        return _done("It has failed: stopped by the user. Whoever executes it ends it within some seconds.")

    async def stop(self, request: Request) -> Response:
        """POST /experiments/{id}/stop: end the work on it, wherever it is done."""
        experiment: Any = await experiment_routes.get_any(await self._call(request, {}))
        command = [
            sys.executable,
            "-m",
            "trialflow",
            "experiment",
            "stop",
            f"experiment/{experiment['id']}",
            "-p",
            experiment["project"] or "default",
        ]
        own = {"SIGOPT_API_URL": self._service.url, "SIGOPT_API_TOKEN": self._service.tokens.token, "TRIALFLOW_HOME": str(self._service.home.root)}
        process = await asyncio.create_subprocess_exec(
            *command,
            env={**os.environ, **own},
            cwd="/",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            raise ApiError(503, f"It has not stopped within {STOP_SECONDS:g} s; `trialflow experiment show` says how it is") from None
        text = clean(said.decode(errors="replace")).strip()[-2000:]
        if process.returncode:
            raise ApiError(409, text or "It could not be stopped")
        return _done(text)

    async def _queue(self, request: Request, experiment: str, assignments: Mapping[str, Any]) -> Response:
        call = await self._call(request, {"assignments": dict(assignments)})
        call.path["experiment"] = call.path["id"] = experiment
        await suggestion_routes.create_queued(call)
        shown: Any = await experiment_routes.get_any(await self._call(request, {}, id=experiment))
        facts = experiment_facts(shown)
        is_spent = facts["budget"] is not None and facts["done"] >= facts["budget"]
        return _done("Queued. The next training run gets it." + (" The budget is spent, so raise that too." if is_spent else ""))

    async def _call(self, request: Request, body: dict[str, Any], **path: str) -> Call:
        """A request of the API on behalf of whoever is signed in."""
        return Call(request, self._service, body, {}, {**request.path_params, **path})


async def _fields(request: Request) -> dict[str, Any]:
    return json_object(await read_body(request, LARGEST, SECONDS))


def _value(name: str, text: Any, kind: str) -> Any:
    """What a field of a form holds: a number for a numeric parameter, as Python would read it."""
    if not isinstance(text, str) or kind == "categorical":
        return text
    try:
        return int(text) if kind == "int" else float(text)
    except ValueError:
        raise BadRequest(
            f"{text[:40]!r} is no value for the parameter {name[:100]}, which takes {'an integer' if kind == 'int' else 'a number'}"
        ) from None


def _done(message: str) -> Response:
    return Response(json_text.dump({"message": message}), media_type="application/json")
