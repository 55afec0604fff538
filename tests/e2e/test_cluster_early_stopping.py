"""Early stopping in pods: the same rule and the same values, and no crash between the decision and the end makes a training run start again."""

import shutil

import pytest

from tests.e2e.clusters import Tenant
from tests.e2e.early import Author, is_decided

pytestmark = [pytest.mark.cluster, pytest.mark.slow]


@pytest.fixture
def author(tenant: Tenant) -> Author:
    return Author(tenant.user, f"{tenant.registry}/python:3.11-slim")


def test_a_flow_that_is_killed_between_decision_and_end_leaves_it_to_the_next_on_another_machine(author: Author, tenant: Tenant) -> None:
    author.write(leaving=3, seconds=0.8)
    process = author.start()
    run = author.wait_for(process, is_decided)
    process.kill()
    process.communicate(timeout=120)
    tenant.administer("delete", "job", run["name"], "--ignore-not-found", "--cascade=foreground")
    shutil.rmtree(author.user.home / "training-runs")
    summary, said = author.finish()
    assert (summary["done"], summary["failed"], summary["lost"]) == (6, 0, 0) and "stopped early" in said
    author.assert_whole()
    assert tenant.left() == []
