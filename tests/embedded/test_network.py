"""Loopback is reached directly, and messages hold no login."""

import pytest

from trialflow.network import bypass_proxies_on_loopback, drop_unusable, unusable, without_logins

GIVEN = [
    ({}, "127.0.0.1,localhost,::1"),
    ({"NO_PROXY": "internal.example, 127.0.0.1"}, "internal.example,127.0.0.1,localhost,::1"),
    ({"no_proxy": "internal.example", "NO_PROXY": "other"}, "internal.example,127.0.0.1,localhost,::1"),
    ({"NO_PROXY": "*"}, "*"),
]


@pytest.mark.parametrize(("given", "expected"), GIVEN)
def test_loopback_is_added_to_what_is_reached_without_a_proxy(given: dict[str, str], expected: str) -> None:
    environment = dict(given)
    bypass_proxies_on_loopback(environment)
    assert environment["NO_PROXY"] == environment["no_proxy"] == expected


def test_what_would_keep_a_client_from_being_made_is_dropped_for_our_servers() -> None:
    environment = {
        "SSL_CERT_FILE": "/nonexistent.pem",
        "ALL_PROXY": "socks5://127.0.0.1:9",
        "all_proxy": "socks5h://h:9",
        "http_proxy": "http://p:3128",
    }
    assert "does not exist" in unusable(environment)["SSL_CERT_FILE"]
    drop_unusable(environment)
    assert "SSL_CERT_FILE" not in environment and environment["http_proxy"] == "http://p:3128"


MESSAGES = [
    ("postgresql://user:pa%20ss@db:5432/x failed", "postgresql://***@db:5432/x failed"),
    ("https://token@github.com/a", "https://***@github.com/a"),
    ("host=db password=hunter2 dbname=x", "host=db password=*** dbname=x"),
    ("http://h/?a=1&token=abc&b=2", "http://h/?a=1&token=***&b=2"),
    ("mail me@example.com about http://127.0.0.1:4200/x", "mail me@example.com about http://127.0.0.1:4200/x"),
    ("https://h/path@2 and user@host", "https://h/path@2 and user@host"),
    ("postgresql://user:p@ss@db/x", "postgresql://***@db/x"),
]


@pytest.mark.parametrize(("text", "expected"), MESSAGES)
def test_logins_are_taken_out_of_messages(text: str, expected: str) -> None:
    assert without_logins(text) == expected
