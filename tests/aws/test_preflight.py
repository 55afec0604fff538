"""Before anything is made: are the rights there, and is there room in the account? What may not be asked is a warning."""

import pytest

from tasks.aws.preparing import prepare_creation
from tasks.aws.session import Aws
from tasks.aws.steps import creation, do
from tasks.aws.waiting import Waiter
from tests.aws.clusters import MODEL, TODAY, designed, full, spec_of
from tests.aws.stand import Stand
from trialflow.errors import InvalidInput


def test_rights_that_are_missing_are_named_before_anything_is_made(stand: Stand, aws: Aws) -> None:
    stand.front.faults.denied = frozenset({"ec2:CreateVpc", "iam:PassRole"})
    with pytest.raises(InvalidInput, match=r"user/owner may not do iam:PassRole, ec2:CreateVpc \(docs/aws.md has a policy to paste\)"):
        prepare_creation(aws, spec_of(), today=TODAY)
    assert not stand.front.changes()


def test_an_account_without_room_is_told_so(stand: Stand, aws: Aws) -> None:
    stand.front.quota = 1
    with pytest.raises(InvalidInput) as raised:
        prepare_creation(aws, full(), today=TODAY)
    assert "the account has 1 VPCs in eu-west-1 and may have 1 (Service Quotas, vpc, L-F678F1CE)" in raised.value.message


def test_what_may_not_be_asked_is_a_warning(stand: Stand, aws: Aws) -> None:
    stand.front.faults.denied = frozenset({"iam:SimulatePrincipalPolicy", "servicequotas:GetServiceQuota"})
    _, plan = prepare_creation(aws, spec_of(), today=TODAY)
    assert len([one for one in plan.warnings if "could not be asked" in one]) == 4


def test_a_cluster_that_is_half_made_is_not_asked_for_room_again(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec_of()), MODEL)[:1], wait)
    stand.front.quota = 64
    stand.front.calls.clear()
    prepare_creation(aws, spec_of(), today=TODAY)
    assert "iam:SimulatePrincipalPolicy" not in stand.front.calls and "eks:ListClusters" not in stand.front.calls
