"""An experiment as a Python object: what the service knows of it, asked anew each time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialflow import api_types
from trialflow.api.given import as_experiment
from trialflow.api.process import ask
from trialflow.api.progress import table_html
from trialflow.errors import TrialflowError
from trialflow.results import facts
from trialflow.results.history import history as history_of
from trialflow.results.text import text_of

if TYPE_CHECKING:
    import optuna
    import pandas

Json = Mapping[str, Any]
SHOWN = 10
"""How many training runs an experiment shows of itself in a notebook."""


@dataclass(frozen=True)
class TrainingRun:
    """One training run. `state` is active, completed, stopped (early: it counts as completed) or failed; `reason` says why, if there is more to say.

    `values` are its metrics; `created` and `completed` are seconds since 1970; `is_known` says that it was imported and has cost no budget.
    """

    id: str
    name: str
    state: str
    assignments: Mapping[str, float | int | str]
    values: Mapping[str, float]
    reason: str | None = None
    lost: int = 0
    created: float | None = None
    completed: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    is_known: bool = False

    def checkpoints(self) -> list[dict[str, float]]:
        """What it logged as checkpoints, oldest first: metric -> value."""
        return [{one["name"]: one["value"] for one in checkpoint["values"]} for checkpoint in ask("checkpoints", training_run=self.id)]


@dataclass(frozen=True)
class Imported:
    """How many training runs were imported, and for each of the others, by its number from 1 on, why it was not."""

    count: int
    skipped: Mapping[int, str]


class Experiment:
    """An experiment. Attributes are as of when it was fetched; every method asks the service what is so now."""

    def __init__(self, found: Json) -> None:
        self.id = str(found["id"])
        self.name: str = found["name"]
        self.project: str = found["project"]
        self.budget: int | None = found.get("budget")

    def best(self) -> TrainingRun:
        """The best training run. With two metrics to optimize the one of the Pareto front that is best in the first.

        Raises `ExperimentFailed` if none has completed, `TrialflowError` if none satisfies the thresholds.
        """
        return self.best_training_runs()[0]

    def best_training_runs(self) -> list[TrainingRun]:
        """The best training runs, best first: one, a Pareto front, or several solutions. Raises as `best`."""
        results = self.results()
        if not results["best"]:
            ask("why_no_best", identifier=self.id)
        runs = {run["id"]: run for run in results["runs"]}
        return [training_run(runs[identifier]) for identifier in results["best"]]

    def training_runs(self) -> list[TrainingRun]:
        """All training runs, oldest first."""
        return [training_run(run) for run in self.results()["runs"]]

    def history(self) -> list[dict[str, Any]]:
        """The training runs that have ended, in that order: `training_run`, `state`, `completed`, `values`, and the `best` value so far."""
        results = self.results()
        return history_of(results["experiment"]["metrics"], results["runs"])

    def to_pandas(self) -> "pandas.DataFrame":
        """All training runs as a table: facts, then metrics, then parameters. Needs pandas: `pip install trialflow[frames]`."""
        from trialflow.results.exports.files import frame

        return frame(self.results()["runs"])

    def export(self, file: str | Path) -> None:
        """Write all training runs to a file, in the format of its name: .csv, .tsv, .json, .yaml, or .parquet (`pip install trialflow[frames]`)."""
        from trialflow.results.exports.files import content, format_of

        wanted = format_of(file)
        Path(file).write_bytes(content(self.results()["runs"], wanted))

    def to_optuna(self, storage: "str | Path | optuna.storages.BaseStorage", *, name: str | None = None) -> "optuna.Study":
        """Write the training runs that have ended to a study in an Optuna storage: its URL, an object, or the path of an SQLite file.

        Again, it writes those that are new. Returns the study, by default called `NAME (experiment ID)`.
        """
        from trialflow.results.exports.optuna_study import to_optuna

        results = self.results()
        return to_optuna(results["experiment"], results["runs"], storage, name=name, checkpoints=ask("all_checkpoints", identifier=self.id))

    def to_mlflow(self, tracking_uri: str | None = None, *, name: str | None = None) -> str:
        """Log the training runs that have ended to MLflow, by default where MLFLOW_TRACKING_URI says; again, those that are new.

        Returns the id of the MLflow experiment, by default called `NAME (experiment ID)`.
        """
        from trialflow.results.exports.mlflow_runs import to_mlflow

        results = self.results()
        return to_mlflow(results["experiment"], results["runs"], tracking_uri, name=name, checkpoints=ask("all_checkpoints", identifier=self.id))

    def import_runs(self, source: "str | Path | Experiment | optuna.Study | pandas.DataFrame | Sequence[Mapping[str, Any]]") -> "Imported":
        """Teach the optimizer training runs that are known from elsewhere. They cost no budget, and none is imported twice.

        Args:
            source: A CSV with a column for each parameter and metric, as `export` writes it; the same as a table of pandas or as dicts; an Optuna
                study, as an object or as `STORAGE#NAME`; or another experiment.
        """
        from trialflow.results.exports import known

        definition = self.results()["experiment"]
        if isinstance(source, Experiment):
            found, where = known.from_training_runs(source.results()["runs"]), f"experiment/{source.id}"
        elif isinstance(source, str | Path):
            found, where = known.read(definition, str(source)), str(source)
        elif hasattr(source, "get_trials"):
            found, where = known.from_optuna(definition, source), f"optuna: {source.study_name}"  # type: ignore[union-attr]
        else:
            rows = source.to_dict("records") if hasattr(source, "to_dict") else source  # type: ignore[union-attr]
            found, where = known.from_rows(definition, rows), "python"  # type: ignore[arg-type]
        done = ask("import_known", identifier=self.id, found=found, source=where)
        return Imported(done["imported"], {int(number): reason for number, reason in done["skipped"].items()})

    def results(self) -> dict[str, Any]:
        """The API's own JSON: `experiment`, `runs` (oldest first), and the ids of the `best`."""
        return ask("results", identifier=self.id)

    def __repr__(self) -> str:
        return f"Experiment(id={self.id!r}, name={self.name!r}, project={self.project!r})"

    def _repr_html_(self) -> str:
        """What a notebook shows: how far it is, and its best training runs."""
        try:
            results = self.results()
        except TrialflowError as error:
            return f"<pre>{text_of(repr(self)).replace('&', '&amp;').replace('<', '&lt;')}: {text_of(error.message).replace('<', '&lt;')}</pre>"
        best = [run for identifier in results["best"] for run in results["runs"] if run["id"] == identifier]
        row = facts.experiment_row(results["experiment"], runs=results["runs"], best=best, owner=results["owner"])
        shown = [dict(zip((name.lower() for name in facts.EXPERIMENT_COLUMNS), row, strict=True))]
        runs = [facts.run_fact(run) for run in best[:SHOWN]]
        table = [{"best training run": one["id"], "metrics": one["values"], "assignments": one["assignments"]} for one in runs]
        return table_html(shown) + table_html(table)


