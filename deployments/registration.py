"""Register at a Prefect server what trialflow has: the work pool, the deployments, the block types. Done again, it changes nothing."""

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

from deployments.declared import DEPLOYMENTS, OPTIMIZE, POOL, TAG, Deployment
from deployments.places import KUBERNETES, PROCESSES, Jobs, Place, check_type, place_as_jobs, with_variables
from deployments.schema import form_of
from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient

BLOCKS = ("blocks.cluster.TrialflowCluster", "blocks.service.TrialflowService", "blocks.registry.ImageRegistry")


async def register(client: "PrefectClient", place: Place = PROCESSES) -> list[str]:
    """Register everything, by default for the work pool of processes, which is made. Returns the full names of the deployments.

    Raises what Prefect's client does.
    """
    if place == PROCESSES:
        await ensure_pool(client)
    for path in BLOCKS:
        await load(path).register_type_and_schema(client=client)
    for one in DEPLOYMENTS:
        await register_deployment(client, one, place=place)
    return [one.full_name for one in DEPLOYMENTS]


async def ensure_pool(client: "PrefectClient") -> None:
    """Make the work pool if there is none. One of another type is left as it is."""
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
    from prefect.workers.process import ProcessWorker

    try:
        await client.read_work_pool(POOL)
    except ObjectNotFound:
        template = ProcessWorker.get_default_base_job_template()
        about = "Executes trialflow's flows as processes on the machine of the worker."
        try:
            await client.create_work_pool(WorkPoolCreate(name=POOL, type="process", base_job_template=template, description=about))
        except ObjectAlreadyExists:
            pass  # made by another one meanwhile


async def choose_place(client: "PrefectClient", pool: str, jobs: Jobs | None) -> Place:
    """The place that a work pool is, once it is known to fit; a pool of type `kubernetes` gets the variables that Jobs of ours need.

    Raises `InvalidInput` for a pool that there is not, or that does not fit; nothing is changed then.
    """
    from prefect.client.schemas.actions import WorkPoolUpdate
    from prefect.exceptions import ObjectNotFound

    from tasks.kubernetes.cluster.saved import cluster_of_block

    try:
        found = await client.read_work_pool(pool)
    except ObjectNotFound:
        hint = f"`prefect work-pool ls` lists those there are; `prefect work-pool create {pool} --type {KUBERNETES}` makes one for Jobs"
        raise InvalidInput(f"this Prefect server has no work pool {pool}", hint=hint) from None
    check_type(pool, found.type, jobs)
    if jobs is None:
        return Place(pool)
    template = with_variables(found.base_job_template, pool)
    place = place_as_jobs(pool, await cluster_of_block(jobs.cluster), jobs, template)
    if template != found.base_job_template:
        await client.update_work_pool(pool, WorkPoolUpdate(base_job_template=template))
    return place


async def place_of_deployments(client: "PrefectClient") -> Place:
    """The place that the server's deployments have; that of processes where none are registered, or their pool is gone."""
    from prefect.exceptions import ObjectNotFound

    try:
        found = await client.read_deployment_by_name(OPTIMIZE.full_name)
        pool = await client.read_work_pool(found.work_pool_name or POOL)
    except ObjectNotFound:
        return PROCESSES
    if pool.type != KUBERNETES:
        return Place(pool.name)
    return Place(pool.name, False, found.job_variables or {}, found.parameters)


async def ensure_queue(client: "PrefectClient", queue: str, pool: str) -> None:
    """Make the work queue of a machine in a pool, if there is none: what is triggered there has its files there."""
    from prefect.exceptions import ObjectAlreadyExists

    with contextlib.suppress(ObjectAlreadyExists):
        await client.create_work_queue(name=queue, work_pool_name=pool, description="Flow runs that need files of one machine.")


async def register_deployment(
    client: "PrefectClient",
    one: Deployment,
    *,
    parameters: dict[str, Any] | None = None,
    schedules: list[Any] | None = None,
    name: str | None = None,
    tags: tuple[str, ...] = (),
    queue: str | None = None,
    place: Place = PROCESSES,
) -> "UUID":
    """Register one deployment, or bring it up to date. With a `name` of its own it is another deployment of the same flow, with `parameters`."""
    from prefect.client.schemas.actions import DeploymentScheduleCreate
    from prefect.client.schemas.objects import ConcurrencyLimitStrategy, ConcurrencyOptions
    from prefect.client.schemas.schedules import CronSchedule
    from prefect.utilities.callables import parameter_schema

    import trialflow

    flow = load(one.entrypoint)
    schema = parameter_schema(flow).model_dump(exclude_unset=True)
    if schedules is None and one.cron is not None:
        schedules = [DeploymentScheduleCreate(schedule=CronSchedule(cron=one.cron, timezone="UTC"), active=True, slug=one.name)]
    strategy = ConcurrencyLimitStrategy.ENQUEUE if one.queues else ConcurrencyLimitStrategy.CANCEL_NEW
    return await client.create_deployment(
        flow_id=await client.create_flow_from_name(flow.name),
        name=name or one.name,
        version=trialflow.__version__,
        description=one.description,
        tags=[TAG, *tags],
        entrypoint=one.entrypoint,
        parameters={**place.parameters(schema.get("properties") or {}), **(parameters or {})},
        parameter_openapi_schema=form_of(schema, has_folders=place.has_folders),
        enforce_parameter_schema=True,
        schedules=schedules,
        concurrency_limit=one.limit,
        concurrency_options=ConcurrencyOptions(collision_strategy=strategy) if one.limit is not None else None,
        work_pool_name=place.pool,
        work_queue_name=queue,
        job_variables=dict(place.job_variables),
        pull_steps=[],
    )


def load(path: str) -> Any:
    """What a dotted path names."""
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)
