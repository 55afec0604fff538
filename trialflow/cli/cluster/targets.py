"""Which experiment or training run of a cluster is meant by what a user typed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from trialflow.cli.identifiers import find_run, identifier
from trialflow.errors import TrialflowError
from trialflow.metadata_keys import UID

if TYPE_CHECKING:
    from tasks.experiments.client import ServiceClient
    from tasks.kubernetes.jobs.workload import AttemptStatus


@dataclass(frozen=True)
class Target:
    """An experiment or a training run as the service has it, and what of it is on the cluster."""

    experiment: dict[str, Any] | None = None
    run: dict[str, Any] | None = None
    attempts: "list[AttemptStatus]" = field(default_factory=list)

    @property
    def name(self) -> str:
        """`experiment/12` or `run/34`."""
        if self.experiment is not None:
            return f"experiment/{self.experiment['id']}"
        assert self.run is not None
        return f"run/{self.run['id']}"

    @property
    def work(self) -> str | None:
        """The label of all that it has on a cluster; None for an experiment that never was on one."""
        if self.experiment is not None:
            return (self.experiment.get("metadata") or {}).get(UID)
        assert self.run is not None
        return None if self.run.get("experiment") else self.run["name"]


async def find_target(client: "ServiceClient", text: str, project: str, attempts: "Sequence[AttemptStatus]") -> Target:
    """What is meant by `text`. A name is looked for on the cluster first, then in the project.

    Raises `InvalidInput` if it cannot be meant, `TrialflowError` if there is none.
    """
    from tasks.experiments.client import ServiceNotFound

    wanted = identifier(text)
    if wanted.kind in ("experiment", "either"):
        try:
            return _of_experiment(await client.experiment(wanted.value), attempts)
        except ServiceNotFound:
            if wanted.kind == "experiment":
                raise TrialflowError(f"there is no experiment {wanted.value}", hint="`trialflow cluster status` shows those on the cluster") from None
    if wanted.kind == "name":
        found = next((one for one in attempts if one.training_run_name == wanted.value and one.training_run), None)
        if found is not None:
            return await _of_name(client, str(found.training_run), wanted.value, attempts)
    try:
        run = await find_run(client, wanted.value if wanted.kind == "name" else f"run/{wanted.value}", project)
    except TrialflowError as error:
        if wanted.kind != "either":
            raise
        raise TrialflowError(f"there is neither an experiment nor a training run {wanted.value}", hint="`trialflow cluster status`") from error
    return _of_run(run, attempts)


async def _of_name(client: "ServiceClient", run_id: str, name: str, attempts: "Sequence[AttemptStatus]") -> Target:
    from tasks.experiments.client import ServiceNotFound

    try:
        run = await client.run(run_id)
    except ServiceNotFound:
        run = None
    if run is None or run["name"] != name:
        raise TrialflowError(
            f"this service does not know the training run {name} that is on the cluster",
            hint="it is of another service: set SIGOPT_API_URL and SIGOPT_API_TOKEN to that, or ask who uses it",
        )
    return _of_run(run, attempts)


def _of_experiment(experiment: dict[str, Any], attempts: "Sequence[AttemptStatus]") -> Target:
    uid = (experiment.get("metadata") or {}).get(UID)
    return Target(experiment=experiment, attempts=[one for one in attempts if uid and one.work == uid])


def _of_run(run: dict[str, Any], attempts: "Sequence[AttemptStatus]") -> Target:
    # The name is what no other service has given to one of its own.
    mine = [one for one in attempts if one.training_run_name == run["name"] and one.training_run == str(run["id"])]
    return Target(run=run, attempts=mine)
