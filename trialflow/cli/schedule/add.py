"""`trialflow schedule add`: the experiment of this folder, again and again, here or on a cluster."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.cluster.options import dockerfile_option, no_build_option
from trialflow.cli.options import (
    MODEL_COMMAND,
    command_argument,
    experiment_file_option,
    project_option,
    read_run,
    read_source,
    run_file_option,
    source_file_option,
)
from trialflow.cli.prefect_client import with_client
from trialflow.cli.reaching import Reached, here_option, server_if_any
from trialflow.cli.schedule.options import at
from trialflow.cli.schedule.times import check_zone, machine_zone
from trialflow.cli.terminal.messages import hint, next_commands, say, warn
from trialflow.errors import InvalidInput
from trialflow.home import Home

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from deployments.places import Place
    from trialflow.api.cluster_place import ClusterPlace
    from trialflow.cli.triggering import Order
    from trialflow.specs import ExperimentSpec


@dataclass(frozen=True)
class Asked:
    """The options of `add`."""

    experiment_file: str
    run_file: str
    source_file: str | None
    project: str | None
    name: str | None
    cron: str
    timezone: str
    learn: bool | None
    when_busy: str


@click.command(context_settings=MODEL_COMMAND)
@experiment_file_option
@run_file_option
@source_file_option
@project_option
@click.option("--name", metavar="NAME", help="The name of the schedule; by default that of the experiment.")
@click.option("--cron", required=True, metavar="'MIN HOUR DAY MONTH WEEKDAY'", help="When it runs, such as '0 2 * * *' for every night at 2.")
@click.option("--timezone", metavar="ZONE", help="The zone of these times, such as Europe/Berlin; by default that of this machine.")
@click.option("--learn/--no-learn", default=None, help="Start from the last experiment's results, or anew. Learns by default where it can.")
@click.option(
    "--when-busy",
    type=click.Choice(["skip", "wait"]),
    default="skip",
    show_default=True,
    help="A run that is due while the last one works is left out, or waits for its end.",
)
@click.option("-n", "--cluster-name", metavar="NAME", help="Execute training runs on this cluster; by default on the machine of the worker.")
@dockerfile_option
@no_build_option
@here_option
@command_argument
def add(cluster_name: str | None, dockerfile: str | None, no_build: bool, here: bool, command: tuple[str, ...], **options: Any) -> int:
    """Schedule the experiment in experiment.yml. The same name again changes its schedule.

    It starts a new experiment each time, and resumes one that is unfinished. One that learns starts from the last one's results, measures the last
    best again, and compares it with the new best in the end. The files are read now: add it again after you have changed them.

    On a cluster with a server (`cluster install-plugins --server`) the schedule is left to it, and this machine is not needed.
    """
    asked = Asked(**{**options, "timezone": options["timezone"] or machine_zone()})
    check_zone(asked.timezone)
    if cluster_name is None:
        if wrong := [name for name, given in (("--dockerfile", dockerfile), ("--no-build", no_build), ("--here", here)) if given]:
            raise InvalidInput(f"{' and '.join(wrong)} is for a cluster, and none is named", hint="name it with `-n`")
        return _add(asked, command, None, None)
    from trialflow.cli.cluster.launch import drawn, place_of

    place = place_of(cluster_name, dockerfile, asked.run_file, asked.experiment_file, command, build=not no_build)
    with drawn(), server_if_any(place.cluster, here=here, looks=True) as reached:
        return _add(asked, command, place, reached)


def _add(asked: Asked, command: tuple[str, ...], place: "ClusterPlace | None", reached: Reached | None) -> int:
    from deployments.schedules import slug_of
    from tasks.model_secrets import model_secrets
    from trialflow.cli.triggering import Order
    from trialflow.specs import load_experiment

    directory = Path.cwd()
    spec = load_experiment(asked.experiment_file)
    run = place.run if place else read_run(asked.run_file, command, directory=directory)
    if model_secrets.get():
        instead = (
            "put the keys into a Kubernetes Secret and name it under `secrets:`" if place else "the model finds those of the shell or the machine"
        )
        raise InvalidInput(f"{asked.run_file} has AWS keys, which no schedule keeps: its parameters are shown", hint=f"remove `aws:`; {instead}")
    options = {"when_busy": asked.when_busy, "learn": _learns(spec, asked.learn)}
    order = Order(spec, run, asked.project, directory, read_source(asked.source_file, directory), options=options)
    name = slug_of(asked.name or spec.name)
    return with_client(lambda client: _register(client, name, asked, order, place, reached))


def _learns(spec: "ExperimentSpec", learn: bool | None) -> bool:
    """Whether it starts from the last experiment's results. Raises `InvalidInput` if it was asked to and cannot."""
    from tasks.experiments.verdict import unlearnable

    reason = unlearnable(spec)
    if learn and reason:
        raise InvalidInput(f"the experiment cannot learn from the one before it: {reason}", hint="`--no-learn` starts anew each time")
    if learn is None and reason:
        say(f"it starts anew each time: {reason}")
    return reason is None and learn is not False


