"""What a command does with a Prefect server: that of `trialflow up`, the one of PREFECT_API_URL, or one that is started for it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING

from trialflow.errors import TrialflowError

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient


def with_client(work: "Callable[[PrefectClient], Awaitable[int]]") -> int:
    """Do something with Prefect's server. Returns the exit code; raises `TrialflowError` if the server does not answer or refuses it."""
    from trialflow.api.session import flow_session

    async def main() -> int:
        async with open_client() as client:
            return await work(client)

    with flow_session():
        return asyncio.run(main())


@asynccontextmanager
async def open_client() -> "AsyncIterator[PrefectClient]":
    """Prefect's client, whose errors become errors for people."""
    from prefect.client.orchestration import get_client

    with explained():
        async with get_client() as client:
            yield client


@contextmanager
def explained() -> Iterator[None]:
    """Errors of Prefect's client in here become errors for people."""
    import httpx
    from prefect.exceptions import PrefectHTTPStatusError

    try:
        yield
    except PrefectHTTPStatusError as error:
        if error.response.status_code in (401, 403):
            hint = 'PREFECT_API_AUTH_STRING is the login; for `trialflow up` it is "$(trialflow token --prefect)"'
            raise TrialflowError("Prefect's server asks for another login", hint=hint) from error
        raise TrialflowError(f"Prefect's server refused it: {detail(error)}", hint="its version has to be 3.8 or later") from error
    except (httpx.HTTPError, ConnectionError) as error:
        hint = "PREFECT_API_URL names it; what runs goes on, and `trialflow follow` finds it again"
        raise TrialflowError(f"Prefect's server does not answer: {error or type(error).__name__}", hint=hint) from error


def detail(error: object) -> str:
    """What the server says in its answer."""
    try:
        return str(error.response.json()["detail"])  # type: ignore[attr-defined]
    except (ValueError, KeyError, TypeError, AttributeError):
        return str(error)
