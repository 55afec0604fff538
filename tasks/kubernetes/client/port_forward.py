"""Connections to ports of a pod through the Kubernetes API, as `kubectl port-forward` makes them. Each is a websocket of its own.

The protocol is `v4.channel.k8s.io`: every message begins with the number of its channel, 0 for data and 1 for what went wrong, and the first message
of each channel holds the port. Whoever may `get` and `create` `pods/portforward` reaches the pod's loopback; nothing of it is open to the network.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import aiohttp

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterError, explain_answer, explained

PROTOCOL = "v4.channel.k8s.io"
DATA, ERROR = 0, 1
CHUNK = 1 << 16


@asynccontextmanager
async def forwarded(
    connection: Connection, pod: str, ports: Mapping[int, int], *, on_trouble: Callable[[ClusterError], None] = lambda error: None
) -> AsyncIterator[dict[int, int]]:
    """Listen on loopback for each of `ports` (of the pod -> here; 0 is any free one). Yields where each port of the pod is found here.

    The pod may be replaced meanwhile: each connection finds the one that is there then. What becomes of a connection that cannot be made is told
    to `on_trouble`; whoever opened it finds it closed. Raises `OSError` if a port is taken.
    """
    beside: set[asyncio.Task[None]] = set()
    servers: list[asyncio.Server] = []

    def taker(port: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.create_task(_serve(connection, pod, port, reader, writer, on_trouble))
            beside.add(task)
            task.add_done_callback(beside.discard)

        return take

    try:
        for port, local in ports.items():
            servers.append(await asyncio.start_server(taker(port), "127.0.0.1", local))
        yield {port: server.sockets[0].getsockname()[1] for port, server in zip(ports, servers, strict=True)}
    finally:
        for server in servers:
            server.close()
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)


async def _serve(
    connection: Connection,
    pod: str,
    port: int,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    on_trouble: Callable[[ClusterError], None],
) -> None:
    try:
        socket = await open_port(connection, pod, port)
        try:
            await relay(socket, reader, writer, what=f"reach port {port} of pod {pod}")
        finally:
            await socket.close()
    except ClusterError as error:
        on_trouble(error)
    except OSError:
        pass  # whoever opened it is gone
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def open_port(connection: Connection, pod: str, port: int) -> aiohttp.ClientWebSocketResponse:
    """A websocket that leads to a port of a pod. Raises `ClusterError`."""
    what = f"reach port {port} of pod {pod}"
    path = f"/api/v1/namespaces/{connection.namespace}/pods/{pod}/portforward?ports={port}"
    async with explained(what, server=connection.server):
        try:
            return await connection.open_websocket(path, PROTOCOL)
        except aiohttp.WSServerHandshakeError as error:
            raise explain_answer(what, error.status, None, _refusal(error.status)) from error


async def relay(socket: aiohttp.ClientWebSocketResponse, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, what: str) -> None:
    """Carry what both sides say, until one of them ends. Raises `ClusterError` if the pod's side reports an error."""
    sides = [asyncio.create_task(_up(socket, reader)), asyncio.create_task(_down(socket, writer, what))]
    await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
    for side in sides:
        side.cancel()
    for ended in await asyncio.gather(*sides, return_exceptions=True):
        if isinstance(ended, ClusterError):
            raise ended


async def _up(socket: aiohttp.ClientWebSocketResponse, reader: asyncio.StreamReader) -> None:
    while data := await reader.read(CHUNK):
        await socket.send_bytes(bytes([DATA]) + data)


async def _down(socket: aiohttp.ClientWebSocketResponse, writer: asyncio.StreamWriter, what: str) -> None:
    begun: set[int] = set()
    async for message in socket:
        if message.type != aiohttp.WSMsgType.BINARY or not message.data:
            continue
        channel, data = message.data[0], message.data[1:]
        if channel not in begun:  # the port, which we know
            begun.add(channel)
        elif channel == DATA:
            writer.write(data)
            await writer.drain()
        elif channel == ERROR and data:
            raise explain_answer(what, 502, data)


def _refusal(status: int) -> str:
    """What a status means here: a refused websocket has no body to read."""
    reasons = {
        403: "the right to get and create pods/portforward is missing",
        404: "there is no such pod",
        500: "the pod is not running",
    }
    return reasons.get(status, "no websocket")
