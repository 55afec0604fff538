"""A plain HTTP gateway before a server, which a test has misbehave: wrong answers, a network that is gone, somebody killed at an exact request."""

import asyncio
import base64
import contextlib
import logging
import re
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import yaml
from aiohttp import web

from tests import given
from tests.background_loop import BackgroundLoop

Fault = web.Response | None
QUIET = logging.getLogger("gateway")
QUIET.setLevel(logging.CRITICAL)
"""What is dropped on purpose is no error."""


@dataclass(frozen=True)
class Seen:
    """A request that came: `path` with its query, `body` as it was sent, who sent it by `agent`."""

    method: str
    path: str
    body: bytes
    agent: str

    @property
    def is_watch(self) -> bool:
        """Whether it asks for a watch."""
        return "watch=true" in self.path

    def matches(self, method: str, pattern: str, holding: bytes = b"") -> bool:
        """Whether it is such a request: its path matched in full, up to the query."""
        return self.method == method and bool(re.fullmatch(pattern, self.path.partition("?")[0])) and holding in self.body


class Gateway:
    """Passes requests on to `upstream` and keeps them in `seen`. `fault` may answer instead; `before` and `after` are called in their moments.

    What they do is done while the one who asked waits: `before` a request is passed on, `after` it was answered and before the answer is given.
    Either may return True to drop it: the connection is cut.
    """

    def __init__(self, upstream: str, context: ssl.SSLContext | bool = True) -> None:
        self.upstream = upstream.rstrip("/")
        self.seen: list[Seen] = []
        self.fault: Callable[[Seen], Fault] = lambda seen: None
        self.before: Callable[[Seen], bool | None] = lambda seen: None
        self.after: Callable[[Seen], bool | None] = lambda seen: None
        self.watches = 0
        self.most_watches = 0
        self._context = context
        self._port = 0
        self._open: set[asyncio.Transport] = set()
        self._background = BackgroundLoop()
        self._server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._port}"

    @contextmanager
    def running(self) -> Iterator["Gateway"]:
        """Serve in a thread."""
        with self._background.running() as background:
            background.do(self._begin())
            try:
                yield self
            finally:
                background.do(self._end())

    def cut(self) -> None:
        """The network is gone: connections are cut, new ones refused."""
        self._background.do(self._close())

    def mend(self) -> None:
        """The network is back."""
        self._background.do(self._listen())

    async def _begin(self) -> None:
        connector = aiohttp.TCPConnector(limit=0, ssl=self._context)
        self._session = aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(), auto_decompress=False)
        self._handler = web.Server(self._answer, access_log=None, logger=QUIET)
        await self._listen()

    async def _listen(self) -> None:
        self._server = await self._background.loop.create_server(self._handler, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        for transport in list(self._open):
            transport.abort()
        self._server = None

    async def _end(self) -> None:
        await self._close()
        await self._handler.shutdown(1)
        await self._session.close()

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        seen = Seen(request.method, request.raw_path, await request.read(), request.headers.get("User-Agent", ""))
        self.seen.append(seen)
        transport = request.transport
        if transport is None:
            raise ConnectionResetError
        self._open.add(transport)
        self.watches += seen.is_watch
        self.most_watches = max(self.most_watches, self.watches)
        try:
            if (wrong := self.fault(seen)) is not None:
                return wrong
            if self.before(seen):
                transport.abort()
                raise ConnectionResetError
            return await self._pass_on(request, seen, transport)
        finally:
            self.watches -= seen.is_watch
            self._open.discard(transport)

    async def _pass_on(self, request: web.BaseRequest, seen: Seen, transport: asyncio.Transport) -> web.StreamResponse:
        kept = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection", "content-length")}
        async with self._session.request(request.method, self.upstream + seen.path, data=seen.body or None, headers=kept) as upstream:
            if self.after(seen):
                transport.abort()
                raise ConnectionResetError
            unwanted = ("connection", "content-length", "transfer-encoding")
            answer = web.StreamResponse(
                status=upstream.status, headers={name: value for name, value in upstream.headers.items() if name.lower() not in unwanted}
            )
            await answer.prepare(request)
            with contextlib.suppress(ConnectionResetError):  # who asked is gone
                async for chunk in upstream.content.iter_any():
                    await answer.write(chunk)
                await answer.write_eof()
            return answer


@contextmanager
def before_cluster(folder: Path) -> Iterator[tuple[Gateway, str]]:
    """A gateway that signs in to the cluster of the tests, and a kubeconfig that leads to it."""
    document = yaml.safe_load(Path(given.kubeconfig()).read_text())
    facts, user = document["clusters"][0]["cluster"], document["users"][0]["user"]
    context = ssl.create_default_context(cadata=base64.b64decode(facts["certificate-authority-data"]).decode())
    pair = folder / "pair.pem"
    pair.write_bytes(base64.b64decode(user["client-certificate-data"]) + base64.b64decode(user["client-key-data"]))
    context.load_cert_chain(pair)
    pair.unlink()
    with Gateway(facts["server"], context).running() as gateway:
        document["clusters"][0]["cluster"] = {"server": gateway.url}
        document["users"][0]["user"] = {"token": "none"}
        path = folder / "kubeconfig-of-the-gateway"
        path.write_text(yaml.safe_dump(document))
        yield gateway, str(path)
