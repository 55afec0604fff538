import json
import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tasks.images import session as session_module
from tasks.images.errors import ImageMissing, RegistryRefused, RegistryUnavailable
from tasks.images.login import Login
from tasks.images.references import parse
from tasks.images.registry import by_platform, check_push, choose, find, look_up
from tasks.images.transport import Way
from tests.images.conftest import PASSWORD, USER, logged_in
from tests.waiting import free_port
from trialflow.errors import InvalidInput

pytestmark = pytest.mark.cluster
LOGIN = Login(USER, PASSWORD)


@pytest.fixture
def python_image(shared_registry: str) -> str:
    return f"{shared_registry}/python:3.11-slim"


async def test_an_image_s_facts_are_those_that_docker_has_of_it(python_image: str) -> None:
    facts = await look_up(python_image)
    seen = json.loads(subprocess.check_output(["docker", "image", "inspect", python_image]))[0]
    assert facts.reference in seen["RepoDigests"]
    assert facts.command == tuple(seen["Config"]["Cmd"]) and facts.entrypoint == tuple(seen["Config"]["Entrypoint"] or ())
    assert [f"{name}={value}" for name, value in facts.environment.items()] == seen["Config"]["Env"]
    assert facts.platforms == (f"{seen['Os']}/{seen['Architecture']}",)
    assert facts.size > 0


async def test_an_image_is_found_by_its_digest_and_only_what_is_there_is_found(python_image: str) -> None:
    facts = await look_up(python_image)
    assert await look_up(facts.reference) == facts
    assert await find(python_image) == facts.digest
    assert await find(python_image + "x") is None


async def test_a_tag_that_is_not_there_gets_the_nearest_one(python_image: str) -> None:
    with pytest.raises(ImageMissing) as caught:
        await look_up(python_image + "m")
    assert caught.value.hint == f"did you mean {python_image}?" and caught.value.exit_code == 2


async def test_a_repository_that_is_not_there_is_said_in_the_registry_s_words(shared_registry: str) -> None:
    with pytest.raises(ImageMissing, match="unknown"):
        await look_up(f"{shared_registry}/nothing-{secrets.token_hex(4)}:1")


async def test_another_platform_is_missing_and_those_there_are_are_named(python_image: str) -> None:
    with pytest.raises(ImageMissing, match="linux/s390x, only for linux/amd64"):
        await look_up(python_image, platform="linux/s390x")


async def test_a_port_where_nothing_listens_is_said(unused: str) -> None:
    with pytest.raises(RegistryUnavailable, match=unused):
        await look_up(f"{unused}/model")


async def test_a_host_that_does_not_exist_is_said() -> None:
    with pytest.raises(RegistryUnavailable, match=r"registry\.invalid"):
        await look_up("registry.invalid/model")


async def test_a_server_that_is_no_registry_is_said(web_page: str) -> None:
    with pytest.raises((RegistryUnavailable, ImageMissing)) as caught:
        await look_up(f"{web_page}/model")
    assert web_page in caught.value.message


async def test_pushing_can_be_tried_without_leaving_anything(repository: str) -> None:
    await check_push(repository)
    with pytest.raises(ImageMissing):
        await look_up(repository)


@pytest.mark.parametrize("operation", [look_up, find, check_push])
async def test_without_a_login_it_is_said_how_to_log_in(locked_registry: str, docker_config: Callable[[dict], Path], operation) -> None:
    with pytest.raises(RegistryRefused) as caught:
        await operation(f"{locked_registry}/model")
    assert "without a login (401)" in caught.value.message and f"docker login {locked_registry}" in (caught.value.hint or "")


async def test_a_wrong_login_is_refused_without_showing_the_password(locked_registry: str) -> None:
    with pytest.raises(RegistryRefused) as caught:
        await look_up(f"{locked_registry}/model", login=Login(USER, "hunter2"))
    assert USER in caught.value.message and "hunter2" not in caught.value.message + (caught.value.hint or "")


async def test_with_a_login_the_registry_answers(locked_registry: str, docker_config: Callable[[dict], Path]) -> None:
    await check_push(f"{locked_registry}/model", login=LOGIN)
    docker_config(logged_in(locked_registry))
    assert await find(f"{locked_registry}/model") is None


async def test_loopback_may_have_a_certificate_of_its_own_making(start_registry: Callable[..., str], certificate: tuple[Path, Path]) -> None:
    assert await find(f"{start_registry(tls=certificate)}/model") is None


