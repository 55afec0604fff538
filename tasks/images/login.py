"""Who one is to a registry: Docker's own logins, with its credential helpers, or a name and a password that were given."""

import json
import os
from dataclasses import dataclass, field

import docker.auth
import docker.credentials
import docker.errors
from docker.utils.config import find_config_file

from tasks.images.errors import RegistryRefused
from tasks.images.references import DOCKER_HUB

IS_TOKEN = "<token>"
"""The user name that credential helpers give for an identity token."""


@dataclass(frozen=True)
class Login:
    """A user name with a password, or an identity token (a refresh token of OAuth 2). Neither is ever shown."""

    username: str = ""
    password: str = field(default="", repr=False)
    identity_token: str = field(default="", repr=False)

    def for_engine(self) -> dict[str, str]:
        """As the Docker engine takes it."""
        if self.identity_token:
            return {"identitytoken": self.identity_token}
        return {"username": self.username, "password": self.password}


def docker_login(registry: str) -> Login | None:
    """What `docker login` has kept for a registry, in its `config.json` (at DOCKER_CONFIG) or with a credential helper, which is called; or None.

    Raises `RegistryRefused` if that file cannot be read or a helper that it names does not work.
    """
    where = str(find_config_file() or "~/.docker/config.json")
    try:
        found = _kept(where).resolve_authconfig(None if registry == DOCKER_HUB else registry)
    except (docker.errors.DockerException, docker.credentials.StoreError) as error:
        raise RegistryRefused(
            f"the login for {registry} could not be had from the credential helper that {where} names: {error}",
            hint=f"install that helper, or take it out of {where} and `docker login` again",
        ) from error
    return login_of(found or {})


def login_of(kept: dict) -> Login | None:
    """The login in an entry of Docker's configuration, or in a helper's answer."""
    # An entry of the file has small letters, Docker's SDK gives a helper's answer with capital ones.
    entry = {str(name).lower(): value for name, value in kept.items()}
    username, password = entry.get("username") or "", entry.get("password") or ""
    if token := entry.get("identitytoken") or (password if username == IS_TOKEN else ""):
        return Login(username="" if username == IS_TOKEN else username, identity_token=token)
    return Login(username, password) if username and password else None


def how_to_log_in(registry: str) -> str:
    """What a person does about a missing or a wrong login."""
    if ".dkr.ecr." in registry:
        region = registry.partition(".dkr.ecr.")[2].partition(".")[0]
        return f"`aws ecr get-login-password --region {region} | docker login --username AWS --password-stdin {registry}`; it lasts 12 hours"
    where = "" if registry == DOCKER_HUB else f" {registry}"
    return f"`docker login{where}`, or name a `trialflow image registry` block that has a login"


def _kept(where: str) -> docker.auth.AuthConfig:
    try:
        # Docker's SDK takes a file that it cannot read for an empty one; the registry's refusal would then be a riddle.
        if os.path.exists(where):
            with open(where) as file:
                json.load(file)
        return docker.auth.load_config()
    except (OSError, ValueError, docker.errors.DockerException) as error:
        raise RegistryRefused(
            f"Docker's logins in {where} cannot be read: {error}", hint=f"mend {where}, or remove it and `docker login` again"
        ) from error
