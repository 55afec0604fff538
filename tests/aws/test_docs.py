"""The policy in docs/aws.md has every right that is used."""

import json
import re
from pathlib import Path

from tasks.aws.inventory import leftovers
from tasks.aws.session import Aws
from tasks.aws.steps import creation, destruction, do
from tasks.aws.waiting import Waiter
from tests.aws.clusters import MODEL, designed, full, planned
from tests.aws.stand import Stand

PAGE = Path(__file__).parents[2] / "docs/aws.md"


def test_every_call_is_in_the_policy_to_paste(stand: Stand, aws: Aws, wait: Waiter) -> None:
    block = re.search(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert block
    allowed = {action for statement in json.loads(block[1])["Statement"] for action in statement["Action"]}
    stand.front.calls.clear()
    planned(aws, full())
    do(creation(aws, designed(aws, full()), MODEL), wait)
    do(destruction(aws, "tiny"), wait)
    leftovers(aws, "tiny")
    assert set(stand.front.calls) <= allowed
    assert len(set(stand.front.calls)) > 60
