"""What a flow needs of a cluster before the first training run: the connection, the image, nothing in the way. Then the compute on it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from prefect.logging import get_run_logger
from prefect.runtime import flow_run
from pydantic import BaseModel, Field

from blocks.aws import load_aws
from flows.image import ImageSource, make_image
from tasks.compute import model_keys
from tasks.experiments.client import ServiceUnavailable
from tasks.images.errors import RegistryRefused, RegistryUnavailable
from tasks.images.registry import look_up
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection, open_cluster
from tasks.kubernetes.client.errors import ClusterUnavailable
from tasks.kubernetes.cluster.access import require_rights
from tasks.kubernetes.cluster.capacity import check_capacity
from tasks.kubernetes.cluster.installation import MODEL, has_model_account
from tasks.kubernetes.cluster.saved import cluster_of_block
from tasks.kubernetes.jobs.compute import KubernetesCompute
from tasks.kubernetes.jobs.dry_run import rehearse
from tasks.kubernetes.jobs.experiment_objects import require_secret
from tasks.kubernetes.jobs.pod_template import PodTemplate
from trialflow.errors import InvalidInput
from trialflow.events import Event, tell
from trialflow.specs import RunSpec


class OnCluster(BaseModel):
    """Execute training runs on a Kubernetes cluster instead of here."""

    name: str = Field(title="Cluster", description="Name of a `trialflow cluster` block, as `trialflow cluster connect` makes it.")
    build: ImageSource | None = Field(default=None, title="Build", description="How the image is made, if run.yml names none.")
    aws: str | None = Field(default=None, title="AWS credentials", description="Name of an AWS credentials block whose keys the model gets.")


class Ground:
    """A cluster that has been found fit: `connection` to it, and the `recipe` of its pods but for whom they belong to."""

    def __init__(self, connection: Connection, recipe: PodTemplate, keys: Mapping[str, str]) -> None:
        self.connection = connection
        self.recipe = recipe
        self.keys = keys

    @asynccontextmanager
    async def computing(
        self, root: Path, *, uid: str, experiment_id: str | None, training_run_id: str | None, token: str
    ) -> AsyncIterator[KubernetesCompute]:
        """The compute for one experiment, or one training run by itself.

        Whatever ends the work in order leaves nothing on the cluster; if the cluster or the service is away, what runs goes on and is adopted later.
        """
        recipe = replace(self.recipe, uid=uid, flow_run=str(flow_run.id) if flow_run.id else None)
        keys = {**self.keys, **({"TRIALFLOW_UPSTREAM_TOKEN": token} if recipe.api_url else {})}

        def trouble(text: str) -> None:
            tell(Event("waiting", text=text))

        owner = {"experiment_id": experiment_id, "training_run_id": training_run_id}
        async with KubernetesCompute(self.connection, recipe, root, **owner, keys=keys, on_trouble=trouble) as compute:
            try:
                yield compute
            except (ServiceUnavailable, ClusterUnavailable):
                raise
            except BaseException:
                await compute.close()
                raise
            await compute.close()


@asynccontextmanager
async def ground(on: OnCluster, run: RunSpec, directory: Path) -> AsyncIterator[Ground]:
    """Connect, make or look up the image, and check what can be checked before anything is launched. Raises errors for people."""
    cluster = await cluster_of_block(on.name)
    async with open_cluster(cluster) as connection:
        await require_rights(connection)
        if not await has_model_account(connection):
            raise InvalidInput(
                f"cluster {cluster.name} has no service account {MODEL} in namespace {cluster.namespace}",
                hint=f"`trialflow cluster install-plugins -n {cluster.name}` makes what is missing",
            )
        for name in run.secrets:
            await require_secret(connection, name)
        if note := await check_capacity(connection, run.resources):
            get_run_logger().warning(note)
            tell(Event("waiting", text=note))
        recipe = await _recipe(on, run, cluster, directory)
        await rehearse(connection, recipe, command=run.run or (), environment=run.env, timeout=run.timeout)
        yield Ground(connection, recipe, await _keys(on))


async def _recipe(on: OnCluster, run: RunSpec, cluster: Cluster, directory: Path) -> PodTemplate:
    reference = run.image
    if reference is None:
        source = on.build or ImageSource()
        source = source.model_copy(update={"directory": source.directory or str(directory)})
        reference = await make_image(source, registry=cluster.registry)
    resources = run.resources
    recipe = PodTemplate(
        uid="",
        image=reference,
        requests=resources.requests if resources else {},
        limits=resources.limits if resources else {},
        gpus=resources.gpus if resources else None,
        secrets=tuple(run.secrets),
        service_account=MODEL,
        api_url=cluster.api_url,
        pod=run.pod,
    )
    try:
        facts = await look_up(reference)
    except (RegistryUnavailable, RegistryRefused) as error:
        # The nodes may be able to pull what we cannot look at; then the image's entrypoint has to execute what it is given.
        get_run_logger().warning("the image was not looked up: %s", error.message)
        return recipe
    if not run.run and not facts.command and not facts.entrypoint:
        hint = "give the command after `--`, or as `run:` in run.yml"
        raise InvalidInput("there is nothing to run: neither run.yml nor the image says what", hint=hint)
    return replace(
        recipe,
        image=facts.reference,
        entrypoint=facts.entrypoint,
        command=facts.command,
        user=facts.user,
        environment_of_image=facts.environment,
    )


async def _keys(on: OnCluster) -> dict[str, str]:
    keys = dict(model_keys.get() or {})
    if on.aws:
        try:
            found = await load_aws(on.aws)
        except ValueError as error:
            raise InvalidInput(f"there is no AWS credentials block called {on.aws!r} on this Prefect server", hint="`prefect block ls`") from error
        pairs = {
            "AWS_ACCESS_KEY_ID": found.access_key_id,
            "AWS_SECRET_ACCESS_KEY": found.secret_access_key,
            "AWS_SESSION_TOKEN": found.session_token,
            "AWS_DEFAULT_REGION": found.region,
        }
        keys.update({name: value for name, value in pairs.items() if value})
    return keys
