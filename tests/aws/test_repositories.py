"""Images go to ECR: below a path for each cluster, in repositories that are made when they are needed and go with the cluster."""

import json

import pytest

from tasks.aws.inventory import leftovers
from tasks.aws.preparing import prepare_destruction
from tasks.aws.repositories import (
    delete_repositories,
    ensure_repository,
    is_on_ecr,
    lifecycle_policy,
    list_repositories,
    own_registry,
    registry_path,
    sign_in_to_push,
)
from tasks.aws.session import Aws
from tasks.aws.setting_up import connection_facts
from tasks.aws.steps import creation, destruction, do
from tasks.aws.waiting import Waiter
from tasks.images.login import Login
from tasks.kubernetes.client.cluster import Cluster
from tests.aws.clusters import MODEL, designed, spec_of
from tests.aws.stand import Stand

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"


@pytest.fixture(autouse=True)
def without_a_local_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIALFLOW_TEST_REGISTRY", raising=False)
    monkeypatch.delenv("TRIALFLOW_TEST_KUBECONFIG", raising=False)


@pytest.mark.parametrize("names", [("tiny", "Tiny"), ("a-b", "a--b"), ("a", "a-")])
def test_every_cluster_has_a_path_of_its_own_that_ecr_takes(names: tuple[str, str]) -> None:
    plain, other = map(registry_path, names)
    assert plain == f"trialflow/{names[0]}" and other != plain and other == other.lower() and "--" not in other and not other.endswith("-")


def test_the_rule_for_old_images_is_long_enough_for_ecr_to_take_it() -> None:
    assert 100 <= len(json.dumps(lifecycle_policy())) <= 30720


@pytest.mark.parametrize(
    ("provider", "registry", "expected"),
    [
        ("aws", f"{HOST}/trialflow/tiny", True),
        ("aws", f"{HOST}/team", True),
        ("aws", "127.0.0.1:5000/trialflow/tiny", True),
        ("aws", "ghcr.io/team", False),
        ("aws", "127.0.0.1:5000/trialflow/other", False),
        ("aws", None, False),
        ("custom", f"{HOST}/team", False),
    ],
)
def test_aws_says_who_we_are_to_its_own_registry_alone(provider: str, registry: str | None, expected: bool) -> None:
    assert is_on_ecr(Cluster("tiny", provider=provider, registry=registry)) is expected  # type: ignore[arg-type]


def test_a_cluster_without_a_registry_gets_that_of_its_account(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec_of()), MODEL), wait)
    assert connection_facts(aws, "tiny").registry == f"{HOST}/trialflow/tiny"
    assert connection_facts(aws, "tiny", registry="ghcr.io/team/").registry == "ghcr.io/team"
    stand.front.faults.denied = frozenset({"ecr:GetAuthorizationToken"})
    assert own_registry(aws, "tiny") is None


def test_a_push_has_a_login_and_its_repository_and_both_only_once(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec_of()), MODEL), wait)
    cluster = connection_facts(aws, "tiny")
    stand.front.calls.clear()
    for _ in range(2):
        login = sign_in_to_push(cluster, f"{HOST}/trialflow/tiny/my-model")
        assert login == Login("AWS", "a-token-of-the-stand") and "stand" not in repr(login)
    assert stand.front.changes() == {"ecr:CreateRepository": 1, "ecr:PutLifecyclePolicy": 1}
    assert list_repositories(aws, "tiny") == ["trialflow/tiny/my-model"]


def test_repositories_go_with_their_cluster_and_no_others(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec_of()), MODEL), wait)
    ensure_repository(aws, "tiny", "trialflow/tiny/a")
    ensure_repository(aws, "tiny", "team/b")
    aws.client("ecr").create_repository(repositoryName="trialflow/tiny/of-somebody-else")
    plan = prepare_destruction(aws, "tiny")
    assert [one.name for one in plan.of("delete") if one.kind == "image repository"] == ["trialflow/tiny/a"]
    do(destruction(aws, "tiny"), wait)
    left = {one["repositoryName"] for one in aws.client("ecr").every("describe_repositories", "repositories")}
    assert left == {"team/b", "trialflow/tiny/of-somebody-else"} and leftovers(aws, "tiny") == []
    delete_repositories(aws, "tiny")


@pytest.mark.parametrize("code", ["Throttling", "InternalFailure"])
def test_every_call_may_fail_once(stand: Stand, aws: Aws, code: str) -> None:
    stand.front.faults.once = code
    ensure_repository(aws, "tiny", "trialflow/tiny/a")
    delete_repositories(aws, "tiny")
    assert not list_repositories(aws, "tiny")


def test_a_guest_who_may_only_look_at_the_cluster_connects_without_prices_and_registry(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, spec_of()), MODEL), wait)
    names = {one.partition("=")[0] for one in connection_facts(aws, "tiny").prices}
    assert names == {"eks.amazonaws.com/nodegroup"} and len(connection_facts(aws, "tiny").prices) == 2
    stand.front.faults.denied = frozenset({"eks:ListNodegroups", "ecr:GetAuthorizationToken"})
    assert (connection_facts(aws, "tiny").prices, connection_facts(aws, "tiny").registry) == ({}, None)
