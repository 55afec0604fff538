"""`trialflow experiment`: list, show, best, stop, copy. Export, import and report have files of their own."""

import asyncio
import shlex
from pathlib import Path
from typing import Any

import click

from tasks.experiments.identifiers import find_experiment
from trialflow.api.session import service_session
from trialflow.api_types import TrainingRun
from trialflow.cli.exchange import export, identifier_argument, import_
from trialflow.cli.files import write_file
from trialflow.cli.init import FILES
from trialflow.cli.options import file_option, project_here, project_option, read_run
from trialflow.cli.report import beliefs_of, report
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.results import facts
from trialflow.results.text import counted, text_of


@click.group()
def experiment() -> None:
    """List, show, stop, copy or export experiments, and get the best training run. ID defaults to the newest experiment of the project."""


experiment.add_command(report)


@experiment.command("list")
@project_option
@click.option("--all-projects", is_flag=True, help="List the experiments of every project.")
@click.option("--archived", is_flag=True, help="Include archived experiments.")
@output_option
def list_(project: str | None, all_projects: bool, archived: bool, output: str) -> None:
    """List experiments, newest first."""
    asyncio.run(_list(project, all_projects, archived, output))


async def _list(project: str | None, all_projects: bool, archived: bool, output: str) -> None:
    async with service_session() as (home, client):
        from tasks.operations.workers import who_works

        named = None if all_projects else project_here(project)
        found = await client.experiments(named, state="all" if archived else "active")
        data, rows = [], []
        for one in found:
            worker = await who_works(home, client, one)
            runs = await client.runs(one["project"], experiment_id=one["id"])
            best = await client.best_runs(one["id"])
            rows.append(facts.experiment_row(one, runs=runs, best=best, owner=str(worker) if worker else None))
            data.append(dict(zip((name.lower() for name in facts.EXPERIMENT_COLUMNS), rows[-1], strict=True)) | {"project": one["project"]})
        if not found and output == "table":
            say(f"no experiments in project {named}" if named else "no experiments")
            return
        show(data, output=output, names=[one["id"] for one in found], columns=facts.EXPERIMENT_COLUMNS, rows=rows)


@experiment.command("show")
@identifier_argument
@project_option
@output_option
def show_(identifier: str | None, project: str | None, output: str) -> None:
    """Show an experiment and its training runs.

    The table is followed by what the optimizer expects. `*` marks the best training runs.
    """
    asyncio.run(_show(identifier, project, output))


async def _show(identifier: str | None, project: str | None, output: str) -> None:
    async with service_session() as (home, client):
        from tasks.operations.workers import workers_of

        one = await find_experiment(client, identifier, project_here(project))
        runs = await client.runs(one["project"], experiment_id=one["id"])
        best = await client.best_runs(one["id"])
        workers = [str(worker) for worker in await workers_of(home, client, one)]
        believed = await beliefs_of(client, one["id"])
        data = {**one, "best": [facts.run_fact(run) for run in best], "beliefs": believed, "training_runs": [facts.run_fact(run) for run in runs]}
        if output != "table":
            show(data, output=output, names=[one["id"]])
            return
        row = facts.experiment_row(one, runs=runs, best=best, owner=workers[0] if workers else None)
        show(None, output="table", names=[], columns=facts.EXPERIMENT_COLUMNS, rows=[row])
        for worker in workers:
            say(f"worker: {worker}")
        if words := facts.belief_lines(one, believed):
            click.echo()
            click.echo("\n".join(words))
        if runs:
            click.echo()
            _show_runs(runs, {run["id"] for run in best})


def _show_runs(runs: list[TrainingRun], best: set[str]) -> None:
    listed = [facts.run_fact(run) for run in runs]
    rows = [
        [
            int(one["id"]),
            ("stopped" if one["stopped_early"] else one["state"]) + (" *" if one["id"] in best else ""),
            one["attempt"],
            one["values"],
            one["assignments"],
            one["stopped_early"] if one["state"] == "completed" else one["reason"],
        ]
        for one in listed
    ]
    show(None, output="table", names=[], columns=["RUN", "STATE", "ATTEMPT", "METRICS", "ASSIGNMENTS", "REASON"], rows=rows)


