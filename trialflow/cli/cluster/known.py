"""What the service knows of that which is on a cluster. Ids are of one service: names tell whether it is this one."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from trialflow.metadata_keys import UID

if TYPE_CHECKING:
    from tasks.experiments.client import ServiceClient


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
class Known:
    """Experiments by the name of their work, training runs by name, as the API's JSON."""

    experiments: dict[str, dict[str, Any]] = field(default_factory=dict)
    runs: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def works(self) -> frozenset[str]:
        """The works on the cluster that this service knows."""
        return frozenset(self.experiments) | {name for name, run in self.runs.items() if not run.get("experiment")}

    @property
    def active(self) -> frozenset[str]:
        """The names of the training runs that are active."""
        return frozenset(name for name, run in self.runs.items() if run["state"] == "active")


def is_work_of(experiment: Mapping[str, Any], work: str | None) -> bool:
    """Whether things on a cluster with this label belong to this experiment."""
    return bool(work) and (experiment.get("metadata") or {}).get(UID) == work


async def known_of(client: "ServiceClient", things: Iterable[Labelled]) -> Known:
    """Look up in the service what `things` belong to. Raises `ServiceUnavailable`."""
    from tasks.experiments.client import ServiceNotFound

    known = Known()
    everything = list(things)
    for work, identifier in {(one.work, one.experiment) for one in everything if one.work and one.experiment}:
        try:
            experiment = await client.experiment(str(identifier))
        except ServiceNotFound:
            continue
        if is_work_of(experiment, work):
            known.experiments[str(work)] = experiment
            for run in await client.runs(experiment["project"], experiment_id=experiment["id"]):
                known.runs[run["name"]] = run
    lone = {one.training_run: one.training_run_name for one in everything if not one.experiment and one.training_run}
    for identifier, name in lone.items():
        try:
            run = await client.run(str(identifier))
        except ServiceNotFound:
            continue
        if run["name"] == name and not run.get("deleted"):
            known.runs[run["name"]] = run
    return known
