"""`cluster.yml`: the cluster that training runs execute on."""

import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from trialflow.specs.image import REFERENCE
from trialflow.specs.strict import Count, NonEmpty, Number, Positive, Secret, Strict, Text, Violation, refuse

AWS_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,99}")
VERSION = re.compile(r"1\.\d{2}|latest")
NAMESPACE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?")
POLICY = re.compile(r"arn:aws[-a-z]*:iam::(\d{12}|aws):policy/\S+")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d")
LABEL = re.compile(r"[A-Za-z0-9][-A-Za-z0-9_./]*=[-A-Za-z0-9_.]*")
SUBNET = re.compile(r"subnet-[0-9a-f]{8,17}")
AWS_FIELDS = ("cpu", "gpu", "system", "aws", "kubernetes_version", "region", "subnets", "private_nodes", "max_cost_per_hour")
CONNECTION_FIELDS = ("kubeconfig", "context")


def _version(value: Any) -> Any:
    if isinstance(value, float | int) and not isinstance(value, bool):
        raise PydanticCustomError("string", 'expected text; put it in quotes, as in "1.34": without them 1.30 is the number 1.3')
    if not isinstance(value, str) or not VERSION.fullmatch(value):
        raise PydanticCustomError("version", 'expected a version such as "1.34"')
    return value


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


def _switch(value: Any) -> Any:
    if not isinstance(value, bool):
        raise PydanticCustomError("switch", "expected true or false")
    return value


def _region(value: str) -> str:
    if not REGION.fullmatch(value):
        raise PydanticCustomError("region", "expected a region of AWS such as eu-west-1")
    return value


def _subnet(value: str) -> str:
    if not SUBNET.fullmatch(value):
        raise PydanticCustomError("subnet", "expected the id of a subnet, such as subnet-0a1b2c3d")
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


Switch = Annotated[bool, BeforeValidator(_switch)]


class SystemGroup(Strict):
    """The machines for the cluster's own programs."""

    instance_type: NonEmpty = Field(default="t3.large", description="EC2 instance type.", examples=["t3.large"])
    min_nodes: Positive = Field(default=1, description="How many there are at least: the cluster's own programs need one.")
    max_nodes: Positive = Field(default=2, description="How many there are at most.")
    node_volume_size: Positive = Field(default=50, description="Size of each node's disk in GiB.")

    @model_validator(mode="after")
    def _rules(self) -> "SystemGroup":
        if self.min_nodes > self.max_nodes:
            refuse([Violation(("min_nodes",), f"{self.min_nodes} is more than max_nodes {self.max_nodes}")])
        return self


class NodeGroup(SystemGroup):
    """One kind of machines of an AWS cluster that training runs execute on."""

    instance_type: NonEmpty = Field(description="EC2 instance type.", examples=["m7i.large", "g5.xlarge"])
    min_nodes: Count = Field(description="How many there are at least; 0 lets them all go when there is nothing to do.")
    max_nodes: Positive = Field(description="How many there are at most.")
    node_volume_size: Positive = Field(default=100, description="Size of each node's disk in GiB.")
    spot: Switch = Field(default=False, description="Use spot instances: cheaper, and AWS may take them back; what ran there is run again.")
    alternative_types: list[NonEmpty] = Field(
        default_factory=list,
        max_length=19,
        description="Other instance types of the same size that spot instances may be of instead.",
        examples=[["m5a.large"]],
    )

    @model_validator(mode="after")
    def _alternatives(self) -> "NodeGroup":
        if self.alternative_types and not self.spot:
            refuse([Violation(("alternative_types",), "only with `spot: true`: other instances are always of `instance_type`")])
        if len({self.instance_type, *self.alternative_types}) <= len(self.alternative_types):
            refuse([Violation(("alternative_types",), "a type is named twice")])
        return self


def _one_or_several(value: Any) -> str:
    return "several" if isinstance(value, list) else "one"


NodeGroups = Annotated[
    Annotated[NodeGroup, Tag("one")] | Annotated[list[NodeGroup], Field(min_length=1), Tag("several")], Discriminator(_one_or_several)
]
"""One group of machines, or a list of them."""


class AwsOptions(Strict):
    """What an AWS cluster has besides its nodes, and the keys to make it with."""

    additional_policies: list[Annotated[Text, AfterValidator(_policy)]] = Field(
        default_factory=list, description="ARNs of policies that nodes and training runs get as well."
    )
    aws_access_key_id: Secret | None = Field(default=None, description="Key to use instead of the environment's; a Prefect block keeps it safer.")
    aws_secret_access_key: Secret | None = Field(default=None, description="The key's secret.")
    aws_session_token: Secret | None = Field(default=None, description="The session token of temporary keys.")

    @model_validator(mode="after")
    def _rules(self) -> "AwsOptions":
        pair = {"aws_access_key_id": self.aws_access_key_id, "aws_secret_access_key": self.aws_secret_access_key}
        is_wanted = self.aws_session_token is not None or any(pair.values())
        refuse([Violation((name,), "missing: a key is used with its secret") for name, value in pair.items() if is_wanted and value is None])
        return self


