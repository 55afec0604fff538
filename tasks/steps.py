"""The steps of flows as Prefect tasks, made in one way: named after what they work on, and tried again only where that can help."""

from collections.abc import Callable, Sequence
from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE


def step(
    name: str, *, delays: Sequence[float], retried: tuple[type[Exception], ...], on_retry: Callable[[Exception], None] = lambda error: None
) -> Callable[[Any], Any]:
    """A decorator for a task whose first argument is a `name`, shown in the UI as the step's name and that.

    Only errors that are `retried` are worth another try; it comes after each of the `delays` (seconds), and `on_retry` is told why.
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
