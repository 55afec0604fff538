"""The parameter of a flow that says: on a cluster. What a flow needs of clients for that, it imports once it is on one."""

from pydantic import BaseModel, Field

from blocks.references import AwsBlock, ClusterBlock
from tasks.images.facts import ImageFacts


class ImageSource(BaseModel):
    """What an image is made of and where it goes."""

    directory: str | None = Field(default=None, title="Directory", description="The model's folder; by default the one that the flow runs in.")
    dockerfile: str | None = Field(default=None, title="Dockerfile", description="Relative to the directory, or absolute; by default `Dockerfile`.")
    name: str | None = Field(default=None, title="Name", description="Name of the image below the registry; by default the directory's name.")
    tag: str | None = Field(
        default=None,
        title="Tag",
        description="A tag that the image gets besides the one derived from its contents.",
        pattern="^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$",
    )
    repository: str | None = Field(default=None, title="Repository", description="The whole repository, instead of registry and name.")
    platform: str | None = Field(
        default=None,
        title="Platform",
        description="Such as `linux/amd64`; by default that of the Docker engine.",
        pattern="^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$",
    )
    target: str | None = Field(default=None, title="Stage", description="The stage of the Dockerfile to build; by default the last.")
    fresh: bool = Field(default=False, title="Build anew", description="Even if nothing has changed, with the newest base image and no cache.")
    leave_out: list[str] = Field(default_factory=list, title="Leave out", description="Paths that do not belong into the image.")


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

    name: ClusterBlock = Field(title="Cluster", description="A `trialflow cluster` block, as `trialflow cluster connect` makes it.")
    build: ImageSource | None = Field(default=None, title="Build", description="How the image is made, if run.yml names none that exists.")
    no_build: bool = Field(default=False, title="Do not build", description="Use the image of run.yml as it is, even if there is a Dockerfile.")
    image: KnownImage | None = Field(default=None, title="Image", description="An image that is there: nothing is built, and no registry is asked.")
    aws: AwsBlock | None = Field(default=None, title="AWS credentials", description="An AWS credentials block whose keys the model gets.")
