"""cluster.yml: every rule of it."""

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from trialflow.specs import FlowClusterSpec

AWS = "provider: aws\ncluster_name: tiny\n"
CPU = "cpu: {instance_type: m5.large, min_nodes: 0, max_nodes: 2}\n"
CUSTOM = "provider: custom\ncluster_name: x\n"


def test_a_full_aws_cluster_is_read(load: Callable[[str, str], Any]) -> None:
    text = (
        AWS
        + CPU
        + """\
kubernetes_version: "1.34"
gpu: {instance_type: g5.xlarge, min_nodes: 0, max_nodes: 4, node_volume_size: 200}
system: {instance_type: t3.large}
aws:
  additional_policies: [arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess]
  aws_access_key_id: AKIAHUSH
  aws_secret_access_key: hush
"""
    )
    spec = load("cluster", text)
    assert (spec.cpu.max_nodes, spec.cpu.node_volume_size, spec.gpu.node_volume_size, spec.system.min_nodes) == (2, 100, 200, 1)
    assert (spec.system.max_nodes, spec.gpu_groups[0].spot) == (2, False)
    assert "hush" not in repr(spec).lower()


@pytest.mark.parametrize(
    "text",
    [
        "provider: local\ncluster_name: here\n",
        CUSTOM + "kubeconfig: ~/.kube/config\ncontext: c\nnamespace: training\nregistry: host:5000/team\napi_url: https://sigopt.example.com/api\n",
        CUSTOM + "registry: 123456789012.dkr.ecr.eu-west-1.amazonaws.com\napi_url: http://10.0.0.1:8080\n",
        AWS + "kubernetes_version: latest\n" + CPU,
        AWS.replace("aws", "AWS") + CPU,
    ],
)
def test_clusters_of_every_provider_are_read(load: Callable[[str, str], Any], text: str) -> None:
    assert load("cluster", text).provider in text.lower()


@pytest.mark.parametrize("written", ["1.20", "'1.20'", '"1.20"', "1.20  # old"])
def test_a_version_is_read_as_it_is_written(load: Callable[[str, str], Any], written: str) -> None:
    assert load("cluster", AWS + CPU + f"kubernetes_version: {written}\n").kubernetes_version == "1.20"


