"""Which flow run goes on with a crashed experiment, and which crashed ones are triggered again because none does."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun
from prefect.states import AwaitingRetry, Crashed, Failed, Running, Scheduled
from prefect.utilities.schema_tools import validate
from prefect.utilities.schema_tools.hydration import HydrationContext, hydrate
from pydantic import TypeAdapter

from deployments.automations import automations
from deployments.declared import OPTIMIZE
from deployments.registration import ensure_pool, load, register_deployment
from deployments.schedules import add, deployments_of_schedules, times
from flows import crashes
from flows.crashes import HEARTBEAT_SECONDS, OLD, PARAMETERS, PATIENCE, goes_on_with, is_due, parameters_again, resume_forgotten
from flows.janitor import janitor
from tests.deployments.test_declared import GOOD, schema_named
from trialflow.specs import FlowRunSpec, parameter_of

CRASH = datetime(2026, 1, 1, tzinfo=UTC)
WORK = {"experiment": {"name": "e"}, "run": {"run": "true"}, "project": "p", "directory": "/m"}
FLOW = uuid4()
FLOW_RUN = TypeAdapter(FlowRunSpec)


def flow_run(state: Any, *, after: float, identifier: UUID | None = None, **fields: Any) -> FlowRun:
    fields = {"parameters": WORK, **fields}
    return FlowRun(id=identifier or uuid4(), flow_id=FLOW, state=state, created=CRASH + timedelta(seconds=after), **fields)


CRASHED = flow_run(Crashed(timestamp=CRASH), after=-100, tags=["experiment:12"])
REPEATED = {name: WORK.get(name) for name in PARAMETERS} | {"options": {"new": False}}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (flow_run(Scheduled(), after=1, parameters=REPEATED), True),  # as the automation triggers it
        (flow_run(Running(), after=1, parameters=REPEATED, tags=["experiment:12"]), True),
        (flow_run(Running(), after=1, parameters=REPEATED, tags=["experiment:13"]), False),  # the same files, begun anew
        (flow_run(Scheduled(), after=1, parameters={**REPEATED, "directory": "/other"}), False),
        (flow_run(Running(), after=-150, parameters=REPEATED), False),  # had begun before
        (flow_run(Scheduled(), after=-5, parameters=REPEATED), True),  # a worker says again what an automation has found
        (flow_run(Failed(timestamp=CRASH - timedelta(seconds=40)), after=-50, parameters=REPEATED), False),  # gave up, as the other was at work
        (flow_run(Scheduled(), after=1, parameters=REPEATED, auto_scheduled=True), False),  # the next run of a schedule
        (flow_run(AwaitingRetry(), after=-100, identifier=CRASHED.id), True),  # taken up by a worker, or retried
        (CRASHED, False),
    ],
)
def test_an_experiment_goes_on_with_what_was_triggered_for_it_after_the_crash(other: FlowRun, expected: bool) -> None:
    assert goes_on_with(CRASHED, other) is expected


@pytest.mark.parametrize(
    ("worked", "ago", "due"),
    [
        (timedelta(hours=1), PATIENCE, True),
        (timedelta(hours=1), OLD, True),
        (timedelta(hours=1), PATIENCE - timedelta(seconds=1), False),  # the automation may still act
        (timedelta(hours=1), OLD + timedelta(seconds=1), False),
        (timedelta(seconds=HEARTBEAT_SECONDS - 1), PATIENCE, False),  # it would only crash again
        (None, PATIENCE, False),
    ],
)
def test_a_crash_is_due_once_the_automation_should_have_acted_and_until_it_is_an_old_story(
    worked: timedelta | None, ago: timedelta, due: bool
) -> None:
    crashed = flow_run(Crashed(timestamp=CRASH), after=-7200, start_time=None if worked is None else CRASH - worked)
    assert is_due(crashed, CRASH + ago) is due


REFERENCE = {"$ref": {"block_document_id": "0f8fad5b-d9cb-469f-a165-70867728950e"}}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"options": None, "cluster": None, "no_parameter_of_ours": 1},
        {"options": {"new": True, "learn": True, "when_busy": "fail"}},
        {"cluster": {"name": REFERENCE}, "service": REFERENCE},
        {"run": {"run": "a '\"b\"' <&> {{ c }}\n", "env": {"A": "1"}}},
        {"run": {"run": ["python", "ä'<&>"], "image": "i"}},  # this and the next two: as older versions wrote it
        {"run": {"run": None, "image": "i"}},
        {"run": {"image": "i"}},
    ],
)
def test_automation_and_worker_trigger_the_same_again_in_the_form_of_today_and_begin_nothing_anew(given: dict[str, Any]) -> None:
    before = {**WORK, "experiment": GOOD, **given}
    crashed = flow_run(Crashed(timestamp=CRASH), after=-100, parameters=before)
    again = parameters_again(crashed)
    for name in PARAMETERS.keys() - {"run", "options"}:
        assert again.get(name) == before.get(name)
    assert again["options"] == {**(before.get("options") or {}), "new": False, "when_busy": "wait"}
    assert again["run"] == {**before["run"], "run": again["run"]["run"]}
    assert FLOW_RUN.validate_python(again["run"]) == FLOW_RUN.validate_python(before["run"])
    assert again["run"]["run"] == before["run"].get("run") or not isinstance(before["run"].get("run"), str)
    context = HydrationContext(render_jinja=True, jinja_context={"flow_run": crashed}, raise_on_error=True)
    by_automation = hydrate(automations(uuid4())[1].actions[0].parameters, context)
    assert by_automation == dict.fromkeys(PARAMETERS) | again
    validate(by_automation, schema_named("optimize"), raise_on_error=True)
    typed_again = parameter_of(FLOW_RUN.validate_python(before["run"]))
    for other in (by_automation, again, {**again, "run": typed_again}):
        assert goes_on_with(crashed, flow_run(Scheduled(), after=1, parameters=other))


def test_crashes_are_looked_for_among_the_flow_runs_of_experiments() -> None:
    assert load(OPTIMIZE.entrypoint).name == crashes.FLOW


@pytest.mark.slow
@pytest.mark.usefixtures("prefect_server")
async def test_what_no_automation_has_gone_on_with_is_triggered_once_by_all_workers_together_also_after_an_update(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(crashes, "HEARTBEAT_SECONDS", 0)  # the server says itself when a state began: now
    async with get_client() as client:
        older = await client.create_deployment(await client.create_flow_from_name("optimize"), "optimize", enforce_parameter_schema=False)

        async def crash(name: str, command: list[str] | str | None, deployment: UUID = older) -> None:
            given = {"experiment": {**GOOD, "name": name}, "run": {"run": command, "image": "i"}, "directory": "/m"}
            made = await client.create_flow_run_from_deployment(deployment, parameters=given, name=name)
            for state in (Running(), Crashed()):
                await client.set_flow_run_state(made.id, state, force=True)

        await crash("a list", ["sh", "-c", "true"])
        await crash("none", None)
        await ensure_pool(client)
        assert await register_deployment(client, OPTIMIZE) == older
        now = datetime.now(UTC)
        assert await resume_forgotten(client, now) == []
        assert len(await resume_forgotten(client, now + PATIENCE)) == 2
        assert await resume_forgotten(client, now + PATIENCE) == []
        again = {one.parameters["experiment"]["name"]: one for one in await client.read_flow_runs() if one.name not in ("a list", "none")}
        assert {name: one.parameters["run"] for name, one in again.items()} == {
            "a list": {"run": '["sh", "-c", "true"]', "image": "i"},
            "none": {"run": "[]", "image": "i"},
        }
        monkeypatch.setattr(crashes, "PATIENCE", timedelta(0))
        await crash("a text", "true")
        assert [(await janitor())["experiments"] for _ in range(2)] == [1, 0], "the janitor looks too, for pools without our workers"
        assert await add(client, "nightly", times("0 2 * * *", "UTC"), parameters={})
        (scheduled,) = await deployments_of_schedules(client)
        await crash("of a schedule", "true", scheduled.id)
        assert len(await resume_forgotten(client, datetime.now(UTC))) == 1
        runs = [one for one in await client.read_flow_runs() if one.deployment_id == scheduled.id and not one.auto_scheduled]
        assert [one.parameters["experiment"]["name"] for one in runs] == 2 * ["of a schedule"]
        flow = await client.create_flow_from_name("optimize")
        await crash("of another version", "true", await client.create_deployment(flow, "other", enforce_parameter_schema=False))
        schema = {"type": "object", "properties": {"unknown": {"type": "string"}}, "required": ["unknown"]}
        await client.create_deployment(flow, "other", parameter_openapi_schema=schema, enforce_parameter_schema=True)
        await crash("of this version", "true")
        told = await resume_forgotten(client, datetime.now(UTC))
        assert sorted("refuses" in sentence for sentence in told) == [False, True], "one that is refused keeps no other from going on"
