"""Requests to the API server: one object, lists page by page, answers that go on for long.

Objects are plain JSON: models for thousands of pods would cost seconds.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tasks.kubernetes.client.connection import CONNECT_SECONDS, Connection
from tasks.kubernetes.client.errors import explain_answer, explained

Json = dict[str, Any]
PAGE = 500


async def ask(connection: Connection, method: str, path: str, *, what: str, query: Mapping[str, Any] | None = None, body: Json | None = None) -> Json:
    """One request and its JSON; a PATCH is a merge patch. `what` completes "could not ...". Raises `ClusterError`."""
    headers = {"Accept": "application/json", "Content-Type": "application/merge-patch+json" if method == "PATCH" else "application/json"}
    async with explained(what, server=connection.server):
        return await connection.api.call_api(
            path,
            method,
            query_params=list((query or {}).items()),
            header_params=headers,
            body=body,
            response_types_map={200: "object", 201: "object", 202: "object"},
            _return_http_data_only=True,
        )


async def delete_exactly(connection: Connection, path: str, uid: str, *, what: str, propagation: str | None = None) -> None:
    """Delete the object at `path` if it is still the one with this `uid`, and not a later one of its name. Raises `ClusterError`, as `ask` does.

    `propagation` is Kubernetes' `propagationPolicy`. All options are in the body: beside one, the API server reads none from the query.
    """
    options = {"propagationPolicy": propagation} if propagation else {}
    body = {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {"uid": uid}, **options}
    await ask(connection, "DELETE", path, what=what, body=body)


async def listed(connection: Connection, path: str, *, what: str, labels: str | None = None, fields: str | None = None) -> list[Json]:
    """All objects under `path`, with a label and a field selector. Raises `ClusterError`."""
    query: Json = {"limit": PAGE}
    if labels:
        query["labelSelector"] = labels
    if fields:
        query["fieldSelector"] = fields
    found: list[Json] = []
    while True:
        page = await ask(connection, "GET", path, what=what, query=query)
        found += page.get("items") or []
        if not (more := (page.get("metadata") or {}).get("continue")):
            return found
        query["continue"] = more


@asynccontextmanager
async def streamed(
    connection: Connection, path: str, *, what: str, query: Mapping[str, Any], silence: float | None = None
) -> AsyncIterator[aiohttp.StreamReader]:
    """The body of a GET as it comes, of a watch or a log. `silence` is for how many seconds nothing may come. Raises `ClusterError`."""
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_SECONDS, sock_read=silence)
    async with explained(what, server=connection.server):
        answer = await connection.api.call_api(
            path,
            "GET",
            query_params=[(name, value) for name, value in query.items() if value is not None],
            header_params={"Accept": "*/*"},
            _preload_content=False,
            _return_http_data_only=True,
            _request_timeout=timeout,
        )
        try:
            if answer.status >= 300:
                raise explain_answer(what, answer.status, await answer.text(), answer.reason or "")
            yield answer.content
        finally:
            answer.close()


def has_condition(thing: Mapping[str, Any], *types: str) -> bool:
    """Whether one of these conditions of a node, a Job or a pod is true."""
    conditions = (thing.get("status") or {}).get("conditions") or []
    return any(one.get("status") == "True" and one.get("type") in types for one in conditions)
