"""Checks of `trialflow doctor` that are decided from versions and variables alone. Pure, but for one question to Prefect's server."""

import json
import os
import re
import urllib.request
from collections.abc import Mapping
from importlib.util import find_spec

from trialflow.network import LOOPBACK, without_logins
from trialflow.results.checks import Check

PROXIES = ("http_proxy", "https_proxy", "all_proxy")
CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def libraries(prefect: str, sqlalchemy: str) -> Check:
    """Versions of libraries that are known not to work together."""
    if _numbers(prefect)[:2] == (3, 8) and _numbers(sqlalchemy) >= (2, 1):
        found = f"Prefect {prefect} with SQLAlchemy {sqlalchemy}: its scheduler dies in every round, so no schedule ever starts"
        return Check("libraries", "fail", found, "`pip install 'sqlalchemy<2.1'`")
    return Check("libraries", "ok", f"Prefect {prefect}, SQLAlchemy {sqlalchemy}")


def prefect_server(url: str, ours: str, theirs: str | None) -> Check:
    """A Prefect server that answers, by its version; None if it does not tell."""
    if theirs is None:
        return Check("prefect", "ok", f"{ours}, {url} answers (its version is not known)")
    if _numbers(theirs) != _numbers(ours):
        found = f"{url} answers with version {theirs}, and trialflow's Prefect is {ours}"
        return Check("prefect", "warn", found, f"use a server of version {ours} if flows or schedules misbehave")
    return Check("prefect", "ok", f"{ours}, {url} answers with the same version")


def version_of_server(url: str, environ: Mapping[str, str]) -> str | None:
    """The version that a Prefect server tells; None if it does not."""
    request = urllib.request.Request(f"{url.rstrip('/')}/admin/version")
    if key := environ.get("PREFECT_API_KEY"):
        request.add_header("Authorization", f"Bearer {key}")
    try:
        with urllib.request.urlopen(request, timeout=5) as response:
            said = json.loads(response.read(10_000))
    except (OSError, ValueError):
        return None
    return said if isinstance(said, str) else None


def network(environ: Mapping[str, str]) -> Check:
    """Variables of the shell that keep programs on this machine from reaching each other, or from reaching anything."""
    found, fixes = [], []
    for name in CERTIFICATES:
        if (path := environ.get(name)) and not os.path.exists(path):
            found.append(f"{name} names {path}, which does not exist")
            fixes.append(f"`unset {name}`")
    for name in PROXIES:
        spelled = next((one for one in (name, name.upper()) if environ.get(one)), None)
        if spelled is None:
            continue
        address = without_logins(environ[spelled])
        if address.lower().startswith("socks") and find_spec("socksio") is None:
            found.append(f"{spelled}={address} is a SOCKS proxy, for which Python needs the package `socksio`")
            fixes.append("`pip install socksio`")
        if missing := _not_bypassed(environ):
            found.append(f"{spelled}={address} also takes requests to {', '.join(missing)} on this machine")
            fixes.append(f"`export NO_PROXY={','.join(filter(None, [_no_proxy(environ), *missing]))}`")
    if not found:
        return Check("network", "ok", "no variable is in the way")
    text = "; ".join(found) + "; trialflow works around it, but other programs may not"
    return Check("network", "warn", text, ", ".join(dict.fromkeys(fixes)))


def _no_proxy(environ: Mapping[str, str]) -> str:
    given = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    return ",".join(host.strip() for host in given.split(",") if host.strip())


def _not_bypassed(environ: Mapping[str, str]) -> list[str]:
    hosts = _no_proxy(environ).split(",")
    return [] if "*" in hosts else [host for host in LOOPBACK[:2] if host not in hosts]


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version.split("+")[0])[:3])
