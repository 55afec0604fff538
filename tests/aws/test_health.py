"""How a cluster is by AWS's account: its version's support, and machines that could not be started."""

from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from tasks.aws.errors import AwsMissing
from tasks.aws.health import Health, read_health, troubles_of
from tasks.aws.session import Aws
from tasks.aws.steps import creation, do
from tasks.aws.waiting import Waiter
from tests.aws.clusters import MODEL, designed, spec_of
from tests.aws.stand import Stand
from trialflow.cli.cluster.tables import price_line

TODAY = date(2026, 11, 26)
NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("end", "is_extended", "told"),
    [
        (date(2027, 8, 2), False, "Kubernetes 1.34, with standard support until 2027-08-02; the control plane costs $0.10 an hour"),
        (date(2026, 12, 2), False, "Kubernetes 1.34, with standard support until 2026-12-02; the control plane costs $0.10 an hour"),
        (date(2026, 7, 29), True, "Kubernetes 1.34 is in extended support: the control plane costs $0.60 an hour"),
        (None, False, "Kubernetes 1.34; the control plane costs $0.10 an hour"),
    ],
)
def test_the_end_of_support_is_told_with_what_to_do(end: date | None, is_extended: bool, told: str) -> None:
    lines = Health("1.34", end, is_extended).lines(TODAY)
    assert lines[0].startswith(told)
    assert ("`trialflow cluster update`" in " ".join(lines)) == (end is not None and end.year == 2026)


@pytest.mark.parametrize(
    ("prices", "told"),
    [
        ({}, None),
        ({"type=big": 2.0, "type=small": 0.5}, "these nodes cost $2.50 an hour"),
        ({"type=big": 2.0}, "these nodes cost $2.00 an hour, and 1 of unknown price"),
        ({"type=other": 2.0}, "what these nodes cost is not known"),
    ],
)
def test_an_unknown_price_of_a_node_is_never_nothing(prices: dict[str, float], told: str | None) -> None:
    nodes: Any = [SimpleNamespace(labels={"type": kind}) for kind in ("big", "small")]
    assert price_line(nodes, prices) == told


def activity(minutes: int, status: str, message: str = "") -> dict[str, Any]:
    return {
        "StartTime": NOW - timedelta(minutes=minutes),
        "StatusCode": status,
        "StatusMessage": message,
        "Description": "Launching a new EC2 instance",
    }


@pytest.mark.parametrize(
    ("activities", "troubles"),
    [
        ([], []),
        ([activity(5, "Failed", "InsufficientInstanceCapacity")], ["node group gpu-1 could not start a machine: InsufficientInstanceCapacity"]),
        ([activity(5, "Failed")], ["node group gpu-1 could not start a machine: Launching a new EC2 instance"]),
        ([activity(5, "Failed", "no quota"), activity(1, "Successful")], []),
        ([activity(1, "InProgress"), activity(5, "Failed", "no quota")], []),
        ([activity(90, "Failed", "no quota")], []),
    ],
)
def test_a_machine_that_could_not_be_started_is_told_until_another_could_or_nobody_wants_one(
    activities: list[dict[str, Any]], troubles: list[str]
) -> None:
    assert list(troubles_of({"nodegroupName": "gpu-1"}, activities, NOW)) == troubles


def test_what_eks_says_of_a_group_is_told() -> None:
    group = {"nodegroupName": "cpu-1", "health": {"issues": [{"code": "AccessDenied", "message": "the role is gone"}]}}
    assert list(troubles_of(group, [], NOW)) == ["node group cpu-1: AccessDenied: the role is gone"]


def test_a_cluster_is_asked_about(stand: Stand, aws: Aws, wait: Waiter) -> None:
    with pytest.raises(AwsMissing, match="there is no cluster tiny in eu-west-1"):
        read_health(aws, "tiny", now=NOW)
    do(creation(aws, designed(aws, spec_of(kubernetes_version="1.33")), MODEL), wait)
    stand.front.calls.clear()
    health = read_health(aws, "tiny", now=NOW)
    assert (health.version, health.end, health.is_extended, health.troubles) == ("1.33", date(2026, 7, 29), True, ())
    assert "autoscaling:DescribeScalingActivities" in stand.front.calls and not stand.front.changes()
