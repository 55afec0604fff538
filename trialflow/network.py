"""Addresses: loopback never goes through a proxy, no message holds a password, and a server says where it answers."""

import json
import os
import re
from collections.abc import MutableMapping
from importlib.util import find_spec

READY_FD = "TRIALFLOW_READY_FD"
LOOPBACK = ("127.0.0.1", "localhost", "::1")
LOGIN = re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/'\"]*@|(?<=://)[^\s/:@'\"]+@")
PASSWORD = re.compile(r"((?:password|passwd|pwd|token|secret)=)[^\s&;,'\"]+", re.IGNORECASE)


def bypass_proxies_on_loopback(environment: MutableMapping[str, str]) -> None:
    """Add loopback to the addresses that are reached directly, in both spellings of the variable: clients read one or the other."""
    given = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in given.split(",") if host.strip()]
    if "*" not in hosts:
        hosts += [host for host in LOOPBACK if host not in hosts]
    environment["NO_PROXY"] = environment["no_proxy"] = ",".join(hosts)


def drop_unusable(environment: MutableMapping[str, str]) -> None:
    """Remove what keeps HTTP clients from being made at all: certificates that are not there, and SOCKS proxies without the library for them."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        if name in environment and not os.path.exists(environment[name]):
            del environment[name]
    if find_spec("socksio") is None:
        for name in [name for name, value in environment.items() if name.lower().endswith("_proxy") and value.lower().startswith("socks")]:
            del environment[name]


def announce(url: str) -> None:
    """Tell whoever started this process where it answers: a line on the descriptor that TRIALFLOW_READY_FD names, if it names one."""
    if (descriptor := os.environ.pop(READY_FD, None)) is not None:
        os.write(int(descriptor), (json.dumps({"url": url}) + "\n").encode())
        os.close(int(descriptor))


def without_logins(text: str) -> str:
    """A text with logins taken out of its URLs, and the values of `password=` and the like."""
    return PASSWORD.sub(r"\1***", LOGIN.sub("***@", text))