async def _register(client: "PrefectClient", name: str, asked: Asked, order: "Order", on: "ClusterPlace | None", reached: Reached | None) -> int:
    from deployments import schedules
    from deployments.registration import place_of_deployments
    from trialflow.cli.up import queue_of

    when = schedules.times(asked.cron, asked.timezone)
    place = await place_of_deployments(client)
    is_here = place.has_folders and reached is None
    order = await (_of_here(order, on) if is_here else _of_elsewhere(order, on, asked, place, reached))
    queue = queue_of(Home.from_environment()) if is_here else None
    queues = asked.when_busy == "wait"
    is_new = await schedules.add(client, name, when, parameters=order.parameters(), place=place, queue=queue, queues=queues)
    whose = f" on the server of cluster {reached.cluster.name}" if reached else ""
    say(f"schedule {name} {'was added' if is_new else 'was changed'}{whose}: {asked.cron} in {asked.timezone}")
    _say_who_works(place, is_here=is_here, reached=reached)
    option = at(reached.cluster.name if reached else None)
    next_commands([f"trialflow schedule {what}{option} {name}" for what in ("show", "run", "remove")])
    return 0


async def _of_here(order: "Order", on: "ClusterPlace | None") -> "Order":
    """For a worker on this machine: it has the folder, and makes the image each time."""
    from tasks.local.shell import keep_shell
    from trialflow.cli.environment import SHELL

    keep_shell(Home.from_environment(), SHELL, order.directory)
    return replace(order, cluster=await on.on_cluster()) if on else order


async def _of_elsewhere(order: "Order", on: "ClusterPlace | None", asked: Asked, place: "Place", reached: Reached | None) -> "Order":
    """For a flow in a pod: nothing of this folder is there, so all that it needs goes along, and the image is made now.

    Raises `InvalidInput` if it has no image.
    """
    from flows.on_cluster import OnCluster
    from tasks.projects import project_id
    from trialflow.api.cluster_place import known_block
    from trialflow.cli.cluster.leaving import FOLDER, place_on_server, whole_source

    if on is None and order.run.image is None:
        hint = "name the cluster with `-n`, so that the image is built of this folder, or write `image:` into run.yml"
        raise InvalidInput(f"flows run as Jobs in work pool {place.pool}, where this folder is not, and run.yml names no image", hint=hint)
    cluster = None
    if on is not None and reached:
        cluster = await place_on_server(on)
    elif on is not None:
        cluster = OnCluster(name=await known_block(on.cluster), no_build=True, image=await on.known_image(warn))
    source = whole_source(asked.source_file)
    return replace(order, project=project_id(order.project, order.directory), directory=Path(FOLDER), source=source, cluster=cluster)


def _say_who_works(place: "Place", *, is_here: bool, reached: Reached | None) -> None:
    """Say what has to be at work for the schedule to fire, where that is up to the user."""
    from trialflow.cli.triggering import standing_here

    if reached:
        return
    if not is_here:
        say(f"its flows run as Jobs, for which a worker of work pool {place.pool} is needed")
    elif standing_here() is None:
        warn("schedules fire while trialflow is up, and it is not")
        hint("`trialflow up --detach`")