async def test_elsewhere_a_certificate_counts_unless_docker_s_folder_has_its_authority(
    start_registry: Callable[..., str], certificate: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = start_registry(tls=certificate)
    monkeypatch.setattr(session_module, "ways", lambda host, told_insecure=False: (Way("https", True, True), Way("http", False, True)))
    with pytest.raises(RegistryUnavailable, match="self-signed") as caught:
        await find(f"{registry}/model", insecure=False)
    assert f"certs.d/{registry}/ca.crt" in (caught.value.hint or "")
    folder = tmp_path / registry
    folder.mkdir()
    (folder / "ca.crt").write_bytes(certificate[0].read_bytes())
    tls = session_module.tls
    monkeypatch.setattr(session_module, "tls", lambda host, way: tls(host, way, (tmp_path,)))
    assert await find(f"{registry}/model", insecure=False) is None


async def test_no_password_goes_over_plain_http_to_a_registry_that_is_not_called_insecure(
    locked_registry: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_module, "ways", lambda host, told_insecure=False: (Way("http", False, told_insecure),))
    with pytest.raises(RegistryRefused, match="not sent over plain http") as caught:
        await find(f"{locked_registry}/model", login=LOGIN, insecure=False)
    assert "insecure-registries" in (caught.value.hint or "")
    assert await find(f"{locked_registry}/model", login=LOGIN, insecure=True) is None


@pytest.mark.parametrize(
    ("login", "granted"),
    [(None, None), (LOGIN, "pull"), (Login(identity_token="refresh"), "pull"), (Login(USER, "wrong"), None)],
)
async def test_bearer_tokens_are_had_with_a_password_or_an_identity_token(
    bearer_registry: "Bearer", login: Login | None, granted: str | None
) -> None:
    name = f"{bearer_registry.address}/team/model:1"
    if granted:
        assert await find(name, login=login) == bearer_registry.digest
        assert bearer_registry.scopes == ["repository:team/model:pull"]
    else:
        with pytest.raises(RegistryRefused):
            await find(name, login=login)


async def test_an_index_gives_the_platform_asked_for_and_the_reference_of_the_index() -> None:
    index = {
        "manifests": [
            {"digest": "sha256:1", "platform": {"os": "linux", "architecture": "arm64", "variant": "v8"}},
            {"digest": "sha256:2", "platform": {"os": "linux", "architecture": "amd64"}},
            {"digest": "sha256:3", "platform": {"os": "unknown", "architecture": "unknown"}},
        ]
    }
    offered = by_platform(index)
    assert offered == {"linux/arm64/v8": "sha256:1", "linux/amd64": "sha256:2"}
    name = parse("model")
    assert [choose(name, offered, wanted) for wanted in (None, "linux/arm64", "linux/amd64")] == ["sha256:2", "sha256:1", "sha256:2"]
    with pytest.raises(ImageMissing):
        choose(name, offered, "windows/amd64")
    with pytest.raises(InvalidInput):
        choose(name, {}, None)


@pytest.fixture
def unused() -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def web_page() -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # noqa: N802 - the base class's name
            body = b"<html>hello</html>"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with served(Page) as address:
        yield address


class served:  # noqa: N801 - reads as a word
    """A small HTTP server on loopback for as long as it is open."""

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), handler)

    def __enter__(self) -> str:
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        return f"127.0.0.1:{self.server.server_port}"

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()


class Bearer:
    """What Docker Hub does, which cannot be asked here: it sends for a token, and gives one for the right login alone."""

    digest = "sha256:" + "c" * 64

    def __init__(self) -> None:
        self.address = ""
        self.scopes: list[str] = []


@pytest.fixture
def bearer_registry() -> Iterator[Bearer]:
    state = Bearer()
    import base64
    from urllib.parse import parse_qs, urlparse

    right = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def reply(self, status: int, body: dict | None = None, headers: dict | None = None) -> None:
            content = json.dumps(body).encode() if body is not None and self.command != "HEAD" else b""
            self.send_response(status)
            for name, value in {"Content-Length": str(len(content)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def grant(self, allowed: bool, asked: dict) -> None:
            if not allowed:
                return self.reply(401, {"details": "incorrect username or password"})
            state.scopes += asked["scope"]
            return self.reply(200, {"token": "good"})

        def do_GET(self) -> None:  # noqa: N802
            address = urlparse(self.path)
            if address.path == "/token":
                return self.grant(self.headers.get("Authorization") == right, parse_qs(address.query))
            if self.headers.get("Authorization") != "Bearer good":
                challenge = f'Bearer realm="http://{state.address}/token",service="tests",scope="repository:team/model:pull"'
                return self.reply(401, {"errors": [{"code": "UNAUTHORIZED"}]}, {"WWW-Authenticate": challenge})
            return self.reply(200, {}, {"Docker-Content-Digest": state.digest})

        do_HEAD = do_GET  # noqa: N815

        def do_POST(self) -> None:  # noqa: N802
            form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.grant(form["refresh_token"] == ["refresh"] and form["grant_type"] == ["refresh_token"], form)

        def log_message(self, *_: object) -> None:
            pass

    with served(Handler) as address:
        state.address = address
        yield state
