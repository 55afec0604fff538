"""What is known to be wrong, from versions and variables."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from trialflow.cli.diagnosis import libraries, network, prefect_server, version_of_server


@pytest.mark.parametrize(
    ("prefect", "sqlalchemy", "state"),
    [("3.8.1", "2.0.44", "ok"), ("3.8.1", "2.1.0", "fail"), ("3.8.0", "2.1.0b1", "fail"), ("3.8.2", "3.0", "fail"), ("3.9.0", "2.1.0", "ok")],
)
def test_a_known_bad_pair_of_libraries_is_named_with_the_fix(prefect: str, sqlalchemy: str, state: str) -> None:
    found = libraries(prefect, sqlalchemy)
    assert found.state == state and prefect in found.found and sqlalchemy in found.found
    assert state == "ok" or (found.fix and "sqlalchemy<2.1" in found.fix)


@pytest.mark.parametrize(
    ("ours", "theirs", "state"), [("3.8.1", "3.8.1", "ok"), ("3.8.1", "3.8.1+local", "ok"), ("3.8.1", "3.7.0", "warn"), ("3.8.1", None, "ok")]
)
def test_a_prefect_server_of_another_version_is_a_warning(ours: str, theirs: str | None, state: str) -> None:
    found = prefect_server("http://server/api", ours, theirs)
    assert found.state == state and (state == "ok" or (theirs in found.found and ours in found.found))


@pytest.mark.parametrize(("answer", "version"), [('"3.4.2"', "3.4.2"), ("[1]", None), ("<html>", None)])
def test_the_server_is_asked_for_its_version(answer: str, version: str | None) -> None:
    class Server(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/api/admin/version" else 404)
            self.end_headers()
            self.wfile.write(answer.encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert version_of_server(f"http://127.0.0.1:{server.server_port}/api/", {}) == version
        server.shutdown()
    assert version_of_server("http://127.0.0.1:9/api", {}) is None


def test_a_proxy_that_takes_loopback_is_named_without_its_password() -> None:
    found = network({"https_proxy": "http://me:secret@proxy:3128"})
    assert found.state == "warn" and "https_proxy=" in found.found and "127.0.0.1" in found.found and "secret" not in json.dumps(found.found)
    assert found.fix == "`export NO_PROXY=127.0.0.1,localhost`"
    assert network({"HTTP_PROXY": "http://proxy:1", "NO_PROXY": "example.com, localhost"}).fix == "`export NO_PROXY=example.com,localhost,127.0.0.1`"


@pytest.mark.parametrize("no_proxy", ["*", "localhost,127.0.0.1", "127.0.0.1, localhost ,::1"])
def test_a_proxy_that_leaves_loopback_alone_is_no_problem(no_proxy: str) -> None:
    assert network({"http_proxy": "http://proxy:1", "no_proxy": no_proxy}).state == "ok"
    assert network({}).state == "ok"


def test_a_socks_proxy_is_named_with_the_package_that_it_needs() -> None:
    found = network({"ALL_PROXY": "socks5://me:secret@proxy:1080", "NO_PROXY": "127.0.0.1,localhost"})
    assert found.state == "warn" and "ALL_PROXY=socks5://***@proxy:1080 is a SOCKS proxy" in found.found and found.fix == "`pip install socksio`"


def test_certificates_that_do_not_exist_are_named(tmp_path: Path) -> None:
    found = network({"SSL_CERT_FILE": str(tmp_path / "none.pem")})
    assert found.state == "warn" and "SSL_CERT_FILE names" in found.found and found.fix == "`unset SSL_CERT_FILE`"
    assert network({"SSL_CERT_FILE": str(tmp_path)}).state == "ok"
