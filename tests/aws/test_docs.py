"""The policy in docs/aws.md has every right that is used."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

from tasks.aws.health import read_health
from tasks.aws.inventory import leftovers
from tasks.aws.preparing import prepare_update
from tasks.aws.repositories import ensure_repository, sign_in_to_push
from tasks.aws.session import Aws
from tasks.aws.setting_up import connection_facts
from tasks.aws.steps import creation, destruction, do
from tasks.aws.updating import updating
from tasks.aws.waiting import Waiter
from tests.aws.clusters import CPU, MODEL, TODAY, designed, full, planned, spec_of
from tests.aws.stand import Stand

PAGE = Path(__file__).parents[2] / "docs/aws.md"


def test_every_call_is_in_the_policy_to_paste(stand: Stand, aws: Aws, wait: Waiter) -> None:
    block = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block
    allowed = {action for statement in json.loads(block[1])["Statement"] for action in statement["Action"]}
    stand.front.calls.clear()
    old = full().model_copy(update={"kubernetes_version": "1.34"})
    planned(aws, old)
    do(creation(aws, designed(aws, old), MODEL), wait)
    ensure_repository(aws, "tiny", "trialflow/tiny/model")
    sign_in_to_push(connection_facts(aws, "tiny"))
    read_health(aws, "tiny", now=datetime.now(UTC))
    design, plan = prepare_update(aws, spec_of(kubernetes_version="1.35", cpu={**CPU, "max_nodes": 9}), today=TODAY)
    do(updating(aws, design, plan, MODEL), wait)
    do(destruction(aws, "tiny"), wait)
    leftovers(aws, "tiny")
    assert set(stand.front.calls) <= allowed
    assert len(set(stand.front.calls)) > 60
