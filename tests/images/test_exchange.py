"""What goes to a registry and comes from it: logins stay at their own origin, answers stay small, redirects stay safe."""

import gzip
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from tasks.images.errors import RegistryRefused, RegistryUnavailable
from tasks.images.exchange import LARGEST, UnsafeAnswer, as_json, exchange, is_own_realm, shown, unpacked
from tasks.images.login import Login
from tasks.images.references import parse
from tasks.images.session import RegistrySession

LOGIN = Login("ada", "s3cret")
Answer = tuple[int, dict[str, str], bytes]


class Server:
    """A server on loopback that answers as it is told, and keeps what it was asked with which login."""

    def __init__(self, answer: Callable[[str], Answer]) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str | None]] = []
        self.address = ""


@contextmanager
def served(answer: Callable[[str], Answer]) -> Iterator[Server]:
    state = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the base class's name
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            state.asked.append((self.path, self.headers.get("Authorization")))
            status, headers, body = state.answer(self.path)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        do_HEAD = do_POST = do_DELETE = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    state.address = f"127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()


def session(server: Server, login: Login | None = LOGIN) -> RegistrySession:
    return RegistrySession(parse(f"{server.address}/team/model"), login=login, find_login=lambda registry: None)


def basic(path: str) -> Answer:
    return 401, {"WWW-Authenticate": 'Basic realm="tests"'}, b"{}"


async def test_a_login_does_not_follow_a_redirect_to_another_origin() -> None:
    with served(lambda path: (200, {}, b"{}")) as other:

        def answer(path: str) -> Answer:
            if path == "/v2/" or len(registry.asked) < 3:
                return basic(path)
            return 307, {"Location": f"http://{other.address}/layer"}, b""

        with served(answer) as registry:
            async with session(registry) as opened:
                assert (await opened.request("GET", "blobs/x")).status_code == 200
            assert registry.asked[-1][1] and other.asked == [("/layer", None)]


async def test_a_login_does_not_go_to_an_absolute_address_elsewhere() -> None:
    with served(lambda path: (202, {}, b"")) as other, served(lambda path: basic(path) if len(registry.asked) < 3 else (200, {}, b"{}")) as registry:
        async with session(registry) as opened:
            await opened.request("GET", "manifests/1")
            await opened.request("DELETE", f"http://{other.address}/upload")
        assert other.asked == [("/upload", None)]


async def test_tokens_are_asked_for_without_redirects() -> None:
    with served(lambda path: (200, {}, b'{"token": "stolen"}')) as other:

        def answer(path: str) -> Answer:
            if path.startswith("/token"):
                return 302, {"Location": f"http://{other.address}/token"}, b""
            return 401, {"WWW-Authenticate": f'Bearer realm="http://{registry.address}/token"'}, b"{}"

        with served(answer) as registry:
            async with session(registry) as opened:
                with pytest.raises(RegistryUnavailable, match="gave us none"):
                    await opened.request("GET", "manifests/1")
        assert other.asked == []


async def test_a_login_goes_to_no_stranger_that_a_registry_names() -> None:
    challenge = {"WWW-Authenticate": 'Bearer realm="http://tokens.invalid/token"'}
    with served(lambda path: (401, challenge, b"{}")) as registry:
        async with session(registry) as opened:
            with pytest.raises(RegistryRefused, match=r"sent to http://tokens\.invalid/token") as caught:
                await opened.request("GET", "manifests/1")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("registry", "realm", "is_own"),
    [
        ("https://registry-1.docker.io", "https://auth.docker.io/token", True),
        ("https://registry.gitlab.com", "https://gitlab.com/jwt/auth", True),
        ("https://ghcr.io", "https://ghcr.io/token", True),
        ("https://registry.example.com", "https://registry.example.com:5001/token", True),
        ("http://127.0.0.1:5000", "http://127.0.0.1:5001/token", True),
        ("https://registry.example.com", "http://registry.example.com/token", False),
        ("https://registry.example.com", "https://evil.com/token", False),
        ("https://registry.example.com", "https://example.com.evil.net/token", False),
        ("https://registry.a.co.uk", "https://b.co.uk/token", False),
        ("https://registry.a.co.uk", "https://auth.a.co.uk/token", True),
        ("https://10.0.0.1", "https://10.0.0.2/token", False),
        ("https://ghcr.io", "https://user:pass@ghcr.io/token", False),
        ("https://ghcr.io", "file:///etc/passwd", False),
        ("http://localhost:5000", "http://otherhost/token", False),
    ],
)
def test_a_registrys_login_is_for_its_own_host_or_domain(registry: str, realm: str, is_own: bool) -> None:
    assert is_own_realm(httpx.URL(registry), httpx.URL(realm)) == is_own


@pytest.mark.parametrize(
    ("headers", "body"),
    [({}, b"x" * (LARGEST + 1)), ({"Content-Encoding": "gzip"}, gzip.compress(b"0" * (LARGEST + 1))), ({"Content-Encoding": "br"}, b"{}")],
    ids=["large", "bomb", "packing"],
)
async def test_an_answer_is_small_also_when_it_is_unpacked(headers: dict[str, str], body: bytes) -> None:
    with served(lambda path: (200, headers, body)) as registry:
        async with session(registry) as opened:
            with pytest.raises(RegistryUnavailable, match="larger than 4 MiB|packed as 'br'"):
                await opened.request("GET", "manifests/1")


async def test_a_redirect_goes_on_in_tls_and_not_for_ever() -> None:
    def to(location: str) -> Callable[[httpx.Request], httpx.Response]:
        return lambda request: httpx.Response(302, headers={"Location": location}, stream=httpx.ByteStream(b""))

    for start, location, words in (
        ("https://r/x", "http://r/x", "from https"),
        ("https://r/x", "ftp://r/x", "not followed"),
        ("http://r/x", "/x", "than 5"),
    ):
        async with httpx.AsyncClient(transport=httpx.MockTransport(to(location))) as client:
            with pytest.raises(UnsafeAnswer, match=words):
                await exchange(client, "GET", start)


def test_a_packed_answer_of_a_registry_is_read() -> None:
    assert unpacked(gzip.compress(b"{}"), "gzip") == b"{}" and unpacked(b"{}", "") == b"{}"
    with pytest.raises(UnsafeAnswer, match="damaged"):
        unpacked(b"not gzip", "gzip")


def test_a_deep_answer_is_no_object() -> None:
    assert as_json(httpx.Response(200, content=b"[" * 100_000)) == {} and as_json(httpx.Response(200, content=json.dumps([1]).encode())) == {}


def test_an_address_is_shown_without_what_may_be_secret() -> None:
    assert shown(httpx.URL("https://ada:s3cret@r.example.com/token?password=x#y")) == "https://r.example.com/token"
