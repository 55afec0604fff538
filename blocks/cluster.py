"""A Kubernetes cluster as a Prefect block: how it is reached, and where training runs and images go."""

from typing import Any, Literal

from prefect.blocks.core import Block
from prefect.types import SecretDict
from pydantic import Field


class TrialflowCluster(Block):
    """A Kubernetes cluster that training runs execute on. `trialflow cluster connect` writes it; the kubeconfig is kept masked."""

    _block_type_name = "trialflow cluster"
    _block_type_slug = "trialflow-cluster"
    _description = "A Kubernetes cluster that training runs execute on. `trialflow cluster connect` writes it; the kubeconfig is kept masked."
    _documentation_url = None

    cluster_name: str = Field(default="", title="Cluster name", description="The name in trialflow; the block's own name, in lower case, if empty.")
    provider: Literal["custom", "aws"] = Field(default="custom", title="Provider", description="Where it is: one of your own, or made on AWS.")
    namespace: str = Field(default="orchestrate", title="Namespace", description="The namespace of training runs.")
    kubeconfig: SecretDict = Field(
        default_factory=lambda: SecretDict({}),
        title="Kubeconfig",
        description="A self-contained kubeconfig with one context, as JSON. Empty: the service account of the pod that the flow runs in.",
    )
    context: str | None = Field(default=None, title="Context", description="The name of the context in the kubeconfig that it was taken from.")
    registry: str | None = Field(default=None, title="Registry", description="Where images go: host[:port][/path].")
    api_url: str | None = Field(
        default=None, title="Service URL", description="Address of a service that pods can reach; without one they need none and hold no token."
    )

    prices: dict[str, float] = Field(
        default_factory=dict, title="Prices", description="US dollars an hour of nodes, by `label=value`. Empty: nothing is counted."
    )

    def document(self) -> dict[str, Any]:
        """The kubeconfig with its secrets."""
        return self.kubeconfig.get_secret_value()
