"""What every flow needs before it can begin: the service, a place for training runs, the project and the folder, set up and given back."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from prefect.runtime import deployment, flow_run
from prefect.settings import PREFECT_UI_URL

from flows.cancelling import stopping_in_order
from flows.on_cluster import OnCluster
from tasks.context import FlowContext
from tasks.experiments.address import open_service
from tasks.experiments.announcing import announced
from tasks.experiments.ownership import service_key
from tasks.experiments.run_tokens import RunTokens
from tasks.local import LocalComputes, shell_of
from tasks.model_secrets import secrets_of_model
from tasks.projects import folder_id, model_folder, named_folder, project_id
from tasks.source import whole_source
from tasks.steps import run_logger
from trialflow.errors import InvalidInput
from trialflow.home import Home
from trialflow.specs import RunSpec


@asynccontextmanager
async def open_flow(
    *,
    run: RunSpec,
    project: str | None,
    directory: str | None,
    service: str | None,
    source: Mapping[str, str] | None,
    cluster: OnCluster | None = None,
    aws: str | None = None,
) -> AsyncIterator[FlowContext]:
    """Connect to the service, and to the cluster if one is meant. Raises errors for people before anything is started.

    `aws` names an AWS credentials block whose keys a model here gets; on a cluster, `cluster.aws` does.
    """
    is_in_image = cluster is not None and (cluster.image is not None or run.image is not None)
    named_or_needed = named_folder if is_in_image else model_folder
    named = named_or_needed(directory, is_deployed=bool(deployment.id))
    folder = named or Path.cwd()
    if not run.run and cluster is None:
        raise InvalidInput(
            "there is nothing to run",
            hint="give the command after `--`, as in `trialflow optimize -- python model.py`, or as `run:` in run.yml; only an image can do without",
        )
    if aws and cluster is not None:
        raise InvalidInput("`aws` is for a model on this machine", hint="name the block as `cluster.aws`")
    home = Home.from_environment()
    identifier = str(flow_run.id) if flow_run.id else None
    async with AsyncExitStack() as held:
        held.enter_context(announced(identifier))
        stop = await held.enter_async_context(stopping_in_order())
        client, token = await held.enter_async_context(open_service(home, service))
        project_here = project_id(project, named)
        # A folder that is not here is one of another machine, and of which is not known.
        place = folder_id(project, named) if named and named.is_dir() else None
        root = home.make(home.training_runs) / service_key(home, client.url)
        issue = RunTokens(client, token, on_trouble=lambda text: run_logger().warning(text) if cluster else None)
        if cluster is None:
            shell = shell_of(home, folder) if deployment.id else None
            computes = LocalComputes(root, api_url=client.url, issue=issue, keys=await secrets_of_model(aws), environment=shell)
        else:
            from flows.cluster import cluster_computes  # Kubernetes' and Docker's clients: half a second that a model here need not wait for

            opened = cluster_computes(cluster, run, named, root=root, issue=issue, flow_run=identifier)
            computes = await held.enter_async_context(opened)
        await client.ensure_project(project_here)
        kept, ui_url = whole_source(source, folder), PREFECT_UI_URL.value()
        yield FlowContext(home, client, computes, project_here, run, folder, kept, identifier, place, stop, ui_url)
