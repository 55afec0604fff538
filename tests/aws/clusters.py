"""Clusters to make on the stand."""

from datetime import date
from typing import Any

from tasks.aws.design import Design, design_of
from tasks.aws.facts import read_facts
from tasks.aws.plan import Plan
from tasks.aws.preparing import prepare_creation
from tasks.aws.session import Aws
from trialflow.specs import ClusterSpec

TODAY = date(2026, 11, 26)
MODEL = "trialflow-model"
S3 = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"
CPU = {"instance_type": "m5.large", "min_nodes": 0, "max_nodes": 2}
GPU = {"instance_type": "g5.xlarge", "min_nodes": 0, "max_nodes": 2}


def spec_of(**more: Any) -> ClusterSpec:
    """A small cluster, or one with these fields instead."""
    return ClusterSpec.model_validate({"provider": "aws", "cluster_name": "tiny", "cpu": CPU, **more})


def full() -> ClusterSpec:
    """A cluster that has everything that a cluster can have."""
    return spec_of(gpu=GPU, private_nodes=True, aws={"additional_policies": [S3]})


def designed(aws: Aws, spec: ClusterSpec) -> Design:
    return design_of(spec, read_facts(aws, spec), today=TODAY)


def planned(aws: Aws, spec: ClusterSpec) -> Plan:
    return prepare_creation(aws, spec, today=TODAY)[1]
