"""Which hosts and web origins may send requests, as a table, and over HTTP."""

import pytest

from tests.service.conftest import Running
from trialflow.service.origins import Origins

LOCAL = Origins.of("127.0.0.1", None)
OPEN = Origins.of("0.0.0.0", None)
NAMED = Origins.of("0.0.0.0", "tune.example.org, GPU01")


@pytest.mark.parametrize(
    ("origins", "host", "origin", "is_accepted"),
    [
        (LOCAL, "127.0.0.1:8080", None, True),
        (LOCAL, "localhost:8080", None, True),
        (LOCAL, "[::1]:8080", None, True),
        (LOCAL, "127.1.2.3", None, True),
        (LOCAL, "LOCALHOST", None, True),
        (LOCAL, "evil.example:8080", None, False),
        (LOCAL, "127.0.0.1.evil.example", None, False),
        (LOCAL, "", None, False),
        (LOCAL, "127.0.0.1:8080", "http://127.0.0.1:8080", True),
        (LOCAL, "127.0.0.1:8080", "http://127.0.0.1:9999", False),
        (LOCAL, "127.0.0.1:8080", "https://evil.example", False),
        (LOCAL, "127.0.0.1:8080", "null", False),
        (OPEN, "gpu01:8080", None, True),
        (OPEN, "gpu01:8080", "http://gpu01:8080", True),
        (OPEN, "gpu01:8080", "http://evil.example", False),
        (NAMED, "tune.example.org", None, True),
        (NAMED, "gpu01:8080", None, True),
        (NAMED, "evil.example", None, False),
        (NAMED, "127.0.0.1:8080", None, True),
    ],
)
def test_hosts_and_origins(origins: Origins, host: str, origin: str | None, is_accepted: bool) -> None:
    assert (origins.refusal_of(host, origin) is None) is is_accepted


@pytest.mark.parametrize("header", [{"Host": "evil.example"}, {"Origin": "https://evil.example"}, {"Origin": "null"}])
def test_foreign_hosts_and_origins_are_refused_before_anything_else(service: Running, header: dict) -> None:
    response = service.raw("GET", "tokens/self", headers=header)
    assert response.status_code == 403 and set(response.json()) == {"message", "status"}
