"""Automations for flow runs that nobody is at work on any more: one calls them crashed, one has an experiment go on.

A process that is killed together with its worker says nothing, and Prefect would call its flow run running for ever.
"""

import json
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from deployments.declared import OPTIMIZE, TAG
from flows.crashes import PARAMETERS

if TYPE_CHECKING:
    from uuid import UUID

    from prefect.client.orchestration import PrefectClient
    from prefect.events.schemas.automations import AutomationCore

HEARTBEAT = "prefect.flow-run.heartbeat"
SILENT = timedelta(seconds=90)
ENDS = frozenset(f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Crashed", "Paused", "Suspended", "AwaitingRetry"))
LOST, RESUMED = "trialflow: a flow run that is silent has crashed", "trialflow: an experiment whose flow run crashed goes on"
PAUSE = timedelta(seconds=20)
REMEMBERED = timedelta(days=30)
"""How long Prefect remembers a heartbeat: it forgets at once without it, and no crash would follow one."""


async def ensure_automations(client: "PrefectClient") -> None:
    """Make both, or bring them up to date. One that somebody has switched off stays off.

    One that is up to date is left alone: a change has Prefect forget what the automation was waiting for, and a worker that starts again after it was
    killed together with its flow run would hide that flow run for ever.
    """
    deployment = await client.read_deployment_by_name(OPTIMIZE.full_name)
    for wanted in map(marked, automations(deployment.id)):
        found = await client.read_automations_by_name(wanted.name)
        if not found:
            await client.create_automation(wanted)
            continue
        kept, *doubles = found
        if set(wanted.tags) != set(kept.tags):
            await client.update_automation(kept.id, wanted.model_copy(update={"enabled": kept.enabled}))
        for one in doubles:
            await client.delete_automation(one.id)


def marked(one: "AutomationCore") -> "AutomationCore":
    """The same automation with a tag that says what it does: the server gives back more fields than it was given, which cannot be compared."""
    fields = one.model_dump(mode="json", exclude={"trigger": {"id"}, "tags": True, "enabled": True})
    digest = sha256(json.dumps(_in_order(fields), sort_keys=True).encode()).hexdigest()[:12]
    return one.model_copy(update={"tags": [*one.tags, f"{TAG}:{digest}"]})


def _in_order(node: Any) -> Any:
    """The same with names in order: sets come in another one each time."""
    if isinstance(node, dict):
        return {name: _in_order(value) for name, value in node.items()}
    if isinstance(node, list):
        return sorted(node) if all(isinstance(one, str) for one in node) else [_in_order(one) for one in node]
    return node


def automations(optimize: "UUID") -> list["AutomationCore"]:
    """Both automations; `optimize` is the deployment that an experiment goes on with."""
    from prefect.client.schemas.objects import StateType
    from prefect.events.actions import ChangeFlowRunState, RunDeployment
    from prefect.events.schemas.automations import AutomationCore, EventTrigger, Posture

    ours: dict[str, Any] = {"prefect.resource.id": f"prefect.tag.{TAG}", "prefect.resource.role": "tag"}
    lost = AutomationCore(
        name=LOST,
        description="Its process and its worker were killed, or the machine stopped. Models may still run: the next flow run adopts them.",
        tags=[TAG],
        trigger=EventTrigger(  # type: ignore[call-arg]
            match_related=ours,  # type: ignore[arg-type]
            after={HEARTBEAT},
            expect={HEARTBEAT, *ENDS},
            for_each={"prefect.resource.id"},
            posture=Posture.Proactive,
            within=SILENT,
        ),
        actions=[ChangeFlowRunState(name=None, state=StateType.CRASHED, message="nothing was heard of it for 90 s", force=False)],
    )
    resumed = AutomationCore(
        name=RESUMED,
        description="The same parameters again: the experiment resumes where it stopped, and adopts training runs that still run.",
        tags=[TAG],
        trigger=EventTrigger(  # type: ignore[call-arg]
            match={"prefect.resource.id": "prefect.flow-run.*", "prefect.resource.name": "optimize *"},  # type: ignore[arg-type]
            match_related=ours,  # type: ignore[arg-type]
            # One that crashes before it was at work would only crash again.
            after={HEARTBEAT},
            expect={"prefect.flow-run.Crashed"},
            for_each={"prefect.resource.id"},
            posture=Posture.Reactive,
            threshold=1,
            within=REMEMBERED,
        ),
        actions=[
            RunDeployment(
                source="selected",
                deployment_id=optimize,
                parameters={name: _filled_in(template) for name, template in PARAMETERS.items()},
                job_variables=None,
                schedule_after=PAUSE,
            )
        ],
    )
    return [lost, resumed]


def _filled_in(template: str) -> dict[str, Any]:
    """A parameter that Prefect's server fills in."""
    return {"__prefect_kind": "json", "value": {"__prefect_kind": "jinja", "template": template}}
