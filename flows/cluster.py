"""What a flow needs of a cluster before the first training run: the connection, the image, nothing in the way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from pydantic import BaseModel, Field

from flows.image import ImageSource, dockerfile_in, make_image
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


class KnownImage(BaseModel):
    """An image by its digest, as its registry knows it: for flows that may be kept from asking the registry."""

    reference: str = Field(title="Reference", description="As a pod names it: `repository@sha256:...`.", pattern="@sha256:[0-9a-f]{64}$")
    entrypoint: list[str] | None = Field(default=None, title="Entrypoint", description="That of the image. None: it is not known.")
    command: list[str] = Field(default_factory=list, title="Command", description="That of the image.")
    user: str = Field(default="", title="User", description="The user that the image runs as.")
    working_dir: str = Field(default="", title="Working directory", description="Where the image begins.")
    has_home: bool = Field(default=False, title="Has a HOME", description="Whether the image sets the variable HOME.")

    @classmethod
    def of(cls, facts: ImageFacts) -> "KnownImage":
        """What a registry has told. The image's variables stay out of parameters, which are shown."""
        given = None if facts.entrypoint is None else list(facts.entrypoint)
        return cls(
            reference=facts.reference,
            entrypoint=given,
            command=list(facts.command),
            user=facts.user,
            working_dir=facts.working_dir,
            has_home="HOME" in facts.environment,
        )

    def facts(self) -> ImageFacts:
        """The same for those who launch pods."""
        entrypoint = None if self.entrypoint is None else tuple(self.entrypoint)
        environment = {"HOME": "/"} if self.has_home else {}
        return ImageFacts(self.reference, entrypoint, tuple(self.command), self.user, self.working_dir, environment)


class OnCluster(BaseModel):
    """Execute training runs on a Kubernetes cluster instead of here."""

    name: str = Field(title="Cluster", description="Name of a `trialflow cluster` block, as `trialflow cluster connect` makes it.")
    build: ImageSource | None = Field(default=None, title="Build", description="How the image is made, if run.yml names none that exists.")
    no_build: bool = Field(default=False, title="Do not build", description="Use the image of run.yml as it is, even if there is a Dockerfile.")
    image: KnownImage | None = Field(default=None, title="Image", description="An image that is there: nothing is built, and no registry is asked.")
    aws: str | None = Field(default=None, title="AWS credentials", description="Name of an AWS credentials block whose keys the model gets.")


@asynccontextmanager
async def cluster_computes(
    on: OnCluster, run: RunSpec, directory: Path, *, root: Path, issue: IssueToken, flow_run: str | None
) -> AsyncIterator[KubernetesComputes]:
    """Connect, make or look up the image, and check what can be checked before anything is launched. Raises errors for people.

    `root` holds what is kept here of training runs; `issue` gives each attempt a token for the service.
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


async def find_image(on: OnCluster, run: RunSpec, cluster: Cluster, directory: Path) -> ImageFacts:
    """The image of run.yml, or the one built from the directory, with what its registry knows. Raises `InvalidInput` if there is nothing to run."""
    if on.image is not None:
        return _runnable(on.image.facts(), run)
    source = on.build or ImageSource()
    source = source.model_copy(update={"directory": source.directory or str(directory)})
    choice = choose_image(run.image, registry=cluster.registry, dockerfile=dockerfile_in(source), build=not on.no_build)
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