@experiment.command()
@identifier_argument
@project_option
@click.option("-o", "--output", default="table", metavar="table|json|yaml|name|FILE.yml", help="The format, or a run file to write.")
@file_option("-r", "--run-file", default="run.yml", help="The run file that the written one is based on.")
def best(identifier: str | None, project: str | None, output: str, run_file: str) -> None:
    """Show the best training run, or all on the Pareto front.

    `-o best.yml` writes a run file with its assignments, and `trialflow run -r best.yml` executes them again.
    """
    if output not in ("table", "json", "yaml", "name") and not output.endswith((".yml", ".yaml")):
        raise InvalidInput(f"{output!r} is not table, json, yaml or name, nor the name of a .yml file")
    if output.endswith((".yml", ".yaml")) and Path(output).resolve() in {Path(name).resolve() for name in (run_file, *FILES)}:
        raise InvalidInput(f"{output} is one of the files that you write yourself", hint="choose another name, such as best.yml")
    asyncio.run(_best(identifier, project, output, run_file))


async def _best(identifier: str | None, project: str | None, output: str, run_file: str) -> None:
    async with service_session() as (_, client):
        one = await find_experiment(client, identifier, project_here(project))
        found = await client.best_runs(one["id"])
        if not found:
            from trialflow.api.calls import no_best

            raise await no_best(client, one)
        listed = [facts.run_fact(run) for run in found]
        if output.endswith((".yml", ".yaml")):
            _write_best(listed[0], output, run_file)
            return
        rows = [[int(best["id"]), best["values"], best["assignments"]] for best in listed]
        show(listed, output=output, names=[best["id"] for best in listed], columns=["RUN", "METRICS", "ASSIGNMENTS"], rows=rows)


def _write_best(best: dict[str, Any], output: str, run_file: str) -> None:
    from trialflow.specs import to_yaml

    run = read_run(run_file, (), directory=Path.cwd(), needs_command=False)
    text = to_yaml(run.model_copy(update={"assignments": best["assignments"]}))
    # Names come from elsewhere: whatever is not a number goes through the YAML writer.
    write_file(output, f"# The assignments of training run {int(best['id'])}.\n{text}")
    say(f"wrote {output} with the assignments of training run {best['id']} ({text_of(best['values'])})")
    next_commands([shlex.join(["trialflow", "run", "-r", output, *([] if run.run else ["--", "COMMAND"])])])


@experiment.command()
@identifier_argument
@project_option
def stop(identifier: str | None, project: str | None) -> int:
    """Stop the work on an experiment. Nothing is lost: `trialflow optimize` resumes it."""
    return asyncio.run(_stop(identifier, project))


async def _stop(identifier: str | None, project: str | None) -> int:
    async with service_session() as (home, client):
        from tasks.operations.workers import apply_work_stop, workers_of

        one = await find_experiment(client, identifier, project_here(project))
        workers = [worker for worker in await workers_of(home, client, one) if worker.stop != "nothing"]
        if not workers:
            say(f"nobody works on experiment {one['id']}")
        for worker in workers:
            say(f"stopping the work on experiment {one['id']} by {worker}")
            await apply_work_stop(worker, client, str(one["id"]))
            asked = "asked to stop" if worker.stop == "ask" else "Prefect was asked to cancel its flow run"
            say("stopped; the same command goes on with it" if worker.stop == "signal" else asked)
        return 0


@experiment.command()
@click.argument("source", metavar="FROM")
@click.argument("target", metavar="TO")
def copy(source: str, target: str) -> None:
    """Copy the results of experiment FROM to experiment TO.

    The optimizer of TO then learns from the completed training runs of FROM. Each one counts toward the budget of TO, and none is copied twice.
    """
    asyncio.run(_copy(source, target))


async def _copy(source: str, target: str) -> None:
    async with service_session() as (home, client):
        from tasks.experiments.copying import copy_results, plan_copy
        from tasks.operations.workers import who_works

        old, new = await find_experiment(client, source, ""), await find_experiment(client, target, "")
        if old["id"] == new["id"]:
            raise InvalidInput(f"experiment {old['id']} already has its own results")
        if (worker := await who_works(home, client, new)) and worker.is_certain:
            raise TrialflowError(
                f"experiment {new['id']} is being worked on by {worker}", hint=f"`trialflow experiment stop {new['id']}` first, then optimize again"
            )
        runs = await client.runs(old["project"], experiment_id=old["id"])
        plan = plan_copy(new, runs, await client.runs(new["project"], experiment_id=new["id"]))
        for identifier, reason in plan.skipped.items():
            say(f"training run {identifier} is not copied: {reason}")
        count = await copy_results(client, plan, new)
        budget = f"; they count toward its budget of {new.get('budget')}, so raise it to run as many new ones" if count and new.get("budget") else ""
        say(f"copied {counted(count, 'training run')} to experiment {new['id']}{budget}")


experiment.add_command(export)
experiment.add_command(import_)
