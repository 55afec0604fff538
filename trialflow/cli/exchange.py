"""`trialflow experiment export` and `import`: results for other tools, and known ones from them."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import click

from tasks.experiments.identifiers import find_experiment
from trialflow.api.session import service_session
from trialflow.api_types import Experiment, TrainingRun
from trialflow.cli.files import write_file
from trialflow.cli.options import project_here, project_option
from trialflow.cli.terminal.messages import say
from trialflow.errors import InvalidInput
from trialflow.results.text import clean, counted

identifier_argument = click.argument("identifier", metavar="[ID]", required=False)


@click.command()
@identifier_argument
@project_option
@click.option(
    "-o", "--output", default="csv", show_default=True, metavar="csv|json|yaml|table|FILE", help="The format, or a file whose name says it."
)
@click.option("--to", metavar="FILE", help="Write to a file instead of stdout, in the format of -o.")
@click.option("--optuna", metavar="STORAGE", help="Write a study to an Optuna storage: its URL, or the path of an SQLite file.")
@click.option("--mlflow", metavar="URI", help="Log to the MLflow tracking server or store at URI.")
def export(identifier: str | None, project: str | None, output: str, to: str | None, optuna: str | None, mlflow: str | None) -> None:
    """Export all training runs of an experiment, one per row.

    `-o results.parquet` writes a file; .csv, .tsv, .json and .yaml do as well. With --optuna or --mlflow, training runs that have ended are written
    there; again, those that are new.
    """
    from trialflow.results.exports.files import FORMATS, format_of

    if (optuna or mlflow) and (to or click.get_current_context().get_parameter_source("output") is click.core.ParameterSource.COMMANDLINE):
        raise InvalidInput("--optuna and --mlflow are not together with -o or --to", hint="export twice")
    if output not in FORMATS and to is None:
        output, to = format_of(output), output
    elif output not in FORMATS:
        raise InvalidInput(f"-o {output} and --to {to} both name what is written", hint="give one of the two")
    asyncio.run(_export(identifier, project, output, to, optuna, mlflow))


async def _export(identifier: str | None, project: str | None, output: str, to: str | None, optuna: str | None, mlflow: str | None) -> None:
    from trialflow.results.exports.files import content, text

    async with service_session() as (home, client):
        one = await find_experiment(client, identifier, project_here(project))
        runs = await client.runs(one["project"], experiment_id=one["id"])
        if optuna or mlflow:
            from trialflow.api.calls import all_checkpoints

            _export_to(one, runs, await all_checkpoints(home, client, one["id"]), optuna, mlflow)
            return
    if to is None:
        written = text(runs, output)
        click.echo(clean(written) if sys.stdout.isatty() else written, nl=False)
    else:
        write_file(to, content(runs, output))
        say(f"wrote {counted(len(runs), 'training run')} to {to}")


def _export_to(one: Experiment, runs: list[TrainingRun], checkpoints: dict[str, Any], optuna: str | None, mlflow: str | None) -> None:
    if optuna:
        from trialflow.results.exports.optuna_study import to_optuna

        study = to_optuna(one, runs, optuna, checkpoints=checkpoints)
        say(f"the study {study.study_name!r} in {optuna} has {len(study.get_trials(deepcopy=False))} trials")
    if mlflow:
        from trialflow.results.exports.mlflow_runs import to_mlflow

        identifier = to_mlflow(one, runs, mlflow, checkpoints=checkpoints)
        say(f"MLflow has the training runs that have ended as experiment {identifier}")


@click.command("import")
@click.argument("identifier", metavar="ID")
@click.argument("source", metavar="SOURCE")
def import_(identifier: str, source: str) -> None:
    """Import training runs that are known from elsewhere into experiment ID. They teach its optimizer and cost no budget.

    SOURCE is FILE.csv with a column for each parameter and metric, an Optuna study as STORAGE#NAME (sqlite:///study.db#tuning), or another experiment
    as experiment/12. None is imported twice. `trialflow create experiment` makes an experiment to import into before work on it begins.
    """
    asyncio.run(_import(identifier, source))


async def _import(identifier: str, source: str) -> None:
    from trialflow.api.calls import import_known
    from trialflow.results.exports import known

    async with service_session() as (home, client):
        one = await find_experiment(client, identifier, "")
        if source.startswith(("experiment/", "aiexperiment/")):
            other = await find_experiment(client, source, "")
            if other["id"] == one["id"]:
                raise InvalidInput(f"experiment {one['id']} already has its own results")
            found = known.from_training_runs(await client.runs(other["project"], experiment_id=other["id"]))
        else:
            found = known.read(one, source)
        done = await import_known(home, client, one["id"], found, Path(source).name if source.endswith(".csv") else source)
        for number, reason in done["skipped"].items():
            say(f"number {number} is not imported: {reason}")
        say(f"imported {counted(done['imported'], 'training run')} into experiment {one['id']}, which cost no budget")
