"""trialflow's own server on a cluster: plan it, put it there, wait until it is ready, take it away."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from tasks.images import building, own
from tasks.images.building import BuildPlan
from tasks.images.errors import RegistryUnavailable
from tasks.images.registry import look_up
from tasks.images.repository import repository_in
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.cluster.installation import Installed, PlannedObject
from tasks.kubernetes.jobs.workload import read_workload
from tasks.kubernetes.server.installing import (
    check_database,
    check_objects,
    check_storage,
    find_own,
    place,
    plan_objects,
    read_pod,
    read_server,
    remove,
)
from tasks.kubernetes.server.manifests import NAME, NONE, ServerOptions
from tasks.operations.registries import login_of
from trialflow.errors import InvalidInput, TrialflowError

READY_SECONDS = 600.0
MOST_ENDS = 3
"""A server that has ended this often while it is waited for is waited for no longer. Kubernetes rests 10, 20, then 40 s before each further start."""
PAUSE_SECONDS = 1.0
MOVED = "the server gets another database: its experiments stay in the one before, and are not moved"


@dataclass(frozen=True)
class ServerPlan:
    """What would be put on the cluster. `image` is a reference by digest, or `build` what makes one that its registry does not have yet."""

    options: ServerOptions
    objects: tuple[PlannedObject, ...]
    image: str | None
    build: BuildPlan | None = field(default=None, repr=False)
    note: str | None = None


@dataclass(frozen=True)
class RemovalPlan:
    """What would be deleted, in order, and how many attempts of training runs are on the cluster, the server's among them perhaps."""

    kinds: tuple[str, ...]
    attempts: int

    @property
    def loses(self) -> bool:
        """Whether the experiments that the server knows are deleted too."""
        return "PersistentVolumeClaim" in self.kinds


@asynccontextmanager
async def plan_server(
    connection: Connection, *, image: str | None = None, storage: str | None = None, api_address: str | None = None, database: str | None = None
) -> AsyncIterator[ServerPlan]:
    """What would be done: nothing is changed. What is not given is as it was. The plan holds files, which are there until the end.

    Raises `ClusterError`, `InvalidInput`, and the errors of `tasks.images.errors`.
    """
    found = await find_own(connection, "StatefulSet")
    before = ServerOptions.of(found)
    if found is None and storage is None and database not in (None, NONE):
        storage = NONE  # all that has to outlive the pod is in the database
    asked = (("storage", storage), ("api_address", api_address), ("database", database))
    options = replace(before, **{name: value for name, value in asked if value is not None})
    await check_database(connection, options)
    await check_storage(connection, options)
    moved = found is not None and before.database != options.database
    async with AsyncExitStack() as held:
        build, note = None, MOVED if moved else None
        if image is not None:
            image, told = await _by_digest(image)
            note = "; ".join(filter(None, (note, told))) or None
        else:
            cluster = connection.cluster
            build = await held.enter_async_context(own.planned(repository_in(own.NAME, cluster.registry)))
            image = await building.find_image(build, login=await login_of(cluster, build.order.repository), on_event=lambda event: None)
        objects = await plan_objects(connection, image, options)
        await check_objects(connection, image or str(build and build.name), options)
        yield ServerPlan(options, tuple(objects), image, build, note)


async def apply_server(plan: ServerPlan, connection: Connection, *, on_installed: Callable[[Installed], None] = lambda one: None) -> str:
    """Build and push the image if the registry has none, make what is missing, change what differs. Returns the image."""
    image = plan.image
    if image is None:
        assert plan.build is not None
        repository = plan.build.order.repository
        await building.build_image(plan.build)
        image = await building.push_image(plan.build, login=await login_of(connection.cluster, repository))
    for one in await place(connection, image, plan.options):
        on_installed(one)
    return image


async def until_ready(connection: Connection, *, tell: Callable[[str], None] = lambda text: None, seconds: float = READY_SECONDS) -> None:
    """Wait until the server answers; `tell` gets each new reason why it does not.

    Raises `TrialflowError` after so many seconds, or once it has ended `MOST_ENDS` times meanwhile.
    """
    hint = f"`trialflow cluster kubectl -- logs {NAME}-0` shows its log; Kubernetes goes on trying, and the same command waits for it again"
    deadline, told, before = asyncio.get_running_loop().time() + seconds, None, None
    while True:
        pod = await read_pod(connection)
        if pod.state == "ready":
            return
        before = pod.restarts if before is None else min(before, pod.restarts)  # a newer pod begins anew
        if pod.restarts - before >= MOST_ENDS:
            raise TrialflowError(f"the server does not start: {pod.why}", hint=hint)
        if asyncio.get_running_loop().time() > deadline:
            raise TrialflowError(f"the server is not ready after {seconds:.0f} s: {pod.why}", hint=hint)
        if pod.why != told:
            told = pod.why
            tell(f"waiting for the server: {pod.why}")
        await asyncio.sleep(PAUSE_SECONDS)  # why it waits is in no event of a watch


async def plan_removal(connection: Connection, *, keep_data: bool = False) -> RemovalPlan:
    """What would be deleted. A claim that the user made stays. Raises `ClusterError`."""
    wanted = ["StatefulSet", "Secret", *([] if keep_data else ["PersistentVolumeClaim"])]
    kinds = [kind for kind in wanted if await find_own(connection, kind)]
    return RemovalPlan(tuple(kinds), len(await read_workload(connection)) if kinds else 0)


async def apply_removal(plan: RemovalPlan, connection: Connection) -> AsyncIterator[str]:
    """Delete it, and name each thing that is gone."""
    for kind in plan.kinds:
        if await remove(connection, kind):
            yield f"{kind} {NAME}"


async def require_server(connection: Connection) -> tuple[str, str]:
    """The tokens of the server, `(service, Prefect)`, once it is ready. Raises `InvalidInput` if there is none, `TrialflowError` if it is not."""
    found = await read_server(connection)
    if found is None:
        raise InvalidInput(
            f"cluster {connection.cluster.name} has no trialflow server in namespace {connection.namespace}",
            hint=f"`trialflow cluster install-plugins --server -n {connection.cluster.name}` puts one there",
        )
    if found.state == "none":
        hint = f"`trialflow cluster install-plugins --server -n {connection.cluster.name}` again puts it right"
        raise TrialflowError(f"the server of cluster {connection.cluster.name} is not whole: {found.why}", hint=hint)
    return found.token, found.prefect_token


async def _by_digest(image: str) -> tuple[str, str | None]:
    try:
        return (await look_up(image)).reference, None
    except RegistryUnavailable as error:
        return image, f"the image {image} is used by its name, since it was not looked up: {error.message}"
