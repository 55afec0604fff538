"""The relay answers everything, keeps to its target, and never makes a model fail for what it logs."""

import base64
import hashlib
import http.client
import json
import socket
from collections.abc import Iterator
from typing import Any

import pytest

from trialflow.launcher.relay import RelayServer, serve
from trialflow.launcher.upstream import Upstream, basic, segments_of


class Kept:
    file_bytes, files_bytes = 1000, 1500

    def __init__(self) -> None:
        self.reports: list[tuple[str, Any]] = []
        self.said: list[str] = []

    def add(self, kind: str, body: Any) -> None:
        self.reports.append((kind, body))


class Relay:
    def __init__(self) -> None:
        self.kept = Kept()
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        serve(listener.detach(), "token", {"id": 7, "checkpoint_count": 0}, self.kept, {}, self.kept.said.append)

    def ask(self, method: str, path: str, body: Any = None, token: str | None = "token") -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        content = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else None
        connection.request(method, path, content, {"Authorization": basic(token)} if token else {})
        answer = connection.getresponse()
        text = answer.read()
        connection.close()
        return answer.status, json.loads(text) if text else None

    def raw(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=30) as one:
            one.sendall(request)
            one.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: one.recv(1 << 16), b""))


@pytest.fixture
def relay() -> Iterator[Relay]:
    yield Relay()


def upload(relay: Relay, content: bytes, **more: Any) -> int:
    about = {"content_length": len(content), "content_md5": base64.b64encode(hashlib.md5(content).digest()).decode(), "content_type": "image/svg+xml"}
    status, made = relay.ask("POST", "/v1/training_runs/7/files", {**about, "name": "a", **more})
    assert status == 200
    return relay.ask("PUT", made["upload"]["url"].partition(str(relay.port))[2], content, token=None)[0]


def test_a_small_file_is_a_report_and_a_large_one_is_dropped_with_one_warning(relay: Relay) -> None:
    assert upload(relay, b"<svg/>") == upload(relay, b"x" * 1001) == upload(relay, b"x" * 1001) == 200
    assert relay.kept.reports == [("file", {"name": "a", "content_type": "image/svg+xml", "content": base64.b64encode(b"<svg/>").decode()})]
    assert set(relay.kept.said) == {"a is larger than the 0 KiB that a model may log here and was dropped"}


def test_files_together_have_a_limit(relay: Relay) -> None:
    for number in range(3):
        assert upload(relay, b"%d" % number * 600) == 200
    assert len(relay.kept.reports) == 2


def test_nobody_uploads_what_was_not_announced(relay: Relay) -> None:
    assert relay.ask("PUT", "/uploads/" + "0" * 32, b"x", token=None)[0] == 403


def test_checkpoints_end_at_the_limit_and_none_is_refused(relay: Relay) -> None:
    statuses = {relay.ask("POST", "/v1/training_runs/7/checkpoints", {"values": [{"name": "l", "value": n}]})[0] for n in range(230)}
    assert statuses == {204} and len(relay.kept.reports) == 200 and len(set(relay.kept.said)) == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"values": {"huge": {"value": 1%s}}}' % (b"0" * 400),
        b'{"values": {"m": {"value": "x"}}}',
        b'{"nonsense": 1}',
        b'{"values": {"m": {"value": NaN}}}',
        b'{"values": {"m": {"value": -Infinity}}}',
        b'{"assignments": {"x": NaN}}',
        b'{"metadata": {"x": [NaN]}}',
    ],
)
def test_wrong_values_are_dropped_with_a_warning_and_never_refused(relay: Relay, body: bytes) -> None:
    assert relay.ask("MERGE", "/v1/training_runs/7", body)[0] == 200
    assert relay.kept.reports == [] and len(relay.kept.said) == 1


def test_the_last_value_of_a_metric_counts_or_none(relay: Relay) -> None:
    for value in (1, "nan", 2, "nan", "nan"):
        assert relay.ask("MERGE", "/v1/training_runs/7", {"values": {"m": {"value": value}, "n": {"value": 3}}})[0] == 200
    values = [body["values"] for _, body in relay.kept.reports]
    assert [one["m"] and one["m"]["value"] if "m" in one else "nothing new" for one in values] == [1, None, 2, None, "nothing new"]
    assert all(one["n"]["value"] == 3 for one in values)
    status, run = relay.ask("GET", "/v1/training_runs/7")
    assert status == 200 and list(run["values"]) == ["n"] and "before does not count any more" in relay.kept.said[1]


def test_without_a_service_the_reason_is_said(relay: Relay) -> None:
    assert relay.ask("GET", "/v1/tokens/self")[0] == relay.ask("GET", "/v1/clients/1/projects/p")[0] == 200
    status, answer = relay.ask("POST", "/v1/clients/1/projects/p/aiexperiments", {"name": "x"})
    assert status == 400 and "needs the service" in answer["message"]


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET http://evil.example/v1/training_runs/7 HTTP/1.1",
        b"GET @evil.example/ HTTP/1.1",
        b"GET /v1/../v1/training_runs/7 HTTP/1.1",
        b"GET /v1/%2e%2e/x HTTP/1.1",
        b"GET /v1/a%2fb HTTP/1.1",
        b"GET /v1/a%00 HTTP/1.1",
        b"BREW / HTTP/1.1",
        b"GET / HTTP/9.9",
        b"nonsense",
        b"POST /v1/training_runs/7/checkpoints HTTP/1.1\r\nTransfer-Encoding: chunked",
        b"POST /v1/training_runs/7/checkpoints HTTP/1.1\r\nContent-Length: -5",
        b"POST /v1/training_runs/7/checkpoints HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2",
    ],
)
def test_odd_requests_are_answered_with_an_error(relay: Relay, request_line: bytes) -> None:
    answer = relay.raw(request_line + b"\r\nAuthorization: " + basic("token").encode() + b"\r\nConnection: close\r\n\r\n")
    assert b"message" in answer and (b" 4" in answer[:13] or b" 5" in answer[:13] or answer.startswith(b"{"))


def test_a_nested_body_is_a_wrong_one_and_nothing_worse(relay: Relay) -> None:
    assert relay.ask("MERGE", "/v1/training_runs/7", b'{"metadata": ' + b"[" * 200_000)[0] == 400
    assert relay.ask("MERGE", "/v1/training_runs/7", {"values": {"m": {"value": 1}}})[0] == 200


@pytest.mark.parametrize("address", ["", "ftp://x", "http://", "//x", "http://x?y=1"])
def test_only_the_address_of_a_server_is_a_target(address: str) -> None:
    with pytest.raises(ValueError):
        Upstream(address, "t")


def test_paths_are_normalised_once() -> None:
    assert segments_of("//v1//training%5Fruns/7/?a=%2F") == (["v1", "training_runs", "7"], "a=%2F")
    assert RelayServer.daemon_threads
