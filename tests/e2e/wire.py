"""A network between somebody and a server on this machine, byte by byte: it can be cut and mended, and remembers what was asked for."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.background_loop import BackgroundLoop

REQUEST = re.compile(rb"(?:GET|POST|PUT|PATCH|DELETE) (/\S*) HTTP/1")


class Wire:
    """Passes on what comes to `port` to the server at `target`. `asked` are the paths of the requests that came."""

    def __init__(self, target: int) -> None:
        self.target = target
        self.port = 0
        self.asked: list[str] = []
        self._background = BackgroundLoop()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @contextmanager
    def running(self) -> Iterator["Wire"]:
        """Serve in a thread."""
        with self._background.running():
            self.mend()
            try:
                yield self
            finally:
                self.cut()

    def cut(self) -> None:
        """The server is away: connections are cut, new ones refused."""
        self._background.do(self._close())

    def mend(self) -> None:
        """It is back."""
        self._background.do(self._listen())

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        if self._server:
            self._server.close()
            self._server = None
        for writer in list(self._open):
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, to_server = await asyncio.open_connection("127.0.0.1", self.target)
            self._open |= {writer, to_server}
            await asyncio.gather(self._copy(reader, to_server, is_asking=True), self._copy(there, writer))
        self._open.discard(writer)
        writer.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_asking: bool = False) -> None:
        with suppress(OSError):
            while chunk := await source.read(1 << 16):
                if is_asking:
                    self.asked += [path.decode() for path in REQUEST.findall(chunk)]
                sink.write(chunk)
                await sink.drain()
        self._open.discard(sink)
        sink.close()
