"""Addresses: loopback never goes through a proxy, no message holds a password, and a server says where it answers."""

import ipaddress
import json
import os
import re
from collections.abc import Mapping, MutableMapping
from importlib.util import find_spec

READY_FD = "TRIALFLOW_READY_FD"
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""What never goes through a proxy: the addresses that servers of ours are reached by."""
LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
LOGIN = re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/'\"]*@|(?<=://)[^\s/:@'\"]+@")
PASSWORD = re.compile(r"((?:password|passwd|pwd|token|secret)=)[^\s&;,'\"]+", re.IGNORECASE)


def bypass_proxies_on_loopback(environment: MutableMapping[str, str]) -> None:
    """Add loopback to the addresses that are reached directly, in both spellings of the variable: clients read one or the other."""
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    if "*" not in hosts:
        hosts += [host for host in LOOPBACK if host not in hosts]
    environment["NO_PROXY"] = environment["no_proxy"] = ",".join(hosts)


def is_loopback(name: str) -> bool:
    """Whether a name or an address means this machine only."""
    if name.lower() in LOOPBACK_NAMES:
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def unusable(environment: Mapping[str, str]) -> dict[str, str]:
    """Variables that keep HTTP clients from being made at all, and why: certificates that are not there, SOCKS without the library for it."""
    found = {name: f"{environment[name]} does not exist" for name in CERTIFICATES if environment.get(name) and not os.path.exists(environment[name])}
    if find_spec("socksio") is None:
        socks = [name for name, value in environment.items() if name.lower().endswith("_proxy") and value.lower().startswith("socks")]
        found |= {name: f"{without_logins(environment[name])} is a SOCKS proxy, and Python's `socksio` is not installed" for name in socks}
    return found


def drop_unusable(environment: MutableMapping[str, str]) -> None:
    """Remove such variables, for a process that asks nobody but loopback."""
    for name in unusable(environment):
        del environment[name]


def announce(url: str) -> None:
    """Tell whoever started this process where it answers: a line on the descriptor that TRIALFLOW_READY_FD names, if it names one."""
    if (descriptor := os.environ.pop(READY_FD, None)) is not None:
        os.write(int(descriptor), (json.dumps({"url": url}) + "\n").encode())
        os.close(int(descriptor))


def without_logins(text: str) -> str:
    """A text with logins taken out of its URLs, and the values of `password=` and the like."""
    return PASSWORD.sub(r"\1***", LOGIN.sub("***@", text))
