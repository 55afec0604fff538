"""How a registry is reached: https or plain http, and whose certificates count. The rules are those of the Docker engine."""

import ipaddress
import ssl
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import certifi

CERTIFICATES = (Path("/etc/docker/certs.d"), Path.home() / ".docker" / "certs.d", Path.home() / ".config" / "docker" / "certs.d")
"""Where Docker looks for the certificates of single registries: one folder for each host, with its port."""


@dataclass(frozen=True)
class Way:
    """One way to reach a host. `verified`: its certificate counts; `confidential`: a password may be sent on it."""

    scheme: str
    verified: bool
    confidential: bool


def ways(host: str, *, told_insecure: bool = False) -> tuple[Way, ...]:
    """The ways to try, in order.

    Loopback and registries that Docker is told are insecure: https without verifying, then http. Other private addresses: https, then http without
    a password, since anybody on that network could pretend to be one without TLS. All others: https.
    """
    if told_insecure or is_loopback(host):
        return Way("https", False, True), Way("http", False, True)
    if _is(host, "is_private"):
        return Way("https", True, True), Way("http", False, False)
    return (Way("https", True, True),)


def split_host(host: str) -> tuple[str, str]:
    """Name and port (or an empty text) of `host[:port]`; an IPv6 address stands in brackets."""
    if host.startswith("["):
        name, _, port = host[1:].partition("]")
        return name, port.lstrip(":")
    name, _, port = host.partition(":")
    return name, port


def is_listed(host: str, listed: Iterable[str]) -> bool:
    """Whether Docker's list of insecure registries (hosts with ports, and networks such as 10.0.0.0/8) names this one."""
    name, _ = split_host(host)
    for entry in listed:
        if entry in (host, name):
            return True
        try:
            if ipaddress.ip_address(name) in ipaddress.ip_network(entry, strict=False):
                return True
        except ValueError:
            continue
    return False


def tls(host: str, way: Way, folders: Sequence[Path] = CERTIFICATES) -> ssl.SSLContext:
    """The TLS settings for a host: the system's authorities, certifi's, and what Docker keeps for this registry, with a client certificate."""
    context = ssl.create_default_context()
    if not way.verified:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(certifi.where())
    for folder in (folder / host for folder in folders):
        if not folder.is_dir():
            continue
        for authority in sorted(folder.glob("*.crt")):
            context.load_verify_locations(authority)
        for certificate in sorted(folder.glob("*.cert")):
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    return context


def is_tls_trouble(error: BaseException) -> ssl.SSLError | None:
    """The TLS error behind an error of an HTTP client, if one is."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, ssl.SSLError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def is_loopback(host: str) -> bool:
    """Whether `host[:port]` is this machine."""
    return _is(host, "is_loopback")


def _is(host: str, fact: str) -> bool:
    name, _ = split_host(host)
    if name == "localhost":
        return True
    try:
        return bool(getattr(ipaddress.ip_address(name), fact))
    except ValueError:
        return False
