"""A cluster: where its API server is, who we are there, and where its training runs and images go."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal, cast

from trialflow.errors import InvalidInput
from trialflow.network import without_logins

DEFAULT_NAMESPACE = "orchestrate"
"""SigOpt's, so that clusters that were set up for it go on as they are."""
MODEL_ACCOUNT = "trialflow-model"
"""The service account of training runs. It has no rights, and its token is not mounted."""
NAME = re.compile(r"[a-zA-Z0-9]([-a-zA-Z0-9]{0,98}[a-zA-Z0-9])?")
NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
REGISTRY = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:\d{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*", re.IGNORECASE)
PROVIDERS = ("custom", "aws")
Provider = Literal["custom", "aws"]


@dataclass(frozen=True)
class Cluster:
    """Everything that is needed to work on a cluster.

    `kubeconfig` is a self-contained document with one context (see `kubeconfig.py`), or empty for the service account of the pod that we run in;
    it holds secrets and is left out of `repr`. `context` is the name that the context had where it came from. `registry` is `host[:port][/path]`.
    `api_url` is the address of a service that pods can reach; without one they need none.
    `prices` are those of nodes by `label=value`, in US dollars an hour.
    """

    name: str
    provider: Provider = "custom"
    namespace: str = DEFAULT_NAMESPACE
    kubeconfig: Mapping[str, Any] = field(default_factory=dict, repr=False)
    context: str | None = None
    registry: str | None = None
    api_url: str | None = None
    prices: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_name(self.name)
        if not NAMESPACE.fullmatch(self.namespace):
            raise InvalidInput(f"the namespace {self.namespace!r} is not one: expected 1 to 63 lower-case letters, digits and dashes")
        if self.provider not in PROVIDERS:
            raise InvalidInput(f"the provider {self.provider!r} of cluster {self.name} is none of {', '.join(PROVIDERS)}")

        if self.registry is not None and not REGISTRY.fullmatch(self.registry):
            raise InvalidInput(f"the registry {self.registry!r} is not one", hint="expected host[:port][/path], without https://")
        if self.api_url is not None and not self.api_url.startswith(("http://", "https://")):
            raise InvalidInput(f"the address {self.api_url!r} of the service is not one", hint="expected http:// or https://")
        if not all("=" in label and isinstance(price, int | float) and 0 <= price < float("inf") for label, price in self.prices.items()):
            raise InvalidInput(f"the prices of cluster {self.name} are none", hint="expected `label=value: dollars an hour`")

    @property
    def server(self) -> str:
        """The address of the API server, for people: without a login in it; empty inside a pod of the cluster."""
        listed = self.kubeconfig.get("clusters") or [{}]
        return without_logins(str(listed[0].get("cluster", {}).get("server", "")))

    def from_inside(self) -> "Cluster":
        """The cluster as a pod in it reaches it: by the pod's service account. Nothing of the user's sign-in is needed, or goes there."""
        return replace(self, provider="custom", kubeconfig={}, context=None)

    def to_json(self) -> dict[str, Any]:
        """All of it as a JSON object, secrets too."""
        return {one.name: _plain(getattr(self, one.name)) for one in fields(self)}

    @classmethod
    def from_json(cls, document: Any) -> "Cluster":
        """The cluster that `to_json` wrote. Unknown keys, of later versions, are passed over. Raises `InvalidInput` for what is none."""
        if not isinstance(document, Mapping) or not isinstance(document.get("name"), str):
            raise InvalidInput("this is not the document of a cluster: it has no name")
        known = {one.name: document[one.name] for one in fields(cls) if one.name in document}
        for name, value in known.items():
            optional = name in ("context", "registry", "api_url")
            if not (isinstance(value, Mapping) if name in ("kubeconfig", "prices") else isinstance(value, str) or (optional and value is None)):
                raise InvalidInput(f"the document of cluster {document['name']} has an invalid `{name}`")
        return cls(**cast(dict[str, Any], known))


def check_name(name: str) -> str:
    """Return `name` if a cluster may have it: it names a file, and a Prefect block. Raises `InvalidInput`."""
    if not NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot be the name of a cluster", hint="expected 1 to 100 letters, digits and dashes, with a letter or digit at both ends"
        )
    return name


def _plain(value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value
