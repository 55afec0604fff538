"""The relay knows the service by its Unix socket, where it has one: the port proves nothing."""

import http.server
import os
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trialflow.launcher.upstream import Upstream

seen: list[str] = []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        seen.append(self.headers["Authorization"])
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_: object) -> None:
        pass


class UnixServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True

    def get_request(self) -> tuple[object, tuple[str, int]]:
        return super().get_request()[0], ("unix", 0)


@contextmanager
def serving(server: socketserver.BaseServer) -> Iterator[None]:
    seen.clear()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize("name", ["short", "long" * 40])
def test_a_service_is_asked_by_its_socket_however_long_its_path(tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / name
    folder.mkdir()
    monkeypatch.chdir(folder)
    server = UnixServer("socket", Handler)
    monkeypatch.chdir("/")
    upstream = Upstream("http://127.0.0.1:9", "secret", str(folder / "socket"))
    with serving(server):
        assert upstream.ask("GET", ["v1", "tokens", "self"], "", b"", {})[0] == 200
    assert len(seen) == 1


def test_who_has_the_port_of_a_dead_service_is_sent_nothing(tmp_path: Path) -> None:
    neighbour = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{neighbour.server_port}"
    with serving(neighbour):
        with pytest.raises(OSError):
            Upstream(url, "secret", os.fspath(tmp_path / "socket")).ask("GET", ["v1"], "", b"", {})
        assert seen == []
        assert Upstream(url, "secret").ask("GET", ["v1"], "", b"", {})[0] == 200  # without a socket the port is all there is
