"""The flow `image`: make the image of a directory and push it, unless the registry has one of the same contents."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

from prefect.logging import get_run_logger
from prefect.runtime import deployment, flow_run

from blocks.references import RegistryBlock
from blocks.registry import ImageRegistry
from flows.declaring import flow
from flows.ending import errors_as_states
from flows.on_cluster import ImageSource
from tasks.images import building
from tasks.images.building import BuildPlan, BuildRequest
from tasks.images.errors import RegistryUnavailable
from tasks.images.events import ImageEvent, tell
from tasks.images.login import Login
from tasks.images.repository import image_name, repository_in
from tasks.projects import model_folder
from tasks.steps import step
from trialflow.errors import InvalidInput

RETRY_DELAYS = [2.0, 8.0, 30.0]


class Work:
    """What the tasks work with, as it is: Prefect neither searches nor shows what is in it, and there may be a password."""

    def __init__(self, planned: BuildPlan, login: Login | None) -> None:
        self.planned = planned
        self.login = login


def _flow_run_name() -> str:
    source = flow_run.parameters.get("source") or ImageSource()
    return f"image {source.name or source.repository or Path(source.directory or os.getcwd()).name}"


@flow(name="image", flow_run_name=_flow_run_name, persist_result=False)
@errors_as_states
async def image(source: ImageSource = ImageSource(), registry: RegistryBlock | None = None) -> str:  # noqa: B008 - Prefect shows it as the default
    """Make the image of a directory and push it. Returns `repository@sha256:...`; unchanged contents build and push nothing.

    Args:
        source: The directory, its Dockerfile, and the image's name.
        registry: A `trialflow image registry` block; by default Docker Hub, with the login of `docker login`.
    """
    if registry is None:
        return await make_image(source)
    try:
        kept = await ImageRegistry.aload(registry)
    except ValueError as error:
        hint = "`prefect block ls` shows those there are"
        raise InvalidInput(f"there is no image registry block called {registry!r} on this Prefect server", hint=hint) from error
    password = kept.password.get_secret_value()
    login = Login(kept.username, password) if kept.username and password else None
    return await make_image(source, registry=kept.registry, login=login, insecure=kept.insecure or None)


async def make_image(
    source: ImageSource,
    *,
    registry: str | None = None,
    login: Login | None = None,
    insecure: bool | None = None,
    sign_in: Callable[[str], Awaitable[Login | None]] | None = None,
) -> str:
    """The same inside another flow: the steps as tasks of the flow that calls. `registry` is host[:port][/path]; `login` never becomes a parameter.

    A registry whose logins do not last is asked for one by `sign_in(repository)`, and again before the image is pushed.

    Returns `repository@sha256:...`. Raises the errors of `tasks.images.errors` and `InvalidInput`.
    """
    directory = model_folder(source.directory, is_deployed=bool(deployment.id))
    order = BuildRequest(
        directory=directory,
        repository=source.repository or repository_in(source.name or image_name(directory.name), registry, login),
        dockerfile=source.dockerfile,
        platform=source.platform,
        target=source.target,
        leave_out=tuple(directory / path for path in source.leave_out),
        fresh=source.fresh,
        insecure=insecure,
        tag=source.tag,
    )
    planned = await building.plan(order)
    if sign_in:
        login = await sign_in(order.repository)
    logger = get_run_logger()
    if found := await building.find_image(planned, login=login):
        logger.info("unchanged: %s", found)
        await building.tag_image(planned, found, login=login)
        return found
    work = Work(planned, login)
    await build(str(planned.name), work)
    if sign_in:
        work.login = login = await sign_in(order.repository)
    reference = await push(str(planned.name), work)
    await building.tag_image(planned, reference, login=login)
    logger.info("pushed %s", reference)
    return reference


@step("build", delays=RETRY_DELAYS, retried=(RegistryUnavailable,))
async def build(name: str, work: Work) -> str:
    """Build the image, or find it in the engine from an earlier try. Returns its id there. The steps are in the task's log."""
    logger = get_run_logger()

    def on_event(event: ImageEvent) -> None:
        if event.kind == "step":
            logger.info("step %s/%s: %s", event.number, event.steps, event.text)
        tell(event)

    return await building.build_image(work.planned, on_event=on_event)


@step("push", delays=RETRY_DELAYS, retried=(RegistryUnavailable,))
async def push(name: str, work: Work) -> str:
    """Push the image; what an earlier try has sent is not sent again. Returns `repository@sha256:...`."""
    return await building.push_image(work.planned, login=work.login)


def dockerfile_in(source: ImageSource) -> str | None:
    """The Dockerfile that the image would be made with, None if there is none."""
    name = source.dockerfile or "Dockerfile"
    return name if (Path(source.directory or os.getcwd()).expanduser() / name).is_file() else None
