"""`trialflow create`, with the arguments of SigOpt's command line."""

import asyncio

import click

from trialflow.api.session import service_session
from trialflow.cli.options import experiment_file_option, project_here, project_option, same_options
from trialflow.cli.terminal.messages import next_commands
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import TrialflowError
from trialflow.metadata_keys import SAME


@click.group()
def create() -> None:
    """Create an experiment or a project."""


@create.command()
@experiment_file_option
@project_option
@output_option
def experiment(experiment_file: str, project: str | None, output: str) -> None:
    """Create the experiment in experiment.yml without working on it."""
    asyncio.run(_experiment(experiment_file, project, output))


async def _experiment(experiment_file: str, project: str | None, output: str) -> None:
    from trialflow.specs import load_experiment

    body = load_experiment(experiment_file).to_api()
    async with service_session() as (_, client):
        from tasks.experiments.resume import experiment_key

        named = project_here(project)
        await client.ensure_project(named)
        made = await client.create_experiment(named, {**body, "metadata": {**(body.get("metadata") or {}), SAME: experiment_key(body)}})
        show(made, output=output, names=[made["id"]], columns=["ID", "NAME", "PROJECT"], rows=[[int(made["id"]), made["name"], named]])
        next_commands([same_options("trialflow optimize", without=["output"])])


@create.command()
@project_option
@click.option("--project-name", metavar="NAME", help="The name of the project; defaults to its id.")
@output_option
def project(project: str | None, project_name: str | None, output: str) -> None:
    """Create a project."""
    asyncio.run(_project(project, project_name, output))


async def _project(project: str | None, project_name: str | None, output: str) -> None:
    async with service_session() as (_, client):
        from tasks.experiments.client import ServiceRefused

        named = project_here(project)
        body = {"id": named, "name": project_name or named}
        try:
            made = await client.request("POST", "clients", await client.client_id(), "projects", body=body)
        except ServiceRefused as refused:
            if refused.status != 409:
                raise
            raise TrialflowError(f"project {named} already exists", hint=f"use it with `--project {named}`, or choose another id") from refused
        show(made, output=output, names=[made["id"]], columns=["ID", "NAME"], rows=[[made["id"], made["name"]]])
