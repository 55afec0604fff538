"""Scheduled experiments: each is a deployment of `optimize` with a schedule, parameters and a limit of one flow run, all its own.

A limit belongs to a deployment, so schedules of one deployment would keep each other from running. The deployment's name is the schedule's.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from deployments.declared import OPTIMIZE
from deployments.places import PROCESSES, Place
from deployments.registration import ensure_pool, ensure_queue, register_deployment
from trialflow.errors import InvalidInput

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.client.schemas.schedules import CronSchedule

SCHEDULED = "schedule"
"""The tag of these deployments."""
MOST = 200


@dataclass(frozen=True)
class Scheduled:
    """A scheduled experiment. `last` is its newest flow run that is not yet to come; times are aware."""

    name: str
    deployment_id: "UUID"
    schedule_id: "UUID | None"
    experiment: str
    cron: str
    timezone: str
    is_active: bool
    parameters: dict[str, Any]
    next: datetime | None = None
    last: "FlowRun | None" = None


def slug_of(name: str) -> str:
    """A name for a schedule from that of an experiment: lower-case letters, digits and dashes. Raises `InvalidInput` if nothing is left."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60]
    if not slug or slug == OPTIMIZE.name:
        raise InvalidInput(f"{name!r} cannot be the name of a schedule", hint="give another with --name, such as `--name nightly`")
    return slug


def times(cron: str, timezone: str) -> "CronSchedule":
    """When a schedule fires. Raises `InvalidInput` for times that cannot be."""
    from prefect.client.schemas.schedules import CronSchedule
    from pydantic import ValidationError

    try:
        return CronSchedule(cron=cron, timezone=timezone)
    except ValidationError as error:
        reason = error.errors()[0]["msg"].removeprefix("Value error, ")
        raise InvalidInput(
            f"{cron!r} in {timezone} cannot be scheduled: {reason}", hint="as in --cron '0 2 * * *' --timezone Europe/Berlin: every night at 2"
        ) from error


async def add(
    client: "PrefectClient",
    name: str,
    when: "CronSchedule",
    *,
    parameters: dict[str, Any],
    place: Place = PROCESSES,
    queue: str | None = None,
    queues: bool = False,
) -> bool:
    """Schedule an experiment at a place, or change the schedule of this name. Whether it is a new one.

    `queue` is that of the machine that its files are on, None if it needs none. A run that is due while the last one is at work is left out, or
    waits for its end if `queues`.
    """
    from prefect.client.schemas.actions import DeploymentScheduleCreate

    before = await find(client, name, must_exist=False)
    if place == PROCESSES:
        await ensure_pool(client)
    if queue is not None:
        await ensure_queue(client, queue, place.pool)
    await register_deployment(
        client,
        replace(OPTIMIZE, limit=1, queues=queues),
        name=name,
        parameters=parameters,
        schedules=[DeploymentScheduleCreate(schedule=when, active=True, slug=name)],
        tags=(SCHEDULED,),
        queue=queue,
        place=place,
    )
    return before is None


async def move(client: "PrefectClient", before: Place, now: Place) -> list[str]:
    """Have schedules whose flows are Jobs follow the deployments, from the place `before`: new image, pool and defaults. Returns their names.

    None follows to or from a place of processes: there, schedules need the files of a machine.
    """
    from prefect.client.schemas.actions import DeploymentUpdate

    if now.has_folders:
        return []
    pools = {place.pool for place in (before, now) if not place.has_folders}
    moved = [one for one in await deployments_of_schedules(client) if one.work_pool_name in pools]
    for one in moved:
        parameters = with_defaults(one.parameters, before.defaults, now.defaults)
        update = DeploymentUpdate(work_pool_name=now.pool, job_variables=dict(now.job_variables), parameters=parameters)
        await client.update_deployment(one.id, update)
    return [one.name for one in moved]


def with_defaults(parameters: Mapping[str, Any], before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters with the defaults of a new place instead of those of the one before. What somebody chose stays."""
    chosen = {name: value for name, value in parameters.items() if name not in before or value != before[name]}
    return {**now, **chosen}


async def scheduled(client: "PrefectClient") -> list[Scheduled]:
    """All scheduled experiments, by name."""
    return [await _described(client, one) for one in await deployments_of_schedules(client)]


async def deployments_of_schedules(client: "PrefectClient") -> "list[DeploymentResponse]":
    """The deployments of all schedules, by name."""
    from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags

    found = await client.read_deployments(deployment_filter=DeploymentFilter(tags=DeploymentFilterTags(all_=[SCHEDULED])), limit=MOST)
    return sorted(found, key=lambda one: one.name)


async def find(client: "PrefectClient", name: str, *, must_exist: bool = True) -> Scheduled | None:
    """The scheduled experiment of that name. None, or `InvalidInput`, if there is none."""
    from prefect.exceptions import ObjectNotFound

    try:
        found = await client.read_deployment_by_name(f"{OPTIMIZE.name}/{name}")
        if SCHEDULED in found.tags:
            return await _described(client, found)
    except ObjectNotFound:
        pass
    if must_exist:
        raise InvalidInput(f"there is no schedule {name!r}", hint="`trialflow schedule list` shows those there are")
    return None


async def switch(client: "PrefectClient", one: Scheduled, *, active: bool) -> None:
    """Pause it, or have it go on. Raises `InvalidInput` if its schedule was taken away elsewhere."""
    if one.schedule_id is None:
        raise InvalidInput(f"{one.name} has no times any more", hint="`trialflow schedule add` with the same name gives it some")
    await client.update_deployment_schedule(one.deployment_id, one.schedule_id, active=active)


async def run_now(client: "PrefectClient", one: Scheduled) -> "FlowRun":
    """Trigger it once, beside its schedule."""
    from prefect.deployments import arun_deployment

    return await arun_deployment(one.deployment_id, client=client, timeout=0, as_subflow=False)


async def remove(client: "PrefectClient", one: Scheduled) -> None:
    """Forget it. Its experiments stay, and so does a flow run that is at work."""
    await client.delete_deployment(one.deployment_id)


async def runs_of(client: "PrefectClient", deployment_id: "UUID", *, to_come: bool, limit: int) -> Sequence["FlowRun"]:
    """Its flow runs that are still to come, soonest first, or those that are not, latest first."""
    from prefect.client.schemas.filters import (
        DeploymentFilter,
        DeploymentFilterId,
        FlowRunFilter,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.client.schemas.sorting import FlowRunSort

    types = FlowRunFilterStateType(any_=[StateType.SCHEDULED]) if to_come else FlowRunFilterStateType(not_any_=[StateType.SCHEDULED])
    return await client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment_id])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=types)),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC if to_come else FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=limit,
    )


async def _described(client: "PrefectClient", one: "DeploymentResponse") -> Scheduled:
    times = next(iter(one.schedules), None)
    coming = await runs_of(client, one.id, to_come=True, limit=1)
    past = await runs_of(client, one.id, to_come=False, limit=1)
    return Scheduled(
        name=one.name,
        deployment_id=one.id,
        schedule_id=times.id if times else None,
        experiment=str((one.parameters.get("experiment") or {}).get("name") or ""),
        cron=str(getattr(times.schedule, "cron", times.schedule)) if times else "",
        timezone=str(getattr(times.schedule, "timezone", None) or "UTC") if times else "",
        is_active=bool(times and times.active and not one.paused),
        parameters=one.parameters,
        next=coming[0].expected_start_time if coming else None,
        last=past[0] if past else None,
    )
