"""What a flow needs of a cluster before the first training run: the connection, the image, nothing in the way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from flows.image import dockerfile_in, make_image
from flows.on_cluster import ImageSource, OnCluster
from tasks.compute import IssueToken
from tasks.images.choice import choose_image, is_below
from tasks.images.errors import RegistryRefused, RegistryUnavailable
from tasks.images.facts import ImageFacts
from tasks.images.references import parse
from tasks.images.registry import look_up
from tasks.kubernetes.client.cluster import MODEL_ACCOUNT, Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.cluster.access import require_rights
from tasks.kubernetes.cluster.capacity import check_capacity
from tasks.kubernetes.cluster.installation import has_model_account
from tasks.kubernetes.cluster.saved import cluster_of_block
from tasks.kubernetes.jobs.computes import KubernetesComputes
from tasks.kubernetes.jobs.dry_run import dry_run, pod_spec
from tasks.kubernetes.jobs.experiment_objects import require_secret
from tasks.model_secrets import secrets_of_model
from tasks.operations.registries import login_of
from tasks.steps import run_logger, warn
from trialflow.errors import InvalidInput
from trialflow.events import Event, tell
from trialflow.specs import RunSpec


@asynccontextmanager
async def cluster_computes(
    on: OnCluster, run: RunSpec, directory: Path | None, *, root: Path, issue: IssueToken, flow_run: str | None
) -> AsyncIterator[KubernetesComputes]:
    """Connect, make or look up the image, and check what can be checked before anything is launched. Raises errors for people.

    `directory` is where an image is made from; without one, or if it is not here, it has to exist. `root` holds what is kept here of training runs;
    `issue` gives each attempt a token for the service.
    """
    cluster = await cluster_of_block(on.name)
    async with open_cluster(cluster) as connection:
        await require_rights(connection)
        if not await has_model_account(connection):
            raise InvalidInput(
                f"cluster {cluster.name} has no service account {MODEL_ACCOUNT} in namespace {cluster.namespace}",
                hint=f"`trialflow cluster install-plugins -n {cluster.name}` makes what is missing",
            )
        for name in run.secrets:
            await require_secret(connection, name)
        if note := await check_capacity(connection, pod_spec(run, cluster)):
            run_logger().warning(note)
            tell(Event("waiting", text=note))
        image = await find_image(on, run, cluster, directory)
        await dry_run(connection, run, image, cluster)
        keys = await secrets_of_model(on.aws)
        yield KubernetesComputes(
            connection, cluster, run, image, root, issue, keys, flow_run, on_trouble=lambda text: tell(Event("waiting", text=text))
        )


async def find_image(on: OnCluster, run: RunSpec, cluster: Cluster, directory: Path | None) -> ImageFacts:
    """The image of run.yml, or the one built from the directory, with what its registry knows. Raises `InvalidInput` if there is nothing to run."""
    if on.image is not None:
        return _runnable(on.image.facts(), run)
    source = on.build or ImageSource()
    source = source.model_copy(update={"directory": source.directory or (str(directory) if directory else None)})
    dockerfile = dockerfile_in(source) if source.directory else None
    choice = choose_image(run.image, registry=cluster.registry, dockerfile=dockerfile, build=not on.no_build)
    run_logger().info("image: %s: %s", "built" if choice.builds else "used as it is", choice.why)
    reference = choice.image
    if reference is None:
        names = {"name": choice.name or source.name, "tag": choice.tag or source.tag}
        sign_in = (lambda repository: login_of(cluster, repository)) if cluster.provider == "aws" else None
        reference = await make_image(source.model_copy(update=names), registry=cluster.registry, sign_in=sign_in)
    try:
        is_own = choice.image is None or (cluster.registry and is_below(parse(reference), cluster.registry))
        image = await look_up(reference, login=await login_of(cluster) if is_own else None)
    except (RegistryUnavailable, RegistryRefused) as error:
        # The nodes may be able to pull what we cannot look at; then the image's entrypoint has to execute what it is given.
        warn(f"the image was not looked up: {error.message}")
        return ImageFacts(reference, entrypoint=None)
    return _runnable(image, run)


def _runnable(image: ImageFacts, run: RunSpec) -> ImageFacts:
    if not run.run and not image.command and not image.entrypoint:
        hint = "give the command after `--`, or as `run:` in run.yml"
        raise InvalidInput("there is nothing to run: neither run.yml nor the image says what", hint=hint)
    return image
