"""`cluster.yml`: the cluster that training runs execute on."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from trialflow.specs.image import REFERENCE
from trialflow.specs.strict import Count, NonEmpty, Positive, Secret, Strict, Text, Violation, refuse

AWS_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,99}")
VERSION = re.compile(r"1\.\d{2}|latest")
NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
POLICY = re.compile(r"arn:aws[-a-z]*:iam::(\d{12}|aws):policy/\S+")
AWS_FIELDS = ("cpu", "gpu", "system", "aws", "kubernetes_version")
CONNECTION_FIELDS = ("kubeconfig", "context")


def _version(value: Any) -> Any:
    if isinstance(value, float | int) and not isinstance(value, bool):
        raise PydanticCustomError("string", 'expected text; put it in quotes, as in "1.34": without them 1.30 is the number 1.3')
    if not isinstance(value, str) or not VERSION.fullmatch(value):
        raise PydanticCustomError("version", 'expected a version such as "1.34"')
    return value


def _namespace(value: str) -> str:
    if not NAMESPACE.fullmatch(value):
        raise PydanticCustomError("namespace", "expected 1 to 63 lower-case letters, digits and dashes")
    return value


def _registry(value: str) -> str:
    if not REFERENCE.fullmatch(f"{value.rstrip('/')}/x"):
        raise PydanticCustomError("registry", "expected host[:port][/path], without https://")
    return value


def _address(value: str) -> str:
    if not re.fullmatch(r"https?://[^\s/]+(/\S*)?", value):
        raise PydanticCustomError("address", "expected an address such as https://sigopt.example.com/api")
    return value


def _policy(value: str) -> str:
    if not POLICY.fullmatch(value):
        raise PydanticCustomError("policy", "expected the ARN of a policy, such as arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess")
    return value


class SystemGroup(Strict):
    """The machines for the cluster's own programs."""

    instance_type: NonEmpty | None = Field(default=None, description="EC2 instance type.", examples=["t3.large"])
    min_nodes: Count | None = Field(default=None, description="How many there are at least.")
    max_nodes: Positive | None = Field(default=None, description="How many there are at most.")
    node_volume_size: Positive | None = Field(default=None, description="Size of each node's disk in GiB.")

    @model_validator(mode="after")
    def _rules(self) -> "SystemGroup":
        if self.min_nodes is not None and self.max_nodes is not None and self.min_nodes > self.max_nodes:
            refuse([Violation(("min_nodes",), f"{self.min_nodes} is more than max_nodes {self.max_nodes}")])
        return self


class NodeGroup(SystemGroup):
    """One kind of machines of an AWS cluster that training runs execute on."""

    instance_type: NonEmpty = Field(description="EC2 instance type.", examples=["m7i.large", "g5.xlarge"])
    min_nodes: Count = Field(description="How many there are at least; 0 lets them all go when there is nothing to do.")
    max_nodes: Positive = Field(description="How many there are at most.")


class AwsOptions(Strict):
    """What an AWS cluster has besides its nodes."""

    additional_policies: list[Annotated[Text, AfterValidator(_policy)]] = Field(
        default_factory=list, description="ARNs of policies that the nodes get as well."
    )
    aws_access_key_id: Secret | None = Field(default=None, description="Accepted and not used: credentials come from a block or the environment.")
    aws_secret_access_key: Secret | None = Field(default=None, description="Accepted and not used.")


class ClusterSpec(Strict):
    """A cluster: this machine (local), one of your own (custom), or one that is made on AWS."""

    provider: Literal["aws", "custom", "local"] = Field(description="Where it is.")
    cluster_name: Annotated[NonEmpty, Field(max_length=100)] = Field(description="The cluster's name.")
    kubernetes_version: Annotated[str, BeforeValidator(_version)] | None = Field(
        default=None, description='Kubernetes version of an AWS cluster, in quotes: "1.34". The newest by default.', examples=["1.34"]
    )
    cpu: NodeGroup | None = Field(default=None, description="Machines without GPUs.")
    gpu: NodeGroup | None = Field(default=None, description="Machines with GPUs.")
    system: SystemGroup | None = Field(default=None, description="Machines for the cluster's own programs.")
    aws: AwsOptions | None = Field(default=None, description="Options of AWS.")
    registry: Annotated[Text, AfterValidator(_registry)] | None = Field(default=None, description="Image registry, host[:port][/path].")
    namespace: Annotated[Text, AfterValidator(_namespace)] | None = Field(default=None, description="Namespace of the training runs.")
    kubeconfig: NonEmpty | None = Field(default=None, description="Path of the kubeconfig of a custom cluster.")
    context: NonEmpty | None = Field(default=None, description="Context of that kubeconfig.")
    api_url: Annotated[Text, AfterValidator(_address)] | None = Field(
        default=None, description="Address of a service that pods can reach; without it they need none."
    )

    @model_validator(mode="after")
    def _rules(self) -> "ClusterSpec":
        refuse(list(_rules(self)))
        return self


def _rules(spec: ClusterSpec) -> Iterator[Violation]:
    if spec.provider == "aws":
        if not AWS_NAME.fullmatch(spec.cluster_name):
            yield Violation(("cluster_name",), f"{spec.cluster_name!r}; on AWS a letter, then letters, digits and dashes")
        if spec.cpu is None and spec.gpu is None:
            yield Violation(("cpu",), "missing: an AWS cluster has cpu or gpu nodes, or both")
        unwanted = CONNECTION_FIELDS
    elif spec.provider == "custom":
        unwanted = AWS_FIELDS
    else:
        unwanted = (*AWS_FIELDS, *CONNECTION_FIELDS, "namespace", "registry", "api_url")
    for field in unwanted:
        if getattr(spec, field) is not None:
            yield Violation((field,), f"not for provider {spec.provider}")
