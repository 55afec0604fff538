import pytest

from tasks.images.transport import Way, is_listed, ways

VERIFIED, UNVERIFIED = Way("https", True, True), Way("https", False, True)
PLAIN, PLAIN_SILENT = Way("http", False, True), Way("http", False, False)


@pytest.mark.parametrize(
    ("host", "told", "expected"),
    [
        ("ghcr.io", False, (VERIFIED,)),
        ("8.8.8.8:5000", False, (VERIFIED,)),
        ("127.0.0.1:5000", False, (UNVERIFIED, PLAIN)),
        ("localhost:5000", False, (UNVERIFIED, PLAIN)),
        ("[::1]:5000", False, (UNVERIFIED, PLAIN)),
        ("10.1.2.3:5000", False, (VERIFIED, PLAIN_SILENT)),
        ("192.168.1.1", False, (VERIFIED, PLAIN_SILENT)),
        ("registry.example.com:5000", True, (UNVERIFIED, PLAIN)),
        ("10.1.2.3:5000", True, (UNVERIFIED, PLAIN)),
    ],
)
def test_plain_http_is_for_loopback_private_and_named_registries(host: str, told: bool, expected: tuple[Way, ...]) -> None:
    assert ways(host, told_insecure=told) == expected


@pytest.mark.parametrize(
    ("host", "listed", "expected"),
    [
        ("registry.example.com:5000", ["registry.example.com:5000"], True),
        ("registry.example.com:5000", ["registry.example.com"], True),
        ("registry.example.com:5000", ["other.example.com"], False),
        ("10.1.2.3:5000", ["127.0.0.0/8", "10.0.0.0/8"], True),
        ("11.1.2.3:5000", ["10.0.0.0/8"], False),
        ("[::1]:5000", ["::1/128"], True),
    ],
)
def test_dockers_list_of_insecure_registries_names_hosts_and_networks(host: str, listed: list[str], expected: bool) -> None:
    assert is_listed(host, listed) is expected
