"""What a registry knows of an image: whether it is there, and what a container made from it would do."""

import difflib
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from tasks.images.engine import listed_insecure
from tasks.images.errors import ImageMissing, RegistryRefused, RegistryUnavailable
from tasks.images.exchange import as_json, what_it_said
from tasks.images.facts import ImageFacts
from tasks.images.login import Login
from tasks.images.references import ANOTHER_REGISTRY, Reference, parse
from tasks.images.session import RegistrySession
from tasks.images.transport import is_listed
from trialflow.errors import InvalidInput

INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")
MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
ACCEPT = ", ".join((*INDEXES, *MANIFESTS))
PREFERRED = "linux/amd64"


async def look_up(reference: str, *, login: Login | None = None, insecure: bool | None = None, platform: str | None = None) -> ImageFacts:
    """What the registry knows of an image.

    `login` is by default what `docker login` has kept. Of an image of several platforms the configuration of `platform` is read, by default that of
    linux/amd64 or else of its first. Raises `ImageMissing`, `RegistryRefused`, `RegistryUnavailable`, and `InvalidInput` for what is no image.
    """
    name = parse(reference)
    async with _session(name, login, insecure) as session:
        return await _facts(session, name, platform)


async def find(reference: str, *, login: Login | None = None, insecure: bool | None = None) -> str | None:
    """The digest of an image, `sha256:...`, or None if the registry has none of that name. Costs one request, without the manifest."""
    name = parse(reference)
    async with _session(name, login, insecure) as session:
        answer = await session.request("HEAD", f"manifests/{name.version}", accept=ACCEPT)
        if answer.status_code == 404:
            return None
        if digest := answer.headers.get("docker-content-digest"):
            return digest
        answer = await session.request("GET", f"manifests/{name.version}", accept=ACCEPT)
        return None if answer.status_code == 404 else _digest(answer.content)


async def check_push(repository: str, *, login: Login | None = None, insecure: bool | None = None) -> None:
    """Whether images can be pushed to a repository: an upload is begun and taken back, so nothing is left. Raises as `look_up` does."""
    name = parse(repository)
    async with _session(name, login, insecure, actions="pull,push") as session:
        begun = await session.request("POST", "blobs/uploads/", headers={"Content-Length": "0"})
        if begun.status_code == 404:
            raise RegistryRefused(
                f"the registry {name.registry} has no repository {name.repository} and does not make one: {what_it_said(begun)}",
                hint=f"make the repository first, or {ANOTHER_REGISTRY}",
            )
        if place := begun.headers.get("location"):
            # Registries that cannot take an upload back forget it by themselves.
            try:
                await session.request("DELETE", str(begun.url.join(place)))
            except (RegistryRefused, RegistryUnavailable):
                return


async def check_registry(registry: str) -> str:
    """The address at which a registry, host[:port][/path], answers from here. Raises `RegistryUnavailable`."""
    async with _session(parse(f"{registry.rstrip('/')}/any"), None, None) as session:
        return await session.greet()


async def add_tag(reference: str, tag: str, *, login: Login | None = None, insecure: bool | None = None) -> None:
    """Have the registry call an image by another tag as well; nothing is sent but its manifest. Raises as `look_up` does."""
    name = parse(reference)
    async with _session(name, login, insecure, actions="pull,push") as session:
        found = await session.request("GET", f"manifests/{name.version}", accept=ACCEPT)
        if found.status_code == 404:
            raise await _missing(session, name, what_it_said(found))
        manifest = _checked(name, found.content, name.digest)
        kind = str(manifest.get("mediaType") or found.headers.get("content-type", ""))
        await session.request("PUT", f"manifests/{tag}", headers={"Content-Type": kind}, content=found.content)


async def _facts(session: RegistrySession, name: Reference, platform: str | None) -> ImageFacts:
    answer = await session.request("GET", f"manifests/{name.version}", accept=ACCEPT)
    if answer.status_code == 404:
        raise await _missing(session, name, what_it_said(answer))
    manifest = _checked(name, answer.content, name.digest)
    digest = _digest(answer.content)
    platforms: tuple[str, ...] = ()
    if kind_of(manifest, answer.headers.get("content-type", "")) == "index":
        offered = by_platform(manifest)
        platforms = tuple(offered)
        chosen = choose(name, offered, platform)
        manifest = _checked(name, (await session.request("GET", f"manifests/{chosen}", accept=ACCEPT)).content, chosen)
    config_digest = str((manifest.get("config") or {}).get("digest") or "")
    if not config_digest or not isinstance(manifest.get("layers"), list):
        raise InvalidInput(f"{name} is no container image, or one in a format from before 2016", hint="build and push it again with a current Docker")
    config = _checked(name, (await session.request("GET", f"blobs/{config_digest}")).content, config_digest)
    own = platform_of(config)
    if platform and not platforms and own and not _fits(own, platform):
        raise _wrong_platform(name, [own], platform)
    return facts_of(name.at(digest), manifest, config, platforms or ((own,) if own else ()))


