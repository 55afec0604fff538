"""What is left over on a cluster: a pure plan of what may be deleted, and the adapter that reads what there is."""

import asyncio
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import Exists, Missing
from tasks.kubernetes.client.labels import EXPERIMENT, MANAGED_BY, TRAINING_RUN, TRAINING_RUN_NAME, TRIALFLOW, WORK, selector
from tasks.kubernetes.client.requests import ask, delete_exactly, has_condition, listed
from trialflow.metadata_keys import WORK_NAME

Kind = Literal["Job", "ConfigMap", "Secret"]
PATHS: dict[Kind, str] = {
    "Job": "/apis/batch/v1/namespaces/{}/jobs",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Secret": "/api/v1/namespaces/{}/secrets",
}
STRANGE = "its name and labels are not as trialflow makes them"


@dataclass(frozen=True)
class ClusterObject:
    """One object that trialflow made. `has_ended` is for Jobs; `work` and what follows are labels, None where there is none of ours.

    `uid` is Kubernetes' own for this very object, which a later one of the same name does not have.
    """

    kind: Kind
    name: str
    work: str | None = None
    experiment: str | None = None
    training_run: str | None = None
    training_run_name: str | None = None
    has_ended: bool = False
    uid: str = ""


@dataclass(frozen=True)
class ServiceFacts:
    """What the service says: the works that it knows, those that somebody works on, and the names of the training runs that are active."""

    known: frozenset[str] = frozenset()
    worked_on: frozenset[str] = frozenset()
    active: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Verdict:
    """Whether a thing goes, and why."""

    thing: ClusterObject
    goes: bool
    why: str


def judge(things: Iterable[ClusterObject], facts: ServiceFacts, *, everyones: bool = False) -> list[Verdict]:
    """Decide what goes: nothing that runs, holds a result that waits, or belongs to what somebody works on.

    What this service does not know may be another user's: it goes only with `everyones`, and then only what has ended.
    """
    listed_things = list(things)
    jobs = [_job(one, facts, everyones) for one in listed_things if one.kind == "Job"]
    needed = {one.thing.work for one in jobs if not one.goes}
    others = [_belonging(one, facts, everyones, needed) for one in listed_things if one.kind != "Job"]
    return [*jobs, *others]


def _job(thing: ClusterObject, facts: ServiceFacts, everyones: bool) -> Verdict:
    if thing.work is None:
        return Verdict(thing, False, STRANGE)
    if thing.work not in facts.known:
        if not thing.has_ended:
            return Verdict(thing, False, "it runs, and this service does not know it")
        return Verdict(thing, everyones, "this service does not know it")
    if thing.work in facts.worked_on:
        return Verdict(thing, False, "its experiment is being worked on")
    if thing.training_run_name in facts.active:
        return Verdict(thing, False, "its result waits to be taken" if thing.has_ended else "its training run is active")
    if not thing.has_ended and thing.experiment is None:
        return Verdict(thing, False, "it runs")
    return Verdict(thing, True, "it has ended" if thing.has_ended else "its training run has ended")


def _belonging(thing: ClusterObject, facts: ServiceFacts, everyones: bool, needed: set[str | None]) -> Verdict:
    if thing.work is None:
        return Verdict(thing, False, STRANGE)
    if thing.work in needed:
        return Verdict(thing, False, "a Job that stays needs it")
    if thing.work not in facts.known:
        return Verdict(thing, everyones, "this service does not know it")
    if thing.work in facts.worked_on:
        return Verdict(thing, False, "its experiment is being worked on")
    if thing.experiment is None and thing.work in facts.active:
        return Verdict(thing, False, "its training run is active")
    return Verdict(thing, True, "no Job needs it")


async def read_objects(connection: Connection) -> list[ClusterObject]:
    """Everything in the namespace that trialflow made for experiments and training runs. Raises `ClusterError`."""
    kinds: Sequence[Kind] = ("Job", "ConfigMap")
    jobs, maps = await asyncio.gather(
        *(listed(connection, PATHS[kind].format(connection.namespace), what=f"list {kind}s", labels=selector()) for kind in kinds)
    )
    secrets = await asyncio.gather(*(_secret_beside(connection, one["metadata"]["name"]) for one in maps))
    # Secrets before their ConfigMaps, by whose names they are found.
    found: list[tuple[Kind, Any]] = [
        *(("Job", one) for one in jobs), *(("Secret", one) for one in secrets if one), *(("ConfigMap", one) for one in maps)
    ]  # fmt: skip
    return [object_of(kind, item) for kind, item in found]


async def _secret_beside(connection: Connection, name: str) -> Mapping[str, Any] | None:
    """The Secret that has the name of a ConfigMap of ours, and is ours. Listing Secrets is a right that flows do not have."""
    try:
        found = await ask(connection, "GET", f"{PATHS['Secret'].format(connection.namespace)}/{name}", what=f"look for Secret {name}")
    except Missing:
        return None
    return found if (found["metadata"].get("labels") or {}).get(MANAGED_BY) == TRIALFLOW else None


def object_of(kind: Kind, item: Mapping[str, Any]) -> ClusterObject:
    """The thing that an object's JSON describes. A ConfigMap or Secret of ours is called like its work, a Job like a training run."""
    name, labels = item["metadata"]["name"], item["metadata"].get("labels") or {}
    work = labels.get(WORK)
    is_as_made = work is not None and WORK_NAME.fullmatch(work) and (name.startswith("run-") if kind == "Job" else name == work)
    return ClusterObject(
        kind,
        name,
        work=work if is_as_made else None,
        experiment=labels.get(EXPERIMENT),
        training_run=labels.get(TRAINING_RUN),
        training_run_name=labels.get(TRAINING_RUN_NAME),
        has_ended=has_condition(item, "Complete", "Failed"),
        uid=item["metadata"].get("uid") or "",
    )


async def delete_object(connection: Connection, thing: ClusterObject) -> None:
    """Delete this very object, a Job with its pods. No error if it is gone, or another has its name by now."""
    path = f"{PATHS[thing.kind].format(connection.namespace)}/{thing.name}"
    with contextlib.suppress(Missing, Exists):
        await delete_exactly(connection, path, thing.uid, what=f"delete {thing.kind} {thing.name}", propagation="Background")
