"""What is known of an image in a registry."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class ImageFacts:
    """An image in a registry.

    `reference` is `repository@sha256:...`, as a pod should name it: for an image of several platforms the index, so that each node takes its own.
    `entrypoint`, `command`, `user`, `working_dir`, `environment` and `labels` are those of its configuration; `entrypoint` is None if the registry
    could not be asked, and then nothing else is known. `platforms` are such as `linux/amd64`; `size` is what has to be pulled, in bytes,
    compressed.
    """

    reference: str
    entrypoint: tuple[str, ...] | None = ()
    command: tuple[str, ...] = ()
    user: str = ""
    working_dir: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    platforms: tuple[str, ...] = ()
    size: int = 0

    @property
    def digest(self) -> str:
        """`sha256:...`."""
        return self.reference.partition("@")[2]
