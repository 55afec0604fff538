"""The stand's EKS is a real Kubernetes: who signs in is checked there, by signature and access entry, and tokens end."""

import asyncio
import secrets
from collections.abc import Iterator

import pytest

from tasks.aws.access_entries import ensure_access
from tasks.aws.session import Aws, Keys
from tasks.aws.setting_up import check, connection_facts
from tasks.aws.steps import creation, do
from tasks.aws.waiting import Waiter
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.client.requests import ask
from tests import given
from tests.aws.clusters import MODEL, designed, spec_of
from tests.aws.sign_in import Reviews
from tests.aws.stand import REGION, Stand

KEPT_SECONDS = 11.5
"""For how long API servers take a token that they have asked about for good, and a little more."""
pytestmark = pytest.mark.cluster


@pytest.fixture
def reviews(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reviews]:
    monkeypatch.setenv("TRIALFLOW_TEST_KUBECONFIG", given.kubeconfig())
    answering = Reviews(stand.url)
    yield answering
    answering.close()


@pytest.fixture
def made(reviews: Reviews, aws: Aws, wait: Waiter) -> Aws:
    do(creation(aws, designed(aws, spec_of()), MODEL), wait)
    return aws


async def test_the_owner_signs_in_and_a_guest_only_when_it_is_shared(made: Aws, stand: Stand, wait: Waiter) -> None:
    assert (await check(connection_facts(made, "tiny"), made.principal)).startswith("1.")
    user = stand.user(f"guest-{secrets.token_hex(3)}")
    guest = Aws(Keys(user.access_key_id, user.secret_access_key), region=REGION)
    with pytest.raises(ClusterRefused) as raised:
        await check(connection_facts(guest, "tiny"), guest.principal)
    assert raised.value.hint == f"ask its owner for `trialflow cluster share --cluster-name tiny --principal {user.arn}`"
    ensure_access(made, "tiny", user.arn, wait)
    await asyncio.sleep(1.5)  # the API server keeps an answer for a second
    assert await check(connection_facts(guest, "tiny"), guest.principal)


async def test_a_connection_goes_on_when_its_token_has_ended(made: Aws, reviews: Reviews) -> None:
    reviews.seconds = 2
    async with open_cluster(connection_facts(made, "tiny")) as connection:
        assert (await ask(connection, "GET", "/api/v1/namespaces/default", what="read the namespace"))["kind"] == "Namespace"
        await asyncio.sleep(KEPT_SECONDS)
        # Refused once, as it has ended; then another is signed.
        assert (await ask(connection, "GET", "/api/v1/namespaces/default", what="read the namespace"))["kind"] == "Namespace"
    assert reviews.asked > 2
