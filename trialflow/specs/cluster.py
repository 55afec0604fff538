"""`cluster.yml`: the cluster that training runs execute on."""

import re
from collections.abc import Iterator
from typing import Literal

from pydantic import Field, model_validator

from trialflow.specs.strict import Count, NonEmpty, Positive, Strict, Text, Version, Violation, refuse

AWS_NAME = re.compile(r"^[a-zA-Z][-a-zA-Z0-9]{0,99}$")


class NodeGroup(Strict):
    """One kind of machines of an AWS cluster."""

    instance_type: NonEmpty = Field(description="EC2 instance type.")
    min_nodes: Count = Field(description="How many there are at least.")
    max_nodes: Positive = Field(description="How many there are at most.")
    node_volume_size: Positive | None = Field(default=None, description="Size of each node's disk in GiB.")

    @model_validator(mode="after")
    def _rules(self) -> "NodeGroup":
        if self.min_nodes > self.max_nodes:
            refuse([Violation(("min_nodes",), f"{self.min_nodes} is more than max_nodes {self.max_nodes}")])
        return self


class SystemGroup(Strict):
    """The machines for the cluster's own programs."""

    instance_type: NonEmpty | None = Field(default=None, description="EC2 instance type.")
    min_nodes: Count | None = Field(default=None, description="How many there are at least.")
    max_nodes: Positive | None = Field(default=None, description="How many there are at most.")
    node_volume_size: Positive | None = Field(default=None, description="Size of each node's disk in GiB.")


class AwsOptions(Strict):
    """What an AWS cluster has besides its nodes."""

    additional_policies: list[Text] = Field(default_factory=list, description="ARNs of policies that the nodes get as well.")
    aws_access_key_id: Text | None = Field(
        default=None, min_length=1, description="Accepted and not used: credentials come from a block or the environment."
    )
    aws_secret_access_key: NonEmpty | None = Field(default=None, repr=False, description="Accepted and not used.")


class ClusterSpec(Strict):
    """A cluster: this machine (local), one of your own (custom), or one that is made on AWS."""

    provider: Literal["aws", "custom", "local"] = Field(description="Where it is.")
    cluster_name: NonEmpty = Field(max_length=100, description="Its name.")
    kubernetes_version: Version | None = Field(
        default=None, description='Kubernetes version of an AWS cluster, in quotes: "1.34". The newest by default.'
    )
    cpu: NodeGroup | None = Field(default=None, description="Machines without GPUs.")
    gpu: NodeGroup | None = Field(default=None, description="Machines with GPUs.")
    system: SystemGroup | None = Field(default=None, description="Machines for the cluster's own programs.")
    aws: AwsOptions | None = Field(default=None, description="Options of AWS.")
    registry: Text | None = Field(default=None, description="Image registry, host[:port][/path].")
    namespace: Text | None = Field(default=None, description="Namespace of the training runs.")
    kubeconfig: Text | None = Field(default=None, description="Path of the kubeconfig of a custom cluster.")
    context: Text | None = Field(default=None, description="Context of that kubeconfig.")
    api_url: Text | None = Field(default=None, description="Address of a service that pods can reach; without it they need none.")

    @model_validator(mode="after")
    def _rules(self) -> "ClusterSpec":
        refuse(list(_rules(self)))
        return self


def _rules(spec: ClusterSpec) -> Iterator[Violation]:
    if spec.provider == "aws":
        if not AWS_NAME.match(spec.cluster_name):
            yield Violation(("cluster_name",), f"{spec.cluster_name!r}; on AWS a letter, then letters, digits and dashes")
        if spec.cpu is None and spec.gpu is None:
            yield Violation(("cpu",), "missing: an AWS cluster has cpu or gpu nodes, or both")
        unwanted = ("kubeconfig", "context")
    else:
        unwanted = ("cpu", "gpu", "system", "aws", "kubernetes_version")
    for field in unwanted:
        if getattr(spec, field) is not None:
            yield Violation((field,), f"not for provider {spec.provider}")
