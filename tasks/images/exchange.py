"""One request to a registry and its answer: bounded in size, redirected only where that is safe, logins kept at their own origin."""

import ipaddress
import json
import zlib
from collections.abc import Mapping
from typing import Any

import httpx

LARGEST = 4 * 1024 * 1024
"""Bytes of an answer after unpacking. The OCI specification lets registries refuse manifests above 4 MiB; configurations are smaller."""
MOST_REDIRECTS = 5
REDIRECTS = (301, 302, 303, 307, 308)
SHARED_SUFFIXES = ("co", "com", "org", "net", "ac", "gov", "edu", "or", "ne", "go")
"""Second labels under a country's domain, below which strangers have theirs (`co.uk`)."""


class UnsafeAnswer(Exception):
    """An answer that is not taken: too large, in an unknown packing, or a redirect that is not followed."""


async def exchange(
    client: httpx.AsyncClient,
    method: str,
    url: str | httpx.URL,
    *,
    headers: Mapping[str, str] | None = None,
    form: Mapping[str, str] | None = None,
    content: bytes | None = None,
    follow: bool = True,
) -> httpx.Response:
    """Make a request and read its whole answer. Redirects of GET and HEAD are followed if `follow`, without the login at another origin.

    Raises `UnsafeAnswer`, `httpx.HTTPError` and `httpx.InvalidURL`.
    """
    sent = {"Accept-Encoding": "identity", **(headers or {})}
    request = client.build_request(method, url, headers=sent, data=dict(form) if form else None, content=content)
    for _ in range(MOST_REDIRECTS + 1):
        answer = await _read(client, request)
        target = answer.headers.get("location") if answer.status_code in REDIRECTS else None
        if not follow or target is None or method not in ("GET", "HEAD"):
            return answer
        to = request.url.join(target)
        if to.scheme not in ("http", "https") or (request.url.scheme == "https" and to.scheme == "http"):
            raise UnsafeAnswer(f"it sends us on from https to {shown(to)}, which is not followed")
        kept = {name: value for name, value in sent.items() if name != "Authorization" or is_same_origin(request.url, to)}
        sent, request = kept, client.build_request(method, to, headers=kept)
    raise UnsafeAnswer(f"it sends us on more than {MOST_REDIRECTS} times")


def is_same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether two addresses have the same scheme, host and port."""
    return (one.scheme, one.host, _port(one)) == (other.scheme, other.host, _port(other))


def is_own_realm(registry: httpx.URL, realm: httpx.URL) -> bool:
    """Whether a registry's login may go to the `realm` that it names for tokens: its own host, or one below the same domain as it.

    `auth.docker.io` is for `registry-1.docker.io`. A login that was sent in TLS goes on in TLS, and nothing goes to an address with a user in it.
    """
    if realm.scheme not in ("http", "https") or realm.userinfo or (registry.scheme == "https" and realm.scheme != "https"):
        return False
    if registry.host == realm.host:
        return True
    if _is_address(registry.host) or _is_address(realm.host):
        return False
    domain = _domain(registry.host)
    return domain is not None and domain == _domain(realm.host)


def shown(url: httpx.URL) -> str:
    """An address for people: without a login, and without a query, which may hold one as well."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def unpacked(body: bytes, encoding: str) -> bytes:
    """A body without its packing. Raises `UnsafeAnswer` if it is larger than `LARGEST` then, or cannot be unpacked."""
    for one in [part.strip().lower() for part in reversed(encoding.split(",")) if part.strip()]:
        if one == "identity":
            continue
        if one not in ("gzip", "x-gzip", "deflate"):
            raise UnsafeAnswer(f"it is packed as {one[:40]!r}, which was not asked for")
        try:
            body = zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(body, LARGEST + 1)
        except zlib.error as error:
            raise UnsafeAnswer(f"its packing is damaged: {error}") from error
        if len(body) > LARGEST:
            raise UnsafeAnswer(f"it is larger than {LARGEST // 1024**2} MiB when it is unpacked")
    return body


def as_json(answer: httpx.Response) -> dict[str, Any]:
    """The answer's body if it is a JSON object, else an empty one."""
    try:
        said = json.loads(answer.content)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def what_it_said(answer: httpx.Response) -> str:
    """The words in a registry's answer, shortened to a line."""
    said = as_json(answer)
    errors = said.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    words = first.get("message") or first.get("code") or said.get("details") or said.get("message") or said.get("error") or answer.reason_phrase
    return " ".join(str(words).split())[:200]


async def _read(client: httpx.AsyncClient, request: httpx.Request) -> httpx.Response:
    answer = await client.send(request, stream=True, follow_redirects=False)
    try:
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > LARGEST:
                raise UnsafeAnswer(f"it is larger than {LARGEST // 1024**2} MiB")
    finally:
        await answer.aclose()
    content = unpacked(bytes(body), answer.headers.get("content-encoding", ""))
    headers = [(name, value) for name, value in answer.headers.multi_items() if name.lower() not in ("content-encoding", "transfer-encoding")]
    return httpx.Response(answer.status_code, headers=headers, content=content, request=request)


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _domain(host: str) -> str | None:
    """The part of a host's name that one party holds: its last two labels, or three below such as `co.uk`. None for a name of one label."""
    labels = host.lower().rstrip(".").split(".")
    count = 3 if len(labels[-1]) == 2 and len(labels) > 1 and labels[-2] in SHARED_SUFFIXES else 2
    return ".".join(labels[-count:]) if len(labels) >= count else None


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
