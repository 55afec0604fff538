"""The steps of flows as Prefect tasks, made in one way: named after what they work on, and retried only where that can help."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.exceptions import MissingContextError
from prefect.logging import get_run_logger
from prefect.states import Failed

from tasks.compute import ComputeUnavailable
from tasks.experiments.client import ServiceUnavailable
from trialflow.events import Event, tell

T = TypeVar("T")
RETRY_DELAYS = [0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0]
UNAVAILABLE = (ServiceUnavailable, ComputeUnavailable)
"""What a step of a training run is retried for: the service or the compute is away or busy."""


def step(
    name: str, *, delays: Sequence[float], retried: tuple[type[Exception], ...], on_retry: Callable[[Exception], None] = lambda error: None
) -> Callable[[Any], Any]:
    """A decorator for a task whose first argument, `name`, is shown in Prefect's UI after the step's own name.

    Only errors that are `retried` are worth another try, after each of the `delays` (seconds) in turn; `on_retry` gets the error.
    """

    async def is_worth_retrying(task: Any, run: Any, state: Any) -> bool:
        try:
            await state.aresult()
        except retried as error:
            on_retry(error)
            return True
        except Exception:  # noqa: BLE001 - Prefect raises it again; only the kind of error is asked here
            return False
        return False

    return task(
        name=name,
        task_run_name=name + " {name}",
        retries=len(delays),
        retry_delay_seconds=list(delays),
        retry_condition_fn=is_worth_retrying,
        cache_policy=NO_CACHE,
        persist_result=False,
    )


def run_logger() -> Any:
    """The logger of the Prefect run that this is called in; a plain one outside of any."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("trialflow")


def warn(text: str) -> None:
    """Warn in the run's log, and whoever watches the work."""
    run_logger().warning(text)
    tell(Event("warning", text=text))


class Opaque:
    """A value that Prefect does not look into. It links runs by the identity of what they return and take, down to single strings and numbers."""

    def __init__(self, value: Any) -> None:
        self.value = value


def _wait(error: Exception) -> None:
    tell(Event("waiting", text=str(getattr(error, "message", error))))


def _training_run_step(name: str) -> Any:
    @step(name, delays=RETRY_DELAYS, retried=UNAVAILABLE, on_retry=_wait)
    async def run(name: str, call: Callable[[], Awaitable[Any]], failure: Callable[[Any], str | None] | None) -> Opaque | State:
        result = await call()
        reason = failure(result) if failure else None
        return Failed(message=reason, data=Opaque(result)) if reason else Opaque(result)

    return run


TASKS = {name: _training_run_step(name) for name in ("suggest", "launch", "collect", "observe")}


class TaskChain:
    """The steps of one training run as Prefect tasks, each after the one before it in the flow run's graph.

    A result of which `failure` gives a reason makes the task run Failed, with that reason, and is returned all the same: the flow goes on.
    """

    def __init__(self) -> None:
        self._last: State | None = None

    async def __call__(self, step: str, label: str, call: Callable[[], Awaitable[T]], *, failure: Callable[[T], str | None] | None = None) -> T:
        """Take one step: `call`, again while the service or the compute is away. Returns or raises what it does."""
        before = [self._last] if self._last is not None and self._last.is_completed() else None
        self._last = state = await TASKS[step](label, call, failure, return_state=True, wait_for=before)
        result = await state.aresult(raise_on_failure=False)
        if isinstance(result, Opaque):
            return result.value
        if isinstance(result, BaseException):
            raise result
        return await state.aresult()  # cancelled or crashed: Prefect raises what that means
