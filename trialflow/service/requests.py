"""What an endpoint is given: one request, read within limits of size and time, its token checked. And how a request is refused."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import Connection
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from trialflow.service import json_text
from trialflow.service.errors import ApiError, BadRequest, NotFound
from trialflow.service.run_scope import check_request
from trialflow.service.service import Service
from trialflow.service.store import run_tokens, workers
from trialflow.service.tokens import RunToken, token_of

T = TypeVar("T")

LARGEST_BODY = 4 << 20
LARGEST_BATCH_BODY = 32 << 20
"""For 10,000 training runs, or 2,500 observations, in one request."""
LARGE_BODY = 256 << 10
"""From this size on, a body is parsed in a thread: other requests go on meanwhile."""
BODY_SECONDS = 30.0
LONGEST_QUERY = 16 << 10
WORKER = "x-trialflow-worker"
"""The header with which a worker of an experiment names its lease: `ID.TOKEN`."""


@dataclass
class Call:
    """One request: `body` is its JSON object, `query` its query, `path` the variables of its path."""

    request: Request
    service: Service
    body: dict[str, Any]
    query: dict[str, Any]
    path: dict[str, str]
    guest: int | None = None
    """The only experiment that the token may read."""
    worker: tuple[str, str] | None = None
    """Id and token of the worker that the request is from, if it says so."""
    model: RunToken | None = None
    """The token of the training run whose model this is from; it is good for that training run alone."""

    async def do(self, job: Callable[[Connection], T]) -> T:
        """Do a job on the store; for a worker only if its lease is still its own, for a model only while its training run lasts.

        Raises what `StoreThread.do` raises, and what `workers.check` and `run_tokens.check` do.
        """
        worker, model = self.worker, self.model
        if worker is None and model is None:
            return await self.service.store.do(job)

        def fenced(connection: Connection) -> T:
            if worker is not None:
                workers.check(connection, *worker)
            if model is not None:
                run_tokens.check(connection, model)
            return job(connection)

        return await self.service.store.do(fenced)


async def read_call(request: Request, service: Service, route: str) -> Call:
    """A request of a `route` as a `Call`. Raises `ApiError` for a token, a body or a query that is not accepted."""
    token, path = token_of(request.headers.get("authorization")), dict(request.path_params)
    model = service.tokens.run_token(token)
    guest = service.tokens.experiment_of(token) if model is None else None
    for value in path.values():
        if "\0" in value:
            raise NotFound("object", repr(value))
    if guest is not None:
        _check_guest(request, path, guest)
    if model is not None:
        run = await service.store.do(lambda connection: run_tokens.check(connection, model))
        check_request(run, request.method, route, path)
    largest = LARGEST_BATCH_BODY if request.url.path.endswith("/batch") else LARGEST_BODY
    text = await read_body(request, largest, BODY_SECONDS)
    body = await asyncio.to_thread(json_object, text) if len(text) > LARGE_BODY else json_object(text)
    return Call(request, service, body, read_query(request), path, guest, _worker_of(request), model)


async def read_body(request: Request, largest: int, seconds: float) -> bytes:
    """The body. Raises `ApiError` if it is larger than `largest` bytes or takes longer than `seconds` to arrive."""
    chunks, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > largest:
                    raise BadRequest(f"The body is larger than {largest} bytes")
                chunks.append(chunk)
    except TimeoutError:
        raise ApiError(408, f"The body did not arrive within {seconds:g} seconds") from None
    except ClientDisconnect:
        raise ApiError(400, "The connection ended before the body did") from None
    return b"".join(chunks)


def _worker_of(request: Request) -> tuple[str, str] | None:
    if (named := request.headers.get(WORKER)) is None:
        return None
    identifier, _, token = named.partition(".")
    return identifier, token


def json_object(text: bytes) -> dict[str, Any]:
    """The JSON object that a body is; an empty one for none. Raises `BadRequest`."""
    if not text.strip():
        return {}
    data = json_text.parse(text)
    if not isinstance(data, dict):
        raise BadRequest("Expected a JSON object")
    return data


def read_query(request: Request) -> dict[str, Any]:
    """The query's arguments: lists and objects as JSON, true and false as Python or JSON writes them, everything else as text."""
    if len(request.url.query) > LONGEST_QUERY:
        raise BadRequest(f"The query is longer than {LONGEST_QUERY} bytes")
    result: dict[str, Any] = {}
    for key, value in request.query_params.items():
        json_text.check_text(value)
        if value[:1] in ("[", "{") and key in JSON_ARGUMENTS:
            result[key] = json_text.parse(value.encode())
        else:
            result[key] = value if key in TEXT_ARGUMENTS else {"true": True, "false": False}.get(value.lower(), value)
    return result


JSON_ARGUMENTS = ("filters",)
TEXT_ARGUMENTS = ("search",)


def is_set(call: Call, name: str) -> bool:
    """A true-or-false argument, from the body or the query; false if it is missing or null. Raises `BadRequest` for anything else."""
    value = call.body.get(name, call.query.get(name))
    if value is not None and not isinstance(value, bool):
        raise BadRequest(f"Invalid value for {name}: expected true or false")
    return bool(value)


def refusal(status: int, message: str) -> Response:
    """The answer with an error status."""
    headers = {401: {"WWW-Authenticate": "Basic"}, 408: {"Connection": "close"}}.get(status)
    return Response(json_text.dump({"message": message, "status": status}), status, headers, "application/json")


def _check_guest(request: Request, path: dict[str, str], guest: int) -> None:
    """A guest token reads its experiment, and itself."""
    parts = [part for part in request.url.path.split("/") if part not in ("", "api", "v1")]
    is_own = parts[:1] in (["experiments"], ["aiexperiments"]) and parts[1:2] == [str(guest)]
    if request.method != "GET" or not (is_own or parts[:1] == ["tokens"]):
        raise ApiError(403, f"This token can only read experiment {guest}")
