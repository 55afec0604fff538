"""An API server that says what a script tells it to: lists of pods, watches that end, break off or expire, and logs that are cut anywhere."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection, open_cluster
from tasks.kubernetes.client.labels import CONTAINER


class Cut(Exception):
    """The connection breaks off in the middle of an answer."""


def pod(job: str, version: int = 1, *, uid: str | None = None, state: dict[str, Any] | None = None, **metadata: Any) -> dict[str, Any]:
    """A pod of a Job. `state` is that of the model's container."""
    statuses = [{"name": CONTAINER, "state": state}] if state else []
    kept = {"name": f"{job}-pod", "uid": uid or job, "labels": {"batch.kubernetes.io/job-name": job}, "resourceVersion": str(version)}
    return {
        "metadata": {**kept, "creationTimestamp": "2026-01-01T00:00:00Z", **metadata},
        "spec": {"nodeName": "n1"},
        "status": {"phase": "Running" if state else "Pending", "containerStatuses": statuses},
    }


def event(kind: str, thing: dict[str, Any]) -> bytes:
    """A line of a watch."""
    return json.dumps({"type": kind, "object": thing}).encode() + b"\n"


def bookmark(version: int) -> bytes:
    """A line that says no more than how far the watch has come."""
    return event("BOOKMARK", {"kind": "Pod", "metadata": {"resourceVersion": str(version)}})


class ScriptedServer:
    """`lists`, `watches` and `logs` are answers, one for each request; when one kind has run out, lists repeat the last and streams stay open.

    A watch or log is a sequence of pieces of bytes; `Cut` in it breaks the connection off, an int as the whole answer is a status.
    """

    def __init__(self) -> None:
        self.lists: list[list[dict[str, Any]] | int] = [[]]
        self.watches: list[Sequence[bytes | type[Cut]] | int] = []
        self.logs: list[Sequence[bytes | type[Cut]] | int] = []
        self.asked: list[dict[str, str]] = []
        self.version = 1

    def queries(self, kind: str) -> list[dict[str, str]]:
        """The queries of all requests of a kind: list, watch or log."""
        return [query for query in self.asked if query["kind"] == kind]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        kind = (
            "log"
            if request.path.endswith("/log")
            else "watch"
            if request.query.get("watch")
            else "list"
            if request.path.endswith("/pods")
            else "other"
        )
        self.asked.append({"kind": kind, "path": request.path, **request.query})
        if kind == "other":
            return self._refuse(404)
        if kind == "list":
            listed = self.lists.pop(0) if len(self.lists) > 1 else self.lists[0]
            if isinstance(listed, int):
                return self._refuse(listed)
            return web.json_response({"metadata": {"resourceVersion": str(self.version)}, "items": listed})
        script = self.watches if kind == "watch" else self.logs
        return await self._stream(request, script.pop(0) if script else None)

    async def _stream(self, request: web.Request, pieces: Sequence[bytes | type[Cut]] | int | None) -> web.StreamResponse:
        if isinstance(pieces, int):
            return self._refuse(pieces)
        response = web.StreamResponse()
        await response.prepare(request)
        for piece in pieces or ():
            if isinstance(piece, bytes):
                await response.write(piece)
            elif request.transport is not None:
                await asyncio.sleep(0.01)  # what was written is sent
                request.transport.abort()
                return response
        if pieces is None:
            await asyncio.Event().wait()
        return response

    def _refuse(self, status: int) -> web.Response:
        return web.json_response({"kind": "Status", "message": "by the script", "reason": "Scripted", "code": status}, status=status)


@asynccontextmanager
async def serving(server: ScriptedServer) -> AsyncIterator[Connection]:
    """A connection to the server, which answers while it is open."""
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    kubeconfig = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
    }
    try:
        async with open_cluster(Cluster("scripted", namespace="tests", kubeconfig=kubeconfig, context="c")) as connection:
            yield connection
    finally:
        await runner.cleanup()
