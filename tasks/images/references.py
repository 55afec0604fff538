"""Names of images, `[registry[:port]/]path[:tag][@digest]`, by Docker's rules for short ones."""

from dataclasses import dataclass, replace

from pydantic_core import PydanticCustomError

from trialflow.errors import InvalidInput
from trialflow.specs.image import check_image

DOCKER_HUB = "docker.io"
ANOTHER_REGISTRY = "connect the cluster again with another `--registry HOST[:PORT][/PATH]`: `trialflow cluster connect --help`"
"""What to do where the cluster's registry is not the right one."""
HUB_ALIASES = ("docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com")


@dataclass(frozen=True)
class Reference:
    """A complete name: `registry` with its port, `repository` (the path), and a `tag`, a `digest`, or both."""

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    @property
    def name(self) -> str:
        """Registry and path, such as `docker.io/library/python`."""
        return f"{self.registry}/{self.repository}"

    @property
    def host(self) -> str:
        """Where the registry's API is: Docker Hub's is not at docker.io."""
        return "registry-1.docker.io" if self.registry == DOCKER_HUB else self.registry

    @property
    def version(self) -> str:
        """What the registry's API is asked for: the digest if there is one, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    def at(self, digest: str) -> "Reference":
        """The same image named by its digest alone."""
        return replace(self, tag=None, digest=digest)

    def tagged(self, tag: str) -> "Reference":
        """Another image of the same repository."""
        return replace(self, tag=tag, digest=None)

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse(text: str) -> Reference:
    """The complete name that `text` stands for: `python` is `docker.io/library/python`, without a tag (`version` is then `latest`).

    The first part is a registry if it has a dot or a port or is `localhost`: the rule of github.com/distribution/reference. Raises `InvalidInput`.
    """
    try:
        check_image(text)
    except PydanticCustomError as error:
        hint = "an image is named without https://" if "://" in text else None
        raise InvalidInput(f"{text!r} is no image: {error.message()}", hint=hint) from error
    rest, _, digest = text.partition("@")
    first, slash, path = rest.partition("/")
    if not slash or not is_registry(first):
        first, path = DOCKER_HUB, rest
    if first in HUB_ALIASES:
        first = DOCKER_HUB
        if "/" not in path:
            path = f"library/{path}"
    path, _, tag = path.partition(":")
    return Reference(first, path, tag or None, digest or None)


def is_registry(part: str) -> bool:
    """Whether the first part of a name is a registry and not a user of Docker Hub."""
    return "." in part or ":" in part or part == "localhost" or part != part.lower()
