"""`trialflow deploy`: register the deployments at a Prefect server of one's own."""

from typing import TYPE_CHECKING

import click

from trialflow.cli.prefect_client import with_client
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.errors import InvalidInput
from trialflow.home import Home
from trialflow.prefect_api import prefect_api_url

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient

    from deployments.places import Jobs


@click.command()
@click.option("--work-pool", metavar="NAME", help="A work pool that exists, of type process or kubernetes; by default `trialflow`, which is made.")
@click.option("--image", metavar="REF", help="For a pool of type kubernetes: the image of trialflow, where nodes can pull it.")
@click.option("-n", "--cluster-name", metavar="NAME", help="The connected cluster that Jobs run in; by default the current one.")
@click.option("--service", metavar="BLOCK", help="The `trialflow service` block of Jobs; by default `default`.")
@click.option("--service-secret", metavar="NAME", help="Instead, a Secret of the cluster with SIGOPT_API_URL and SIGOPT_API_TOKEN.")
def deploy(work_pool: str | None, image: str | None, cluster_name: str | None, service: str | None, service_secret: str | None) -> int:
    """Register trialflow's deployments, work pool, blocks and automations at the Prefect server of PREFECT_API_URL.

    `trialflow up` does this by itself. It can be done again at any time: what is there is brought up to date, and moves to the pool that is named.

    In a work pool of type kubernetes, flows run as Jobs in the namespace of the cluster, with its service account trialflow-flows. The pool's job
    template gets variables for that, which change nothing for other deployments.
    """
    url = prefect_api_url()
    if url is None:
        hint = "set PREFECT_API_URL to your server's address, such as http://127.0.0.1:4200/api; `trialflow up` starts one and registers everything"
        raise InvalidInput("no Prefect server is named to register the deployments at", hint=hint)
    jobs = _jobs(work_pool, image, cluster_name, service, service_secret)

    async def registered(client: "PrefectClient") -> int:
        from deployments.automations import ensure_automations
        from deployments.places import PROCESSES
        from deployments.registration import choose_place, place_of_deployments, register
        from deployments.schedules import move

        before = await place_of_deployments(client)
        place = await choose_place(client, work_pool, jobs) if work_pool else PROCESSES
        names = await register(client, place)
        if moved := await move(client, before, place):
            say(f"schedules that follow: {', '.join(moved)}")
        await ensure_automations(client)
        for name in names:
            click.echo(name)
        say(f"registered {len(names)} deployments at {url}, for work pool {place.pool}")
        next_commands([f"prefect worker start --pool {place.pool}", f"prefect deployment run {names[0]}"])
        return 0

    return with_client(registered)


def _jobs(work_pool: str | None, image: str | None, cluster_name: str | None, service: str | None, service_secret: str | None) -> "Jobs | None":
    """What Jobs are made of; None if flows are to run as processes. Raises `InvalidInput` for options that do not go together."""
    from deployments.places import Jobs

    if image is None:
        given = {"--cluster-name": cluster_name, "--service": service, "--service-secret": service_secret}
        if wrong := [name for name, value in given.items() if value is not None]:
            raise InvalidInput(f"{' and '.join(wrong)} is for Jobs, and no `--image` is named that they run")
        return None
    if work_pool is None:
        hint = "name one of type kubernetes with `--work-pool`; `prefect work-pool create NAME --type kubernetes` makes one"
        raise InvalidInput("an image is for Jobs, and no work pool is named", hint=hint)
    if service and service_secret:
        raise InvalidInput("two services are named, by `--service` and by `--service-secret`", hint="name one")
    from tasks.kubernetes.cluster.saved import Clusters

    cluster = cluster_name or Clusters(Home.from_environment()).require(None)
    return Jobs(image, cluster, service=service or "default", service_secret=service_secret)
