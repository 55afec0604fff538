"""Work on an experiment under a lease of the service: one flow by itself, or several workers, on whatever machines.

The lease is renewed while the work goes on. If its holder is gone, another takes its place once the lease has expired; at once if the holder was a
process of this machine whose lock is free, or this same flow run. Whoever was replaced is refused all that it writes (`LeaseLost`).
"""

import asyncio
import re
import secrets
import socket
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from tasks.experiments.client import LeaseLost, ServiceClient, ServiceNotFound, ServiceRefused, ServiceUnavailable
from tasks.experiments.ownership import AlreadyWorkedOn, Owner, owner_from
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.locks import hold, is_held

LEASE_SECONDS = 60.0
RENEW_SECONDS = 10.0
WAIT_SECONDS = 2.0
"""How often one that waits for an experiment asks for it."""
RELEASE_SECONDS = 5.0
LOCK = re.compile(r"worker-[0-9a-f]{32}")
WhenBusy = Literal["fail", "wait"]


class WorkerLease:
    """The right to work on an experiment. `lost` is done once somebody else has taken it, with the `LeaseLost` to raise.

    `on_stopped_runs` is called with the ids of training runs that somebody has ended in the service, again and again for some minutes.

    A service without leases, such as SigOpt's own, gives one without an `identifier`: it is never lost, and all training runs of flows are its own.
    """

    def __init__(self, client: ServiceClient, home: Home, experiment_id: str, identifier: str | None) -> None:
        self.client = client
        self.home = home
        self.experiment_id = experiment_id
        self.identifier = identifier
        self.lost: asyncio.Future[LeaseLost] = asyncio.get_running_loop().create_future()
        self.on_stopped_runs: Callable[[Collection[str]], None] = lambda training_runs: None

    async def adopt(self, training_runs: Collection[str]) -> set[str]:
        """Take those of these active training runs that no living worker executes. Returns which are this worker's now."""
        if self.identifier is None:
            return set(training_runs)
        if not training_runs:
            return set()
        known = await read_leases(self.client, self.experiment_id) or []
        gone = [int(one["id"]) for one in known if is_gone(one, self.home)]
        body = {"training_runs": sorted(training_runs, key=int), "replaces": gone}
        return set((await self._request("POST", "adopt", body=body))["training_runs"])

    async def keep(self, on_stop: Callable[[], None], *, seconds: float = RENEW_SECONDS) -> None:
        """Renew the lease every so many `seconds` until it is lost; `on_stop` is called when somebody asks this worker to stop."""
        while self.identifier is not None:
            await asyncio.sleep(seconds)
            try:
                answer = await self._request("PUT", body={"seconds": LEASE_SECONDS})
            except LeaseLost as lost:
                self.lost.set_result(lost)
                return
            except TrialflowError:
                continue  # what the flow does says more of a service that is away
            if answer["stop"]:
                on_stop()
            if stopped := answer.get("stopped_runs"):  # a service of an earlier version says nothing of them
                self.on_stopped_runs(stopped)

    async def release(self) -> bool:
        """Give the lease back. Returns whether that was done; otherwise it expires by itself, and is taken at once by whoever sees its lock free."""
        with suppress(TrialflowError, TimeoutError):
            async with asyncio.timeout(RELEASE_SECONDS):
                if self.identifier is not None:
                    await self._request("DELETE")
                return True
        return False

    async def _request(self, method: str, *more: str, body: Mapping[str, Any] | None = None) -> Any:
        return await self.client.request(method, "aiexperiments", self.experiment_id, "workers", str(self.identifier), *more, body=body)


@asynccontextmanager
async def hold_lease(
    client: ServiceClient,
    home: Home,
    experiment_id: str,
    owner: Owner,
    *,
    on_stop: Callable[[], None],
    exclusive: bool = True,
    when_busy: WhenBusy = "fail",
) -> AsyncIterator[WorkerLease]:
    """Hold a lease for as long as the work inside lasts. `exclusive` is one that suffers no other worker.

    Raises `AlreadyWorkedOn` if somebody else holds the experiment; with `when_busy="wait"` it waits for the end of that work.
    """
    token = secrets.token_urlsafe(24)
    lock = f"worker-{sha256(token.encode()).hexdigest()[:32]}"
    path = home.make(home.root / "claims") / lock
    is_released = True
    with open(path, "a") as file:
        hold(file)
        try:
            body = {"token": token, "holder": {**asdict(owner), "lock": lock}, "exclusive": exclusive, "seconds": LEASE_SECONDS}
            identifier = await _claim(client, home, experiment_id, owner, body, when_busy)
            client.worker = identifier and f"{identifier}.{token}"
            lease = WorkerLease(client, home, experiment_id, identifier)
            keeping = asyncio.create_task(lease.keep(on_stop), name="lease")
            try:
                yield lease
            finally:
                keeping.cancel()
                is_released = await lease.release()
                client.worker = None
        finally:
            if is_released:
                path.unlink(missing_ok=True)


async def _claim(client: ServiceClient, home: Home, experiment_id: str, owner: Owner, body: Mapping[str, Any], when_busy: WhenBusy) -> str | None:
    while True:
        known = await read_leases(client, experiment_id)
        if known is None:
            return None
        gone = [int(one["id"]) for one in known if is_gone(one, home, owner)]
        try:
            made = await client.request("POST", "aiexperiments", experiment_id, "workers", body={**body, "replaces": gone})
        except ServiceRefused as refused:
            if refused.status != 409:
                raise
        else:
            for path in (lock_file(one, home) for one in known if int(one["id"]) in gone):
                if path is not None and not is_held(path):
                    path.unlink(missing_ok=True)
            return str(made["id"])
        if when_busy == "fail":
            living = [one for one in known if int(one["id"]) not in gone]
            raise AlreadyWorkedOn(experiment_id, owner_from(living[0]["holder"]) if living else None)
        await asyncio.sleep(WAIT_SECONDS)


async def read_leases(client: ServiceClient, experiment_id: str) -> list[dict[str, Any]] | None:
    """The living leases of an experiment, oldest first. None from a service that has no leases."""
    try:
        return (await client.request("GET", "aiexperiments", experiment_id, "workers"))["data"]
    except ServiceUnavailable:
        raise
    except (ServiceNotFound, ServiceRefused):
        return None


def is_gone(lease: Mapping[str, Any], home: Home, owner: Owner | None = None) -> bool:
    """Whether the holder of a lease that lives has ended: its lock on this machine is free, or `owner` is its successor in the same flow run."""
    holder = lease.get("holder") or {}
    if owner is not None and owner.flow_run_id is not None and holder.get("flow_run_id") == owner.flow_run_id:
        return True
    path = lock_file(lease, home)
    return path is not None and not is_held(path)


def lock_file(lease: Mapping[str, Any], home: Home) -> Path | None:
    """The lock that the holder of a lease holds on this machine. None for a holder on another machine, or in another home."""
    holder = lease.get("holder") or {}
    name = holder.get("lock")
    if holder.get("host") != socket.gethostname() or not isinstance(name, str) or not LOCK.fullmatch(name):
        return None
    path = home.root / "claims" / name
    return path if path.exists() else None
