"""What a flow run shows of itself in Prefect: its tags, and in its last state the result, or the error with what to do about it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any, ParamSpec

import httpx
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.exceptions import PrefectException
from prefect.runtime import flow_run
from prefect.states import Cancelled, Failed

from tasks.steps import run_logger
from trialflow.errors import TrialflowError

P = ParamSpec("P")


CANCELLED = "cancelled before it was done"


def errors_as_states(function: Callable[P, Coroutine[Any, Any, Any]]) -> Callable[P, Coroutine[Any, Any, Any]]:
    """Have a flow's function end with a Failed state for an error that is for people. Whoever calls the flow gets the error all the same.

    One that is cancelled ends as cancelled, whatever it did at that moment: for Prefect it would have crashed.
    """

    @wraps(function)
    async def run(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return await function(*args, **kwargs)
        except TrialflowError as error:
            return failed(error)
        except asyncio.CancelledError:
            run_logger().warning(CANCELLED)
            return Cancelled(message=CANCELLED)

    return run


def failed(error: TrialflowError) -> State:
    """The state of a flow run that ended with an error: its message is the error's sentence, and what to do."""
    text = f"{error.message}\nhint: {error.hint}" if error.hint else error.message
    run_logger().error(text)
    return Failed(message=text, data=error)


async def tag_flow_run(tag: str) -> None:
    """Give the flow run a tag, best effort. Never its tasks: each would ask Prefect's server for a concurrency slot, and fail without one."""
    if not flow_run.id:
        return
    try:
        async with get_client() as client:
            await client.update_flow_run(flow_run.id, tags={*flow_run.tags, tag})  # type: ignore[arg-type]
    except (PrefectException, httpx.HTTPError, OSError, RuntimeError, ValueError) as error:
        run_logger().warning("the flow run was not tagged with %s: %s", tag, error or type(error).__name__)


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do `work` meanwhile, and give it up at the end: nothing waits for what only shows."""
    task = asyncio.create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
