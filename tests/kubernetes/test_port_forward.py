"""Ports of a pod through the API: against a scripted API server, which speaks the protocol or breaks it."""

import asyncio
import threading
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection, open_cluster
from tasks.kubernetes.client.errors import ClusterError, ClusterRefused, ClusterUnavailable
from tasks.kubernetes.client.port_forward import PROTOCOL, forwarded
from tasks.kubernetes.client.tunnel import Tunnel

Script = Callable[[web.WebSocketResponse], Awaitable[None]]
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"


class Api:
    """An API server with one pod `web`. `script` is what the pod's port does; `refusals` are statuses that are answered first."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.refusals: list[int] = []
        self.asked: list[web.Request] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request)
        if self.refusals:
            return web.json_response({"kind": "Status", "code": 0}, status=self.refusals.pop(0))
        socket = web.WebSocketResponse(protocols=[PROTOCOL])
        await socket.prepare(request)
        port = int(request.query["ports"]).to_bytes(2, "little")
        await socket.send_bytes(b"\x00" + port)
        await socket.send_bytes(b"\x01" + port)
        await self.script(socket)
        await socket.close()
        return socket


@asynccontextmanager
async def serving(api: Api) -> AsyncIterator[Cluster]:
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", api.answer)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server = f"http://127.0.0.1:{runner.addresses[0][1]}"
    kubeconfig = {
        "clusters": [{"name": "c", "cluster": {"server": server}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    try:
        yield Cluster("scripted", namespace="tests", kubeconfig=kubeconfig)
    finally:
        await runner.cleanup()


@asynccontextmanager
async def port_of(api: Api, troubles: list[ClusterError]) -> AsyncIterator[tuple[int, Connection]]:
    async with serving(api) as cluster, open_cluster(cluster) as connection:
        async with forwarded(connection, "web", {80: 0}, on_trouble=troubles.append) as ports:
            yield ports[80], connection


async def echo(socket: web.WebSocketResponse) -> None:
    async for message in socket:
        await socket.send_bytes(b"\x00" + message.data[1:].upper())


async def said(port: int, text: bytes) -> bytes:
    """What the port says to a text, until it closes or has said as much."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(text)
    try:
        return await asyncio.wait_for(reader.read(len(text)), 60)
    finally:
        writer.close()


async def test_what_is_said_to_the_port_reaches_the_pod_signed_in_and_its_answer_comes_back_without_the_port_number() -> None:
    api = Api(echo)
    async with port_of(api, troubles := []) as (port, _):
        assert await said(port, b"hello") == b"HELLO"
    (request,) = api.asked
    assert request.path == "/api/v1/namespaces/tests/pods/web/portforward" and request.query["ports"] == "80"
    assert request.headers["authorization"] == "Bearer t" and request.headers["sec-websocket-protocol"] == PROTOCOL
    assert troubles == []


async def test_many_connections_at_once_each_have_a_way_of_their_own() -> None:
    async with port_of(Api(echo), []) as (port, _):
        texts = [f"text {number}".encode() * 30_000 for number in range(8)]

        async def whole(text: bytes) -> bytes:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(text)
            try:
                return await asyncio.wait_for(reader.readexactly(len(text)), 60)
            finally:
                writer.close()

        assert await asyncio.gather(*map(whole, texts)) == [text.upper() for text in texts]


@pytest.mark.parametrize(
    ("status", "kind", "words"),
    [(404, ClusterRefused, "no such pod"), (403, ClusterRefused, "pods/portforward"), (500, ClusterUnavailable, "not running")],
)
async def test_a_refusal_closes_the_connection_and_says_why(status: int, kind: type[ClusterError], words: str) -> None:
    api = Api(echo)
    api.refusals = [status]
    async with port_of(api, troubles := []) as (port, _):
        assert await said(port, b"hello") == b""
        assert await said(port, b"again") == b"AGAIN"
    (trouble,) = troubles
    assert isinstance(trouble, kind) and words in trouble.message and "port 80 of pod web" in trouble.message


async def test_an_error_of_the_port_closes_the_connection_and_is_told() -> None:
    async def refuse(socket: web.WebSocketResponse) -> None:
        await socket.send_bytes(b"\x01" + b"connection refused inside the pod")

    async with port_of(Api(refuse), troubles := []) as (port, _):
        assert await said(port, b"hello") == b""
    assert "connection refused inside the pod" in troubles[0].message


async def test_the_end_of_the_pod_is_the_end_of_the_connection() -> None:
    async def leave(socket: web.WebSocketResponse) -> None:
        await socket.receive()

    async with port_of(Api(leave), []) as (port, _):
        assert await said(port, b"hello") == b""


async def test_a_tunnel_is_open_for_event_loops_of_others_until_it_is_left() -> None:
    async def page(socket: web.WebSocketResponse) -> None:
        await socket.receive()
        await socket.send_bytes(b"\x00" + ANSWER)

    def use(cluster: Cluster) -> tuple[bytes, bool]:
        before = threading.active_count()
        with Tunnel(cluster, "web", {80: 0}) as ports:
            got = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"http://127.0.0.1:{ports[80]}/", timeout=60).read()
        return got, threading.active_count() <= before

    async with serving(Api(page)) as cluster:
        assert await asyncio.to_thread(use, cluster) == (b"ok", True)


async def test_a_tunnel_to_a_port_that_is_taken_is_refused() -> None:
    async with serving(Api(echo)) as cluster, port_of(Api(echo), []) as (taken, _):
        with pytest.raises(OSError):
            await asyncio.to_thread(Tunnel(cluster, "web", {80: taken}).__enter__)
