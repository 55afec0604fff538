"""What of a cluster is whose: the experiments and training runs that the service knows, and those that a user names.

Ids are of one service: unique names tell whether it is this one.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tasks.experiments.client import ServiceClient, ServiceNotFound
from tasks.experiments.identifiers import find_run, identifier
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.jobs.workload import AttemptStatus
from trialflow.api_types import Experiment, TrainingRun
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.metadata_keys import uid_of


@dataclass(frozen=True)
class ClusterSession:
    """What operations on a cluster need: the home of this machine, a client of the service, and a connection to the cluster."""

    home: Home
    client: ServiceClient
    connection: Connection


@dataclass(frozen=True)
class Target:
    """An experiment or a training run as the service has it, and what of it is on the cluster."""

    experiment: Experiment | None = None
    run: TrainingRun | None = None
    attempts: list[AttemptStatus] = field(default_factory=list)

    @property
    def facts(self) -> Experiment | TrainingRun:
        """The experiment or the training run as the API gives it."""
        found = self.experiment or self.run
        assert found is not None
        return found

    @property
    def name(self) -> str:
        """`experiment/12` or `run/34`."""
        return f"{'experiment' if self.experiment is not None else 'run'}/{self.facts['id']}"

    @property
    def work(self) -> str | None:
        """The label of all that it has on a cluster; None for an experiment that never was on one, and for a training run of an experiment."""
        if self.experiment is not None:
            return uid_of(self.experiment)
        return None if self.facts.get("experiment") else self.facts["name"]


class Labelled(Protocol):
    """Something on a cluster with trialflow's labels."""

    @property
    def work(self) -> str | None: ...  # noqa: D102
    @property
    def experiment(self) -> str | None: ...  # noqa: D102
    @property
    def training_run(self) -> str | None: ...  # noqa: D102
    @property
    def training_run_name(self) -> str | None: ...  # noqa: D102


@dataclass
class KnownWork:
    """What the service knows of that which is on a cluster: experiments by the label of their work, training runs by name, as the API gives them."""

    experiments: dict[str, Experiment] = field(default_factory=dict)
    runs: dict[str, TrainingRun] = field(default_factory=dict)

    @property
    def labels(self) -> frozenset[str]:
        """The labels of work that this service knows."""
        return frozenset(self.experiments) | {name for name, run in self.runs.items() if not run.get("experiment")}

    @property
    def active(self) -> frozenset[str]:
        """The names of the training runs that are active."""
        return frozenset(name for name, run in self.runs.items() if run["state"] == "active")


async def known_work(client: ServiceClient, things: Iterable[Labelled]) -> KnownWork:
    """Look up in the service what `things` belong to. Raises `ServiceUnavailable`."""
    known = KnownWork()
    everything = list(things)
    for work, number in {(one.work, one.experiment) for one in everything if one.work and one.experiment}:
        try:
            experiment = await client.experiment(str(number))
        except ServiceNotFound:
            continue
        if uid_of(experiment) == work:
            known.experiments[str(work)] = experiment
            for run in await client.runs(experiment["project"], experiment_id=experiment["id"]):
                known.runs[run["name"]] = run
    lone = {one.training_run: one.training_run_name for one in everything if not one.experiment and one.training_run}
    for number, name in lone.items():
        try:
            run = await client.run(str(number))
        except ServiceNotFound:
            continue
        if run["name"] == name and not run.get("deleted"):
            known.runs[run["name"]] = run
    return known


def targets_of(attempts: Iterable[AttemptStatus], known: KnownWork) -> tuple[list[Target], dict[str, list[AttemptStatus]]]:
    """What is on the cluster as targets, and by label what the service does not know."""
    works: dict[str, list[AttemptStatus]] = defaultdict(list)
    for one in attempts:
        if one.work:
            works[one.work].append(one)
    targets, strangers = [], {}
    for work, some in works.items():
        if work in known.experiments:
            targets.append(Target(experiment=known.experiments[work], attempts=some))
        elif work in known.labels:
            targets.append(Target(run=known.runs[work], attempts=some))
        else:
            strangers[work] = some
    return targets, strangers


async def find_target(client: ServiceClient, text: str, project: str, attempts: Sequence[AttemptStatus]) -> Target:
    """What is meant by `text`. A name is looked for on the cluster first, then in the project.

    Raises `InvalidInput` if it cannot mean anything, `TrialflowError` if there is no such thing.
    """
    wanted = identifier(text)
    if wanted.kind in ("experiment", "either"):
        try:
            experiment = await client.experiment(wanted.value)
            uid = uid_of(experiment)
            return Target(experiment=experiment, attempts=[one for one in attempts if uid and one.work == uid])
        except ServiceNotFound:
            if wanted.kind == "experiment":
                raise TrialflowError(f"there is no experiment {wanted.value}", hint="`trialflow cluster status` shows those on the cluster") from None
    if wanted.kind == "name":
        found = next((one for one in attempts if one.training_run_name == wanted.value and one.training_run), None)
        if found is not None:
            return await _run_by_name(client, str(found.training_run), wanted.value, attempts)
    try:
        run = await find_run(client, f"run/{wanted.value}" if wanted.kind == "either" else text, project)
    except TrialflowError as error:
        if wanted.kind != "either":
            raise
        raise TrialflowError(f"there is neither an experiment nor a training run {wanted.value}", hint="`trialflow cluster status`") from error
    return _run_target(run, attempts)


async def _run_by_name(client: ServiceClient, run_id: str, name: str, attempts: Sequence[AttemptStatus]) -> Target:
    try:
        run = await client.run(run_id)
    except ServiceNotFound:
        run = None
    if run is None or run["name"] != name:
        raise TrialflowError(
            f"the training run {name} is on the cluster, but this service does not know it",
            hint="it belongs to another service: set SIGOPT_API_URL and SIGOPT_API_TOKEN to that one, or ask who uses it",
        )
    return _run_target(run, attempts)


def _run_target(run: TrainingRun, attempts: Sequence[AttemptStatus]) -> Target:
    # The name is what no other service has given to one of its own.
    mine = [one for one in attempts if one.training_run_name == run["name"] and one.training_run == str(run["id"])]
    return Target(run=run, attempts=mine)