class ClusterSpec(Strict):
    """A cluster: this machine (local), one of your own (custom), or one that is made on AWS."""

    provider: Annotated[Literal["aws", "custom", "local"], BeforeValidator(_lower)] = Field(description="Where it is.")
    cluster_name: Annotated[NonEmpty, Field(max_length=100)] = Field(description="The cluster's name.")
    kubernetes_version: Annotated[str, BeforeValidator(_version)] | None = Field(
        default=None, description="Kubernetes version of an AWS cluster. By default the newest with time left in standard support.", examples=["1.34"]
    )
    region: Annotated[Text, AfterValidator(_region)] | None = Field(
        default=None, description="AWS region; by default that of the credentials.", examples=["eu-west-1"]
    )
    cpu: NodeGroups | None = Field(default=None, description="Machines without GPUs; a list for several kinds.")
    gpu: NodeGroups | None = Field(default=None, description="Machines with GPUs; a list for several kinds.")
    system: SystemGroup | None = Field(default=None, description="Machines for the cluster's own programs.")
    aws: AwsOptions | None = Field(default=None, description="Policies and keys of AWS.")
    subnets: list[Annotated[Text, AfterValidator(_subnet)]] | None = Field(
        default=None, min_length=2, description="Existing subnets to use, in at least two zones, instead of a network made for the cluster."
    )
    private_nodes: Switch | None = Field(
        default=None, description="Give nodes no public address; they reach the internet by a NAT gateway, which costs."
    )
    max_cost_per_hour: Annotated[Number, Field(gt=0)] | None = Field(
        default=None, description="Refuse to make a cluster that could cost more US dollars an hour with all its nodes running."
    )
    registry: Annotated[Text, AfterValidator(_registry)] | None = Field(default=None, description="Image registry, host[:port][/path].")
    namespace: Annotated[Text, AfterValidator(_namespace)] | None = Field(default=None, description="Namespace of the training runs.")
    kubeconfig: NonEmpty | None = Field(default=None, description="Path of the kubeconfig of a custom cluster.")
    context: NonEmpty | None = Field(default=None, description="Context of that kubeconfig.")
    prices: dict[NonEmpty, Annotated[Number, Field(ge=0)]] | None = Field(
        default=None, description="US dollars an hour that nodes cost, by label and value: `type=big: 2.5`.", examples=[{"type=big": 2.5}]
    )
    api_url: Annotated[Text, AfterValidator(_address)] | None = Field(
        default=None, description="Address of a service that pods can reach; without it they need none."
    )

    @property
    def cpu_groups(self) -> list[NodeGroup]:
        """The groups of machines without GPUs."""
        return _listed(self.cpu)

    @property
    def gpu_groups(self) -> list[NodeGroup]:
        """The groups of machines with GPUs."""
        return _listed(self.gpu)

    @model_validator(mode="after")
    def _rules(self) -> "ClusterSpec":
        refuse(list(_rules(self)))
        return self


def _listed(groups: NodeGroup | list[NodeGroup] | None) -> list[NodeGroup]:
    return groups if isinstance(groups, list) else [groups] if groups else []


def _rules(spec: ClusterSpec) -> Iterator[Violation]:
    if spec.provider == "aws":
        if not AWS_NAME.fullmatch(spec.cluster_name):
            yield Violation(("cluster_name",), f"{spec.cluster_name!r}; on AWS a letter, then letters, digits and dashes")
        if spec.cpu is None and spec.gpu is None:
            yield Violation(("cpu",), "missing: an AWS cluster has cpu or gpu nodes, or both")
        if spec.subnets and spec.private_nodes is not None:
            yield Violation(("private_nodes",), "not with `subnets`: existing subnets have routes of their own")
        for field, groups in (("cpu", spec.cpu_groups), ("gpu", spec.gpu_groups)):
            for index, group in enumerate(groups):
                if any(is_same_kind(group, other) for other in groups[:index]):
                    yield Violation((field, index), "the same machines as a group before it; raise max_nodes of that one")
        unwanted = (*CONNECTION_FIELDS, "prices")
    elif spec.provider == "custom":
        unwanted = AWS_FIELDS
    else:
        unwanted = (*AWS_FIELDS, *CONNECTION_FIELDS, "namespace", "registry", "api_url", "prices")
    for label in spec.prices or {}:
        if not LABEL.fullmatch(label):
            yield Violation(("prices", label), "expected a label of nodes and its value, such as node.kubernetes.io/instance-type=big")
    for field in unwanted:
        if getattr(spec, field) is not None:
            yield Violation((field,), f"not for provider {spec.provider}")


def is_same_kind(one: NodeGroup, other: NodeGroup) -> bool:
    """Whether the machines of two groups are the same, however many there may be."""
    return _kind(one) == _kind(other)


def _kind(group: NodeGroup) -> tuple[object, ...]:
    return group.instance_type, group.node_volume_size, group.spot, tuple(group.alternative_types)
