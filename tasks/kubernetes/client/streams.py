"""Answers of the API server that go on for long: watches and logs."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from tasks.kubernetes.client.connection import CONNECT_SECONDS, Connection
from tasks.kubernetes.client.errors import explain_answer, explained


@asynccontextmanager
async def streamed(
    connection: Connection, path: str, *, what: str, query: Mapping[str, Any], silence: float | None = None
) -> AsyncIterator[aiohttp.StreamReader]:
    """The body of a GET as it comes. `what` completes "could not ..."; `silence` is for how many seconds nothing may come. Raises `ClusterError`."""
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
