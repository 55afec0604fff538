"""What the Python API asks of the service, executed in trialflow's own process. Each call returns what JSON can hold."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.experiments.identifiers import find_experiment
from tasks.experiments.resume import experiment_key
from tasks.projects import project_id
from trialflow.api.inputs import experiment_spec
from trialflow.api_types import Checkpoint, Experiment, TrainingRun
from trialflow.errors import ExperimentFailed, TrialflowError
from trialflow.home import Home
from trialflow.metadata_keys import SAME

if TYPE_CHECKING:
    from tasks.experiments.client import ServiceClient

Json = dict[str, Any]


async def experiments(home: Home, client: "ServiceClient", project: str | None, all_projects: bool) -> list[Experiment]:
    """The experiments of a project, or of all, newest first."""
    return await client.experiments(None if all_projects else project_id(project, Path.cwd()))


async def experiment(home: Home, client: "ServiceClient", identifier: str | None, project: str | None) -> Experiment:
    """The experiment that is named, else the newest of the project."""
    return await find_experiment(client, identifier, project_id(project, Path.cwd()))


async def results(home: Home, client: "ServiceClient", identifier: str) -> Json:
    """An experiment with its training runs, oldest first, the ids of the best ones, best first, and who works on it."""
    from tasks.operations.workers import who_works

    found = await find_experiment(client, identifier, "")
    runs = await client.runs(found["project"], experiment_id=found["id"])
    best = await client.best_runs(found["id"])
    worker = await who_works(home, client, found)
    return {"experiment": found, "runs": runs[::-1], "best": [one["id"] for one in best], "owner": str(worker) if worker else None}


async def checkpoints(home: Home, client: "ServiceClient", training_run: str) -> list[Checkpoint]:
    """The checkpoints of a training run, oldest first."""
    return (await client.checkpoints(training_run))[::-1]


async def all_checkpoints(home: Home, client: "ServiceClient", identifier: str) -> dict[str, list[Checkpoint]]:
    """The checkpoints of an experiment's training runs by their ids, oldest first; those without any are left out."""
    found = await find_experiment(client, identifier, "")
    runs = [run for run in await client.runs(found["project"], experiment_id=found["id"]) if run.get("checkpoint_count")]
    return {run["id"]: (await client.checkpoints(run["id"]))[::-1] for run in runs}


async def import_known(home: Home, client: "ServiceClient", identifier: str, found: list[Json], source: str) -> Json:
    """Import training runs that are known from elsewhere. How many, and for each of the others, by its number in `found`, why not."""
    from tasks.experiments.copying import copy_results, plan_import

    target = await find_experiment(client, identifier, "")
    plan = plan_import(target, found, await client.runs(target["project"], experiment_id=target["id"]), source)
    return {"imported": await copy_results(client, plan, target), "skipped": plan.skipped}


async def ensure_project(home: Home, client: "ServiceClient", project: str | None) -> str:
    """The project that is meant, which is made if needed."""
    named = project_id(project, Path.cwd())
    await client.ensure_project(named)
    return named


async def create(home: Home, client: "ServiceClient", experiment: Any, project: str | None) -> Experiment:
    """A new experiment that nobody works on yet; the same one asked for by `optimize` is this one."""
    body = experiment_spec(experiment).to_api()
    named = await ensure_project(home, client, project)
    return await client.create_experiment(named, {**body, "metadata": {**(body.get("metadata") or {}), SAME: experiment_key(body)}})


async def why_no_best(home: Home, client: "ServiceClient", identifier: str) -> None:
    """Raise the error that says why an experiment has no best training run."""
    raise await no_best(client, await client.experiment(identifier))


async def no_best(client: "ServiceClient", experiment: Experiment, runs: Sequence[TrainingRun] | None = None) -> TrialflowError:
    """The error that says why an experiment has no best training run: `ExperimentFailed` if none has completed."""
    if runs is None:
        runs = await client.runs(experiment["project"], experiment_id=experiment["id"])
    hint = f"`trialflow experiment show {experiment['id']}` lists its training runs"
    if any(run["state"] == "completed" for run in runs):
        return TrialflowError(f"no completed training run of experiment {experiment['id']} satisfies every threshold", hint=hint)
    return ExperimentFailed(f"experiment {experiment['id']} has no completed training run", hint=hint)


CALLS = {
    "experiments": experiments,
    "experiment": experiment,
    "results": results,
    "checkpoints": checkpoints,
    "all_checkpoints": all_checkpoints,
    "import_known": import_known,
    "ensure_project": ensure_project,
    "create": create,
    "why_no_best": why_no_best,
}