def kind_of(manifest: Mapping[str, Any], content_type: str) -> str:
    """`index` or `manifest`."""
    declared = str(manifest.get("mediaType") or content_type.partition(";")[0].strip())
    return "index" if declared in INDEXES or "manifests" in manifest else "manifest"


def by_platform(index: Mapping[str, Any]) -> dict[str, str]:
    """Platform -> digest. What is no image (attestations have the platform unknown/unknown) is left out."""
    found: dict[str, str] = {}
    for entry in index.get("manifests") or ():
        platform = platform_of(entry.get("platform") or {})
        if platform and not platform.startswith("unknown") and entry.get("digest"):
            found.setdefault(platform, entry["digest"])
    return found


def choose(name: Reference, offered: Mapping[str, str], platform: str | None) -> str:
    """The digest to read for a platform. Raises `ImageMissing` if it is not offered."""
    if platform:
        for one, digest in offered.items():
            if _fits(one, platform):
                return digest
        raise _wrong_platform(name, offered, platform)
    if not offered:
        raise InvalidInput(f"{name} is no container image: its index names no platform")
    return offered.get(PREFERRED) or next(iter(offered.values()))


def platform_of(config: Mapping[str, Any]) -> str:
    """`os/architecture[/variant]`, or an empty text."""
    parts = [config.get("os"), config.get("architecture"), config.get("variant")]
    return "/".join(str(part) for part in parts if part) if parts[0] and parts[1] else ""


def facts_of(reference: Reference, manifest: Mapping[str, Any], config: Mapping[str, Any], platforms: tuple[str, ...]) -> ImageFacts:
    """The facts in a manifest and the configuration that it names."""
    inner = config.get("config") or {}
    pairs = (entry.partition("=") for entry in inner.get("Env") or ())
    return ImageFacts(
        reference=str(reference),
        entrypoint=tuple(inner.get("Entrypoint") or ()),
        command=tuple(inner.get("Cmd") or ()),
        user=inner.get("User") or "",
        working_dir=inner.get("WorkingDir") or "",
        environment={variable: value for variable, _, value in pairs},
        labels=dict(inner.get("Labels") or {}),
        platforms=platforms,
        size=sum(int(layer.get("size") or 0) for layer in manifest.get("layers") or ()),
    )


def _fits(offered: str, wanted: str) -> bool:
    return offered == wanted or offered.startswith(wanted + "/")


def _wrong_platform(name: Reference, offered: Any, wanted: str) -> ImageMissing:
    return ImageMissing(
        f"the image {name} is not there for {wanted}, only for {', '.join(offered) or 'no platform'}", hint=f"build it with `--platform {wanted}`"
    )


async def _missing(session: RegistrySession, name: Reference, said: str) -> ImageMissing:
    """Says which part of the name is not there, and what is near to it."""
    try:
        listed = await session.request("GET", "tags/list?n=500")
        tags = [str(tag) for tag in (as_json(listed).get("tags") or ())] if listed.status_code == 200 else []
    except (RegistryRefused, RegistryUnavailable):
        tags = []
    if name.digest or not tags:
        what = name if name.digest or listed_nothing(said) else name.name
        return ImageMissing(f"the registry {name.registry} has no image {what}: {said}", hint="check the name; `docker push` puts an image there")
    near = difflib.get_close_matches(name.version, tags, n=1)
    hint = f"did you mean {name.tagged(near[0])}?" if near else f"it has {', '.join(tags[:5])}{' and others' if len(tags) > 5 else ''}"
    return ImageMissing(f"the registry {name.registry} has {name.repository}, but not with the tag {name.version}", hint=hint)


def listed_nothing(said: str) -> bool:
    """Whether the registry's words are about the tag or digest and not about the repository."""
    return "manifest" in said.lower()


def _checked(name: Reference, body: bytes, digest: str | None) -> dict[str, Any]:
    """A JSON document from the registry. What is asked for by its digest must have it."""
    if digest and digest.startswith("sha256:") and _digest(body) != digest:
        raise RegistryUnavailable(f"the registry {name.registry} answered something else than {name.repository}@{digest}", hint="try again")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise RegistryUnavailable(f"{name.registry} answers, but not as an image registry does", hint="check the registry's name and port")
    return document


def _digest(body: bytes) -> str:
    return "sha256:" + hashlib.sha256(body).hexdigest()


def _session(name: Reference, login: Login | None, insecure: bool | None, actions: str = "pull") -> RegistrySession:
    return RegistrySession(name, login=login, insecure=insecure, actions=actions, listed_insecure=lambda host: is_listed(host, listed_insecure()))