def test_several_groups_a_network_of_ones_own_and_a_limit_of_cost_are_read(load: Callable[[str, str], Any]) -> None:
    text = (
        AWS
        + """\
region: eu-west-1
cpu:
- {instance_type: m5.large, min_nodes: 0, max_nodes: 2}
- {instance_type: m5.large, min_nodes: 0, max_nodes: 9, spot: true}
subnets: [subnet-0a1b2c3d, subnet-0a1b2c3e]
max_cost_per_hour: 4.5
aws: {aws_access_key_id: ASIAHUSH, aws_secret_access_key: hush, aws_session_token: hush}
"""
    )
    spec = load("cluster", text)
    assert ([one.spot for one in spec.cpu_groups], spec.gpu_groups, spec.region) == ([False, True], [], "eu-west-1")
    assert "hush" not in repr(spec).lower()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cluster_name: x", "1:1: provider: missing; where it is"),
        ("provider: local", "1:1: cluster_name: missing; the cluster's name"),
        ("provider: gcp\ncluster_name: x", "1:1: provider: 'gcp'; allowed: aws, custom, local"),
        (AWS, "1:1: cpu: missing: an AWS cluster has cpu or gpu nodes, or both"),
        ("provider: aws\ncluster_name: 1x\n" + CPU, "2:1: cluster_name: '1x'; on AWS a letter, then letters, digits and dashes"),
        ("provider: aws\ncluster_name: a_b\n" + CPU, "2:1: cluster_name: 'a_b'; on AWS a letter"),
        (CUSTOM.replace("x", "''"), "2:1: cluster_name: empty"),
        (AWS + CPU + "kubernetes_version: 1.3", "4:1: kubernetes_version: '1.3'; expected a version such as \"1.34\""),
        (AWS + CPU + "system: {min_nodes: 0}", "4:10: system.min_nodes: 0; it must be above 0"),
        (AWS + "cpu: [{instance_type: m5, min_nodes: 0, max_nodes: 1, spots: true}]", '3:55: cpu[0].spots: unknown key; did you mean "spot"?'),
        (AWS + "cpu: [{instance_type: m5, min_nodes: 2, max_nodes: 1}]", "3:27: cpu[0].min_nodes: 2 is more than max_nodes 1"),
        (AWS + "cpu: []", "3:1: cpu: an empty list; at least 1"),
        (AWS + "cpu: 3", "3:1: cpu: 3; expected a mapping of keys to values"),
        (
            AWS + "gpu: [{instance_type: g5, min_nodes: 0, max_nodes: 1}, {instance_type: g5, min_nodes: 0, max_nodes: 2}]",
            "3:56: gpu[1]: the same machines as a group before it",
        ),
        (AWS + CPU.replace("}", ", spot: often}"), "3:60: cpu.spot: 'often'; expected true or false"),
        (AWS + CPU + "region: Ireland", "4:1: region: 'Ireland'; expected a region of AWS such as eu-west-1"),
        (AWS + CPU + "aws: {region: eu-west-1}", "4:7: aws.region: unknown key; it goes to the top of the file"),
        (AWS + CPU + "subnets: [subnet-0a1b2c3d]", "4:1: subnets: a list of 1; at least 2"),
        (AWS + CPU + "subnets: [net-1, subnet-0a1b2c3d]", "4:11: subnets[0]: 'net-1'; expected the id of a subnet"),
        (AWS + CPU + "private_nodes: true\nsubnets: [subnet-0a1b2c3d, subnet-0a1b2c3e]", "4:1: private_nodes: not with `subnets`"),
        (AWS + CPU + "max_cost_per_hour: 0", "4:1: max_cost_per_hour: 0; it must be above 0"),
        (AWS + CPU + "aws: {aws_access_key_id: AKIA}", "4:1: aws.aws_secret_access_key: missing: a key is used with its secret"),
        (CUSTOM + "region: eu-west-1", "3:1: region: not for provider custom"),
        (AWS + CPU + "kubernetes_version: '2'", "4:1: kubernetes_version: '2'; expected a version such as \"1.34\""),
        (AWS + "cpu: {instance_type: m5, min_nodes: 3, max_nodes: 2}", "3:26: cpu.min_nodes: 3 is more than max_nodes 2"),
        (AWS + "cpu: {min_nodes: 1, max_nodes: 2}", "3:1: cpu.instance_type: missing; EC2 instance type"),
        (AWS + "cpu: {instance_type: m5, max_nodes: 2}", "3:1: cpu.min_nodes: missing; how many there are at least"),
        (AWS + "cpu: {instance_type: m5, min_nodes: 0}", "3:1: cpu.max_nodes: missing; how many there are at most"),
        (AWS + "cpu: {instance_type: m5, min_nodes: 0, max_nodes: 0}", "3:40: cpu.max_nodes: 0; it must be above 0"),
        (AWS + "cpu: {instance_type: m5, min_nodes: -1, max_nodes: 1}", "3:26: cpu.min_nodes: -1; it must be 0 or more"),
        (AWS + CPU + "gpu: {instance_type: 5, min_nodes: 0, max_nodes: 1}", "4:7: gpu.instance_type: 5; expected text; put it in quotes"),
        (AWS + CPU.replace("}", ", node_volume_size: 0}"), "3:60: cpu.node_volume_size: 0; it must be above 0"),
        (AWS + CPU.replace("max_nodes", "max_node"), '3:46: cpu.max_node: unknown key; did you mean "max_nodes"?'),
        (AWS + CPU + "system: {min_nodes: 3, max_nodes: 1}", "4:10: system.min_nodes: 3 is more than max_nodes 1"),
        (
            AWS + CPU + "aws: {additional_policies: [S3]}",
            "4:29: aws.additional_policies[0]: 'S3'; expected the ARN of a policy, such as arn:aws:iam::",
        ),
        (AWS + CPU + "aws: {aws_secret_access_key: [hush]}", "4:7: aws.aws_secret_access_key: this value; expected text"),
        (AWS + CPU + "aws: {aws_access_key_id: ''}", "4:7: aws.aws_access_key_id: empty"),
        (AWS + CPU + "kubeconfig: x", "4:1: kubeconfig: not for provider aws"),
        (CUSTOM + CPU, "3:1: cpu: not for provider custom"),
        (CUSTOM + "kubernetes_version: '1.34'", "3:1: kubernetes_version: not for provider custom"),
        ("provider: local\ncluster_name: x\nnamespace: n", "3:1: namespace: not for provider local"),
        (CUSTOM + "namespace: A_b", "3:1: namespace: 'A_b'; expected 1 to 63 lower-case letters, digits and dashes"),
        (CUSTOM + "registry: https://host/x", "3:1: registry: 'https://host/x'; expected host[:port][/path], without https://"),
        (CUSTOM + "api_url: sigopt.example.com", "3:1: api_url: 'sigopt.example.com'; expected an address such as https://"),
        (CUSTOM + "kubecontext: x", '3:1: kubecontext: unknown key; did you mean "context"?'),
    ],
)
def test_what_is_wrong_is_said(problems: Callable[[str, str], list[str]], text: str, expected: str) -> None:
    (found,) = problems("cluster", text)
    assert found.startswith(expected)


def test_a_flow_parameter_holds_no_keys() -> None:
    flow = TypeAdapter(FlowClusterSpec)
    given = {"provider": "aws", "cluster_name": "mine", "cpu": {"instance_type": "t3.large", "min_nodes": 0, "max_nodes": 2}}
    assert flow.validate_python(given).cluster_name == "mine"
    with pytest.raises(ValidationError, match="AWS credentials block") as raised:
        flow.validate_python({**given, "aws": {"aws_access_key_id": "AKIA", "aws_secret_access_key": "hush"}})
    assert "hush" not in str(raised.value)
