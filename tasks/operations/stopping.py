"""Stop experiments and training runs on a cluster, and delete what they have there."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from tasks.kubernetes.jobs.removal import remove_training_run, remove_work
from tasks.kubernetes.jobs.workload import AttemptStatus, read_workload
from tasks.operations.results import Failure, Result
from tasks.operations.targets import ClusterSession, Target, find_target, known_work, targets_of
from tasks.operations.workers import Worker, apply_work_stop, until_nobody_works, who_works, workers_of
from trialflow.errors import TrialflowError
from trialflow.metadata_keys import REASON, STOPPED_BY_USER, uid_of

Kind = Literal["experiment", "training run", "unknown"]


@dataclass(frozen=True)
class StopItem:
    """One thing that would be stopped.

    `name` is `experiment/12`, `run/34`, or the label of something that this service does not know; `title` what people call it; `work` the label of
    all that it has on the cluster, if it has one to itself; `phases` how many of its attempts are in which phase there.
    """

    name: str
    kind: Kind
    id: str | None
    title: str | None
    work: str | None
    phases: tuple[tuple[str, int], ...]
    worker: Worker | None = None

    def __str__(self) -> str:
        counted = ", ".join(f"{count} {phase.lower()}" for phase, count in self.phases) or "nothing on the cluster"
        return f'"{self.title}", {counted}' if self.title is not None else counted


@dataclass(frozen=True)
class StopPlan:
    """What would be stopped on the cluster, what would be `left` as it is, and which names could not be resolved."""

    cluster: str
    items: tuple[StopItem, ...] = ()
    left: tuple[StopItem, ...] = ()
    failures: tuple[Failure, ...] = ()


async def plan_stop(session: ClusterSession, identifiers: Sequence[str], project: str) -> StopPlan:
    """What would be stopped for these identifiers. `project` is where a training run's name is looked for. Raises `ClusterError`."""
    attempts = await read_workload(session.connection)
    items, failures = [], []
    for text in dict.fromkeys(identifiers):
        try:
            items.append(await _item(session, await find_target(session.client, text, project, attempts)))
        except TrialflowError as error:
            failures.append(Failure.of(error))
    return StopPlan(session.connection.cluster.name, tuple(dict.fromkeys(items)), failures=tuple(failures))


async def plan_stop_all(session: ClusterSession, *, everyones: bool = False) -> StopPlan:
    """All that would be stopped on the cluster: what this service knows, and with `everyones` what it does not know as well."""
    attempts = [one for one in await read_workload(session.connection) if one.work]
    targets, strangers = targets_of(attempts, await known_work(session.client, attempts)) if attempts else ([], {})
    known = tuple([await _item(session, target) for target in targets])
    unknown = tuple(StopItem(work, "unknown", None, None, work, _phases(some)) for work, some in strangers.items())
    name = session.connection.cluster.name
    return StopPlan(name, known + unknown) if everyones else StopPlan(name, known, left=unknown)


async def apply_stop(plan: StopPlan, session: ClusterSession) -> AsyncIterator[Result]:
    """Stop one after the other, and say what became of each as soon as it is known. One that cannot be stopped holds up none of the others."""
    for item in plan.items:
        try:
            yield await _stop(session, item)
        except TrialflowError as error:
            yield Result(item.name, "not stopped", Failure.of(error))


async def _item(session: ClusterSession, target: Target) -> StopItem:
    kind: Kind = "experiment" if target.experiment is not None else "training run"
    worker = await who_works(session.home, session.client, target.experiment) if target.experiment is not None else None
    return StopItem(target.name, kind, str(target.facts["id"]), target.facts["name"], target.work, _phases(target.attempts), worker)


def _phases(attempts: Sequence[AttemptStatus]) -> tuple[tuple[str, int], ...]:
    return tuple(Counter(one.phase for one in attempts).items())


async def _stop(session: ClusterSession, item: StopItem) -> Result:
    if item.kind == "experiment":
        return await _stop_experiment(session, item)
    if item.kind == "training run":
        return await _stop_run(session, item)
    assert item.work is not None
    await remove_work(session.connection, item.work)
    return Result(item.name, "deleted")


async def _stop_experiment(session: ClusterSession, item: StopItem) -> Result:
    """Whoever works on it goes first: they would launch again what is deleted."""
    home, client = session.home, session.client
    experiment = await client.experiment(str(item.id))
    work = uid_of(experiment)
    if work is None:
        return Result(item.name, "never was on a cluster")
    warning = None
    for worker in await workers_of(home, client, experiment):
        if worker.is_certain:
            await apply_work_stop(worker, client, str(experiment["id"]))
        else:
            warning = f"{worker} works on it, which cannot be seen from here: if so, stop that too, or it launches training runs again"
    if warning is None:
        await until_nobody_works(home, client, experiment)
    await remove_work(session.connection, work)
    return Result(item.name, "deleted", warning=warning)


async def _stop_run(session: ClusterSession, item: StopItem) -> Result:
    """It fails in the service first: whoever follows it finds it ended, and does not take it for lost."""
    run = await session.client.run(str(item.id))
    if not item.phases:
        if run["state"] != "active":
            return Result(item.name, f"nothing of it is on the cluster; it is {run['state']}")
        raise TrialflowError(
            f"nothing of training run {run['id']} is on cluster {session.connection.cluster.name}, and it is active",
            hint="it is between two attempts, or executed elsewhere; `trialflow cluster list` shows other clusters",
        )
    if run["state"] == "active":
        await session.client.merge_run(run["id"], {"state": "failed", "dev_metadata": {REASON: STOPPED_BY_USER}})
    if item.work is not None:
        await remove_work(session.connection, item.work)
    else:
        await remove_training_run(session.connection, str(run["id"]), run["name"])
    return Result(item.name, "deleted")
