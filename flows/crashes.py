"""Experiments whose flow run has crashed: what one goes on with, which flow run does so, and those with which none does.

An automation has an experiment go on as soon as its flow run has crashed. A Prefect server that is busy or restarts in that moment may not act on it,
though, so each worker of trialflow's looks every minute, and the janitor whenever it comes.
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from trialflow.metadata_keys import EXPERIMENT_TAG
from trialflow.specs import command_of

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

FLOW = "optimize"
"""The flow of experiments."""
HEARTBEAT_SECONDS = 30
"""How often a flow run of `trialflow up` says that it is at work (PREFECT_FLOWS_HEARTBEAT_FREQUENCY)."""
_SAME = {
    name: f"flow_run.parameters.{name} | default(none)" for name in ("experiment", "project", "directory", "service", "source", "cluster", "aws")
}
_RUN = "flow_run.parameters.run"
_CHANGED = {
    # An older version gave the command as a list, or none; today it is a text, and a JSON list is one.
    "run": f"dict({_RUN} | default({{}}, true), run={_RUN}.run if {_RUN}.run is string else {_RUN}.run | default([], true) | tojson)",
    # `new` would start another experiment, with a budget of its own. It waits where the other one is at work after all: a Prefect server that was
    # away has heard nothing of it.
    "options": "dict(flow_run.parameters.options | default({}, true), new=false, when_busy='wait')",
}
PARAMETERS = {name: f"{{{{ ({value}) | tojson }}}}" for name, value in (_SAME | _CHANGED).items()}
"""What an experiment goes on with: the parameters of the flow run that crashed, each as a Jinja template that becomes JSON. One not given is null."""
SAME = ("experiment", "run", "project", "directory", "cluster")
"""The parameters that make it the same work."""
LIMIT = 200
PATIENCE = timedelta(seconds=100)
"""After so long the automation has acted, if it does."""
OLD = timedelta(hours=6)
"""A crash so long ago was left alone for a reason."""


def goes_on_with(crashed: "FlowRun", other: "FlowRun") -> bool:
    """Whether `other` goes on with the experiment of a flow run that has crashed. Pure."""
    if other.id == crashed.id:
        return other.state is not None and not other.state.is_crashed()
    if other.auto_scheduled or other.created is None or other.created < begin_of(crashed):
        return False
    if other.state is not None and other.state.is_final() and other.state.timestamp < crash_of(crashed):
        return False
    known, found = experiment_of(crashed), experiment_of(other)
    if known and found:
        return known == found
    return _work(crashed.parameters) == _work(other.parameters)


def crash_of(crashed: "FlowRun") -> datetime:
    """When it crashed, as it was said last: a worker may say it again of a flow run that an automation has called crashed before."""
    assert crashed.state is not None
    return crashed.state.timestamp


def begin_of(crashed: "FlowRun") -> datetime:
    """When it began, or was made."""
    return crashed.start_time or crashed.created or crash_of(crashed)


def experiment_of(flow_run: "FlowRun") -> str | None:
    """The id of the experiment that a flow run has found, by its tag; None if it has found none yet."""
    return next((tag.removeprefix(EXPERIMENT_TAG) for tag in flow_run.tags if tag.startswith(EXPERIMENT_TAG)), None)


def is_due(crashed: "FlowRun", now: datetime) -> bool:
    """Whether something should have gone on with it by now. One that crashes before it was at work would only crash again. Pure."""
    if crashed.state is None or not crashed.state.is_crashed() or crashed.start_time is None:
        return False
    has_worked = crash_of(crashed) - crashed.start_time >= timedelta(seconds=HEARTBEAT_SECONDS)
    return has_worked and PATIENCE <= now - crash_of(crashed) <= OLD


def parameters_again(crashed: "FlowRun") -> dict[str, Any]:
    """What the experiment goes on with, as the automation has it. Pure."""
    from jinja2 import ChainableUndefined, Environment

    environment = Environment(undefined=ChainableUndefined)
    found = {name: json.loads(environment.from_string(template).render(flow_run=crashed)) for name, template in PARAMETERS.items()}
    return {name: value for name, value in found.items() if value is not None}


def _work(parameters: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: parameters[name] for name in SAME if parameters.get(name) is not None}
    run = found.get("run", {})
    return {**found, "run": {**run, "run": command_of(run.get("run"))}}  # an older version wrote the same command in another way


async def find_successor(client: "PrefectClient", crashed: "FlowRun") -> "FlowRun | None":
    """The flow run that goes on with the experiment of this one; None if there is none so far."""
    from prefect.client.schemas.filters import FlowFilter, FlowFilterId, FlowRunFilter, FlowRunFilterExpectedStartTime
    from prefect.client.schemas.sorting import FlowRunSort

    now = await client.read_flow_run(crashed.id)
    if goes_on_with(crashed, now):
        return now
    since = FlowRunFilterExpectedStartTime(after_=begin_of(crashed))  # type: ignore[arg-type] - it takes a datetime
    found = await client.read_flow_runs(
        flow_filter=FlowFilter(id=FlowFilterId(any_=[crashed.flow_id])),
        flow_run_filter=FlowRunFilter(expected_start_time=since),
        sort=FlowRunSort.EXPECTED_START_TIME_DESC,
        limit=LIMIT,
    )
    return next((one for one in found if goes_on_with(crashed, one)), None)


async def resume_forgotten(client: "PrefectClient", now: datetime) -> list[str]:
    """Trigger each experiment again that has crashed and that nothing goes on with, once however many look. Says so in a sentence each.

    It is the same deployment that is triggered, a schedule's for one: it has the pool and the image of that flow run. One without a deployment was in
    a command's own process, and is left to whoever typed that.
    """
    from prefect.client.schemas.filters import (
        FlowFilter,
        FlowFilterName,
        FlowRunFilter,
        FlowRunFilterEndTime,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType
    from prefect.exceptions import ObjectNotFound, PrefectHTTPStatusError

    wanted = FlowRunFilter(
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.CRASHED])),
        end_time=FlowRunFilterEndTime(after_=now - OLD),  # type: ignore[arg-type] - it takes a datetime
    )
    experiments = FlowFilter(name=FlowFilterName(any_=[FLOW]))
    told = []
    for one in await client.read_flow_runs(flow_filter=experiments, flow_run_filter=wanted, limit=LIMIT):
        if one.deployment_id and is_due(one, now) and await find_successor(client, one) is None:
            try:
                again = await client.create_flow_run_from_deployment(
                    one.deployment_id,
                    parameters=parameters_again(one),
                    idempotency_key=f"{one.id} crashed {crash_of(one).isoformat()}",
                    work_queue_name=one.work_queue_name,
                )
            except ObjectNotFound:  # the schedule was removed
                continue
            except PrefectHTTPStatusError as error:  # its schema is an older version's: the others are triggered all the same
                told.append(f"flow run {one.name} has crashed, and Prefect's server refuses another one: {error}")
                continue
            told.append(f"flow run {one.name} has crashed, and nothing went on with its experiment: flow run {again.name} does")
    return told
