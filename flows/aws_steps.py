"""The steps of the cluster flows as Prefect tasks, and who we are to AWS meanwhile."""

import asyncio
import threading
from collections.abc import Sequence
from contextvars import ContextVar
from itertools import groupby

from prefect.logging import get_run_logger

from blocks.aws import load_aws
from tasks.aws.errors import AwsUnavailable
from tasks.aws.session import Aws, Keys
from tasks.aws.steps import Step
from tasks.aws.waiting import Waiter, sleep_unless
from tasks.kubernetes.client.errors import ClusterUnavailable
from tasks.steps import step
from trialflow.errors import InvalidInput
from trialflow.events import Event, tell

RETRY_DELAYS = [5.0, 20.0, 60.0]
given_keys: ContextVar[Keys | None] = ContextVar("given_keys", default=None)
"""Keys that whoever calls a flow in this process has, such as those of cluster.yml: flow parameters are shown and hold none."""


async def sign_in(credentials: str | None, region: str | None) -> Aws:
    """The AWS identity: that of a Prefect block, else keys of this process, else what AWS's usual chain finds."""
    return Aws(await keys_of_block(credentials) if credentials else given_keys.get(), region=region)


async def keys_of_block(name: str) -> Keys:
    """The keys in an `AwsCredentials` block. Raises `InvalidInput` if there is none of that name."""
    try:
        found = await load_aws(name)
    except ValueError as error:
        raise InvalidInput(f"there is no AWS credentials block called {name!r} on this Prefect server", hint="`prefect block ls`") from error
    return Keys(found.access_key_id, found.secret_access_key, found.session_token, found.region, found.profile, found.role)


def said(text: str) -> None:
    """Tell of progress: in the flow run's log, and to whoever watches from this process."""
    get_run_logger().info(text)
    tell(Event("waiting", text=text))


class Work:
    """What a task works with, as it is: Prefect neither searches nor shows what is in it."""

    def __init__(self, one: Step, stopping: threading.Event) -> None:
        self.step = one
        self.stopping = stopping


def on_retry(error: Exception) -> None:
    """Tell why a step is tried again."""
    tell(Event("waiting", text=f"{error}; trying again"))


@step("aws", delays=RETRY_DELAYS, retried=(AwsUnavailable, ClusterUnavailable), on_retry=on_retry)
async def aws_step(name: str, work: Work) -> None:
    """Do one step, in a thread of its own: the clients of AWS block."""
    logger = get_run_logger()

    def told(text: str) -> None:
        logger.info(text)
        tell(Event("waiting", text=text))

    await asyncio.to_thread(work.step.do, Waiter(sleep=sleep_unless(work.stopping), tell=told))
    told(f"{name}: done")


async def do_all(steps: Sequence[Step]) -> None:
    """Do the steps stage by stage, those of a stage at the same time. All of a stage come to an end before the first error is raised."""
    stopping = threading.Event()
    try:
        for _, stage in groupby(sorted(steps, key=lambda one: one.stage), key=lambda one: one.stage):
            results = await asyncio.gather(*(aws_step(one.name, Work(one, stopping)) for one in stage), return_exceptions=True)
            for result in results:
                if isinstance(result, BaseException):
                    raise result
    finally:
        stopping.set()
