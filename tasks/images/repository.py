"""Which repository the image of a project goes to."""

import re

from tasks.images.login import Login, docker_login, how_to_log_in
from tasks.images.references import ANOTHER_REGISTRY, DOCKER_HUB, HUB_ALIASES, parse
from trialflow.errors import InvalidInput

NOT_ALLOWED = re.compile(r"[^a-z0-9]+")


def repository_of(name: str, *, registry: str | None, hub_login: Login | None = None) -> str:
    """The repository `name` below `registry` (host[:port][/path]), else below the user's name on Docker Hub.

    `hub_login` is what `docker login` has kept for Docker Hub. Raises `InvalidInput` if neither says where images may go, or the name is none.
    """
    registry = (registry or "").strip().rstrip("/") or None
    if registry and "://" in registry:
        raise InvalidInput(f"{registry!r} is no registry: it is named without {registry.partition('://')[0]}://")
    if registry is None or registry in HUB_ALIASES:
        if hub_login is None or not hub_login.username:
            why = "Docker has no login for Docker Hub" if hub_login is None else "Docker's login for Docker Hub does not tell the user name"
            raise InvalidInput(
                f"there is no registry to push the image to: {'the cluster has none, and ' if registry is None else ''}{why}",
                hint=f"{ANOTHER_REGISTRY}; or {how_to_log_in(DOCKER_HUB)}",
            )
        registry = f"{DOCKER_HUB}/{hub_login.username.lower()}"
    return parse(f"{registry}/{name}").name


def repository_in(name: str, registry: str | None, login: Login | None = None) -> str:
    """The same, with the `login` for Docker Hub looked up where it is needed and not given."""
    to_hub = registry is None or registry.strip().rstrip("/") in HUB_ALIASES
    return repository_of(name, registry=registry, hub_login=(login or docker_login(DOCKER_HUB)) if to_hub else None)


def image_name(name: str) -> str:
    """A folder's name as a part of an image's name: lower-case letters, digits and single dashes; `model` if nothing is left."""
    return NOT_ALLOWED.sub("-", name.lower()).strip("-")[:100].rstrip("-") or "model"
