"""The service as the flows see it: the official `sigopt` client's transport, awaitable, with errors for people."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from requests.exceptions import InvalidJSONError

from tasks.causes import cause_of
from trialflow.api_types import Checkpoint, Experiment, File, TrainingRun
from trialflow.embedded.transport import reach_directly
from trialflow.errors import TrialflowError

# The client reads SIGOPT_PROJECT when it is imported, and refuses folders whose name has no usable letter (`/`, for one). It is set for the import
# only: whoever asks for the user's project must not find ours.
_project = os.environ.get("SIGOPT_PROJECT")
os.environ["SIGOPT_PROJECT"] = "default"
try:
    from requests.exceptions import RequestException
    from sigopt.exception import ApiException, ConnectionException  # noqa: E402
    from sigopt.ratelimit import failed_status_rate_limit
    from sigopt.request_driver import RequestDriver  # noqa: E402
finally:
    if _project is None:
        del os.environ["SIGOPT_PROJECT"]
    else:
        os.environ["SIGOPT_PROJECT"] = _project

T = TypeVar("T")
Json = dict[str, Any]
PAGE = 1000
THREADS = 16
TRANSFER_SECONDS = 150


AWAY_OR_BUSY = (408, 429, 502, 503, 504)
"""The statuses of answers that say to come again."""


class ServiceUnavailable(TrialflowError):
    """The service did not answer, or was busy for longer than the client waits. The same request may work later."""


class ServiceRefused(TrialflowError):
    """The service refused the request for what it says, or failed at it (HTTP 500), or it cannot be sent at all; asking again changes nothing."""

    def __init__(self, message: str, *, status: int, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status

    @property
    def is_space_exhausted(self) -> bool:
        """Whether it was refused because every point of a finite space has been suggested."""
        return self.status == 400 and "space exhausted" in self.message.lower()

    @property
    def is_budget_taken(self) -> bool:
        """Whether a worker was refused a training run because all workers together have spent, or have in flight, what they may."""
        return self.status == 409


class LeaseLost(TrialflowError):
    """Another worker has taken over the experiment that this client worked on: nothing more that it writes is accepted."""


class ServiceNotFound(ServiceRefused):
    """The service has no such object."""

    def __init__(self, message: str) -> None:
        super().__init__(message, status=404)


class ServiceClient:
    """The requests that flows and commands make, each a coroutine that returns the API's JSON.

    Raises `ServiceUnavailable`, `ServiceNotFound` or `ServiceRefused`. Safe to use from many coroutines; `close` frees its threads.
    """

    def __init__(self, url: str, token: str) -> None:
        self.url = url.rstrip("/")
        self._driver = RequestDriver(client_token=token, api_url=self.url)
        reach_directly(self._driver.session, self.url)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="service")
        self._client_id: str | None = None
        self.worker: str | None = None
        """`ID.TOKEN` of the lease under which this client writes."""

    def close(self) -> None:
        """End the threads once their requests are done."""
        self._threads.shutdown(wait=False)
        self._driver.session.close()

    async def request(self, method: str, *path: str, body: Mapping[str, Any] | None = None) -> Any:
        """One request to `/v1/` + `path`; GET and DELETE send `body` as the query. Returns the answer, read from JSON."""
        headers = {"X-Response-Content": "skip"} if method == "MERGE" else None
        return await self._in_thread(lambda: self._send(method, path, dict(body or {}), headers))

    async def client_id(self) -> str:
        """The id of the client that the token belongs to."""
        if self._client_id is None:
            self._client_id = str((await self.request("GET", "tokens", "self"))["client"])
        return self._client_id

    async def ensure_project(self, project: str) -> None:
        """Make the project unless it exists."""
        client = await self.client_id()
        try:
            await self.request("GET", "clients", client, "projects", project)
        except ServiceNotFound:
            try:
                await self.request("POST", "clients", client, "projects", body={"id": project, "name": project})
            except ServiceRefused as refused:
                if refused.status != 409:
                    raise

    async def create_experiment(self, project: str, body: Mapping[str, Any]) -> Experiment:
        """POST an AI experiment."""
        return await self.request("POST", "clients", await self.client_id(), "projects", project, "aiexperiments", body=body)

    async def experiment(self, experiment_id: str) -> Experiment:
        """One AI experiment, with its progress."""
        return await self.request("GET", "aiexperiments", experiment_id)

    async def update_experiment(self, experiment_id: str, body: Mapping[str, Any]) -> Experiment:
        """PUT fields of an AI experiment."""
        return await self.request("PUT", "aiexperiments", experiment_id, body=body)

    async def experiments(self, project: str | None = None, *, state: str = "active") -> list[Experiment]:
        """All AI experiments, newest first: of one project (none if it does not exist) or of every project."""
        client = await self.client_id()
        path = ("clients", client, "projects", project, "aiexperiments") if project else ("clients", client, "aiexperiments")
        try:
            found = [item async for item in self.pages(*path, query={"state": state})]
        except ServiceNotFound:
            return []
        return sorted(found, key=lambda item: -int(item["id"]))

    async def create_run(self, project: str, body: Mapping[str, Any]) -> TrainingRun:
        """POST a training run that belongs to no experiment."""
        return await self.request("POST", "clients", await self.client_id(), "projects", project, "training_runs", body=body)

    async def suggest_run(self, experiment_id: str, name: str) -> TrainingRun:
        """POST a training run of the experiment; the service suggests its assignments. Raises `ServiceRefused` once every point has been tried.

        Clients in general are then given points again. A SigOpt server does not know the header, and gives them to us as well.
        """
        path = ("aiexperiments", experiment_id, "training_runs")
        return await self._in_thread(lambda: self._send("POST", path, {"name": name}, {"X-Trialflow-Untried-Only": "true"}))

    async def run(self, run_id: str) -> TrainingRun:
        """One training run."""
        return await self.request("GET", "training_runs", run_id)

    async def merge_run(self, run_id: str, body: Mapping[str, Any]) -> None:
        """MERGE into a training run."""
        await self.request("MERGE", "training_runs", run_id, body=body)

    async def log_checkpoint(self, run_id: str, body: Mapping[str, Any]) -> None:
        """POST a checkpoint of a training run."""
        await self.request("POST", "training_runs", run_id, "checkpoints", body=body)

    async def add_file(self, run_id: str, about: Mapping[str, Any], content: bytes) -> None:
        """Announce a file of a training run and upload it."""
        made = await self.request("POST", "training_runs", run_id, "files", body=about)
        await self._in_thread(lambda: self._transfer(made["upload"], content))

    async def stored_files(self, run_id: str) -> list[File]:
        """The files of a training run that have been uploaded."""
        known = [await self.request("GET", "files", str(name)) for name in (await self.run(run_id)).get("files") or []]
        return [one for one in known if await self._in_thread(lambda one=one: self._transfer(one["download"]))]

    async def checkpoints(self, run_id: str) -> list[Checkpoint]:
        """All checkpoints of a training run, newest first."""
        return [item async for item in self.pages("training_runs", run_id, "checkpoints")]

    async def runs(self, project: str, *, experiment_id: str | None = None, filters: list[Json] | None = None) -> list[TrainingRun]:
        """The training runs of a project, newest first, deleted ones left out; of one experiment if given."""
        wanted = list(filters or [])
        if experiment_id is not None:
            wanted.append({"field": "experiment", "operator": "==", "value": experiment_id})
        query = {"filters": wanted} if wanted else {}
        path = ("clients", await self.client_id(), "projects", project, "training_runs")
        return [item async for item in self.pages(*path, query=query) if not item.get("deleted")]

    async def best_runs(self, experiment_id: str) -> list[TrainingRun]:
        """The best completed training runs of an experiment: one, a Pareto front, or none yet."""
        return [item async for item in self.pages("aiexperiments", experiment_id, "best_training_runs")]

    async def pages(self, *path: str, query: Mapping[str, Any] | None = None) -> AsyncIterator[Any]:
        """Every object of a paginated list, page after page."""
        before: str | None = None
        while True:
            page = await self.request("GET", *path, body={"limit": PAGE, **(query or {}), "before": before})
            for item in page["data"]:
                yield item
            before = page["paging"].get("before")
            if before is None:
                return

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _send(self, method: str, path: tuple[str, ...], body: Json, headers: dict[str, str] | None) -> Any:
        # The client makes whoever was refused five times wait, the longer the more often. What is refused here is not asked again.
        failed_status_rate_limit.clear()
        if self.worker is not None and method != "GET":
            headers = {**(headers or {}), "X-Trialflow-Worker": self.worker}
        try:
            return self._driver.request(method, list(path), body, headers) or {}
        except ConnectionException as error:
            if isinstance(error.__cause__, InvalidJSONError):  # the client takes it for a failed connection
                raise ServiceRefused(f"it cannot be sent as JSON: {error.__cause__}", status=400) from error
            raise ServiceUnavailable(
                f"the service at {self.url} did not answer: {cause_of(error)}", hint="`trialflow doctor` looks for the reason"
            ) from error
        except ApiException as error:
            failed_status_rate_limit.clear()  # the client pauses for longer with each refusal; here each is dealt with
            raise self._explained(error, f"{method} /v1/{'/'.join(path)}") from error

    def _transfer(self, link: Mapping[str, Any], content: bytes | None = None) -> bool:
        """Use an address that the service gave, which is its own permission. Returns False if there is nothing."""
        try:
            answer = self._driver.session.request(link["method"], link["url"], headers=link.get("headers"), data=content, timeout=TRANSFER_SECONDS)
        except RequestException as error:
            raise ServiceUnavailable(f"the service at {self.url} did not take or give a file: {cause_of(error)}") from error
        if answer.status_code == 429 or answer.status_code >= 500:
            raise ServiceUnavailable(f"the service at {self.url} answered {answer.status_code} to the transfer of a file")
        if content is not None and answer.status_code >= 400:
            raise ServiceRefused(f"the service answered {answer.status_code} to the transfer of a file", status=answer.status_code)
        return answer.status_code < 400

    def _explained(self, error: ApiException, request: str) -> TrialflowError:
        said = error.message or "no message"
        if error.status_code in AWAY_OR_BUSY:
            return ServiceUnavailable(f"the service at {self.url} answered {error.status_code} to {request}: {said}")
        if error.status_code in (401, 403):
            return ServiceRefused(
                f"the service at {self.url} refused {request} ({error.status_code}): {said}",
                status=error.status_code,
                hint="check SIGOPT_API_TOKEN or the token in the service's block",
            )
        if error.status_code == 412:
            return LeaseLost("another worker has taken over the experiment", hint="`trialflow experiment show` says who works on it")
        if error.status_code == 404:
            return ServiceNotFound(f"the service at {self.url} has no {'/'.join(request.split('/')[2:])}: {said}")
        if error.status_code >= 500:
            return ServiceRefused(f"the service at {self.url} failed with {error.status_code} at {request}: {said}", status=error.status_code)
        return ServiceRefused(said, status=error.status_code)
