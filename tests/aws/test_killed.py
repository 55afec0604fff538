"""Killed after any call: `create` goes on and makes nothing twice, `destroy` leaves nothing. Every state is tried, none twice."""

import os
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tasks.aws.inventory import leftovers, read_inventory
from tasks.aws.session import Aws
from tasks.aws.steps import creation, destruction, do
from tasks.aws.waiting import Waiter
from tests.aws.clusters import MODEL, designed, full, planned
from tests.aws.stand import REGION, Stand

READS = ("Describe", "List", "Get", "Simulate")
MOST = 150
"""More calls that change something than it takes to make or to destroy the full cluster."""
pytestmark = pytest.mark.slow


class Killed(BaseException):
    """This process ends here. No handler for errors sees it."""


@contextmanager
def killed_after_a_change(aws: Aws) -> Iterator[None]:
    """Die right after AWS has done the first call that changes something, before the answer is seen."""

    def die(model: Any, http_response: Any, **others: Any) -> None:
        if not model.name.startswith(READS) and http_response.status_code < 300:
            raise Killed

    aws.session.events.register("after-call.*", die, unique_id="killed")
    try:
        yield
    finally:
        aws.session.events.unregister("after-call.*", unique_id="killed")


def in_a_copy(check: Callable[[], None]) -> None:
    """Check in a copy of this process, and so of everything that the stand holds: here nothing changes."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            check()
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0, "see what the copy printed"


def changes(work: Callable[[Aws], None]) -> Iterator[int]:
    """Do the work, killed after each change and begun again; yields how many there were, after each."""
    for count in range(1, MOST):
        aws = Aws(region=REGION)
        try:
            with killed_after_a_change(aws):
                work(aws)
        except Killed:
            yield count
        else:
            return
    pytest.fail("it never comes to an end")


def test_creation_goes_on_from_everywhere_and_can_be_destroyed_from_everywhere(stand: Stand, wait: Waiter) -> None:
    reused = Aws(region=REGION)
    assert leftovers(reused, "tiny") == []  # it has its clients now: making them is a third of the time

    def gone() -> None:
        do(destruction(reused, "tiny"), wait)
        assert leftovers(reused, "tiny") == []

    design = designed(Aws(region=REGION), full())
    tried = [in_a_copy(gone) for _ in changes(lambda aws: do(creation(aws, design, MODEL), wait))]
    assert len(tried) > 50
    aws = Aws(region=REGION)
    plan = planned(aws, full())
    assert {one.action for one in plan.changes} == {"keep"}
    assert sorted(read_inventory(aws, "tiny").resources) == sorted((one.kind, one.name) for one in plan.changes), "something was made twice"


def test_destruction_goes_on_from_everywhere(stand: Stand, aws: Aws, wait: Waiter) -> None:
    do(creation(aws, designed(aws, full()), MODEL), wait)
    assert sum(1 for _ in changes(lambda aws: do(destruction(aws, "tiny"), wait))) > 40
    assert leftovers(aws, "tiny") == []