def training_run(run: api_types.TrainingRun) -> TrainingRun:
    """A training run from the API's JSON."""
    fact = facts.run_fact(run)
    kept = {name: value for name, value in (run.get("metadata") or {}).items() if not name.startswith("trialflow_")}
    return TrainingRun(
        id=fact["id"],
        name=fact["name"],
        state=facts.state_of(run),
        assignments=fact["assignments"],
        values=fact["values"],
        reason=fact["stopped_early"] or fact["reason"],
        lost=fact["lost"],
        created=fact["created"],
        completed=fact["completed"],
        metadata=kept,
        is_known=facts.is_known(run),
    )


def experiment(identifier: str | int | None = None, *, project: str | None = None) -> Experiment:
    """The experiment with that id, or the newest of the project: `project`, else SIGOPT_PROJECT, else the one named after the present folder.

    Raises `TrialflowError` if there is none.
    """
    return Experiment(ask("experiment", identifier=None if identifier is None else str(identifier), project=project))


def experiments(*, project: str | None = None, all_projects: bool = False) -> list[Experiment]:
    """The experiments of a project, or of all, newest first."""
    return [Experiment(one) for one in ask("experiments", project=project, all_projects=all_projects)]


def create_experiment(experiment: "str | Path | Mapping[str, Any] | Any", *, project: str | None = None) -> Experiment:
    """Create an experiment without working on it, for example to import known training runs first. `optimize` with the same one goes on with it."""
    return Experiment(ask("create", experiment=as_experiment(experiment), project=project))
