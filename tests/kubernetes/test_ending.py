"""How an attempt ended is told from its pod by conditions and by the launcher's word, never by wording."""

import json
from typing import Any

import pytest

from tasks.compute import Exit
from tasks.kubernetes.jobs.ending import exit_of, has_ended, told_values

DISRUPTED = {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}


def pod(
    state: dict[str, Any] | None = None,
    *,
    conditions: list[dict[str, Any]] | None = None,
    deleted: bool = False,
    phase: str = "Running",
    limit: int | None = None,
    **status: Any,
) -> dict[str, Any]:
    metadata = {"name": "p", **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleted else {})}
    statuses = [{"name": "sidecar", "state": {"running": {}}}, *([{"name": "model", "state": state}] if state else [])]
    status = {"phase": phase, "conditions": conditions or [], "containerStatuses": statuses, **status}
    environment = [{"name": "TRIALFLOW_TIMEOUT", "value": str(limit)}] if limit else []
    return {"metadata": metadata, "spec": {"nodeName": "n1", "containers": [{"name": "model", "env": environment}]}, "status": status}


def ended(code: int, facts: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    message = json.dumps({"trialflow": {"facts": facts, "number": 1, "values": {"y": 2.0}}}) if facts is not None else more.pop("message", "")
    return {"terminated": {"exitCode": code, "message": message, "containerID": "c", **more}}


RUNNING = {"running": {}}
NINE_SECONDS = {"startedAt": "2026-01-01T00:00:00Z", "finishedAt": "2026-01-01T00:00:09Z"}


@pytest.mark.parametrize(
    ("given", "options", "expected"),
    [
        (pod(RUNNING), {}, None),
        (pod(RUNNING, deleted=True), {}, None),
        (pod(RUNNING, deleted=True), {"is_node_gone": True}, {"lost": "its node n1 is gone"}),
        (pod(RUNNING), {"is_gone": True}, {"lost": "its pod was deleted"}),
        (pod(RUNNING, conditions=[DISRUPTED]), {"is_gone": True}, {"lost": "it was evicted from node n1"}),
        (pod(ended(0, {"code": 0})), {}, {"code": 0}),
        (pod(ended(3, {"code": 3})), {}, {"code": 3}),
        (pod(ended(0, {"code": 0}), deleted=True), {"is_gone": True}, {"code": 0}),
        (pod(ended(137, {"signal": 9, "out_of_memory": True})), {}, {"signal": 9, "out_of_memory": True}),
        (pod(ended(1, {"code": 1}), conditions=[DISRUPTED]), {}, {"code": 1}),
        (pod(ended(143, {"signal": 15, "stopped": True}), conditions=[DISRUPTED]), {}, {"lost": "it was evicted from node n1"}),
        (pod(ended(143, {"signal": 15, "stopped": True}), deleted=True), {}, {"lost": "its pod was deleted"}),
        (pod(ended(143, {"signal": 15, "stopped": True})), {}, {"lost": "its launcher was asked to end"}),
        (pod(ended(127, {"problem": "x could not be started"})), {}, {"problem": "x could not be started"}),
        (pod(ended(143, {"signal": 15, "timed_out": True})), {}, {"signal": 15, "timed_out": True}),
        (pod(ended(137, reason="OOMKilled")), {}, {"code": 137, "out_of_memory": True}),
        (pod(ended(137, reason="Error")), {}, {"lost": "its launcher was killed"}),
        (pod(ended(137, reason="Error")), {"has_launcher": False}, {"code": 137}),
        (pod(ended(2, reason="Error")), {"has_launcher": False}, {"code": 2}),
        (pod(ended(137, reason="ContainerStatusUnknown")), {"has_launcher": False}, {"lost": "its node n1 lost sight of it"}),
        (pod(ended(128, reason="StartError", message='exec: "x": not found')), {}, {"problem": 'exec: "x": not found'}),
        (
            pod(ended(128, reason="StartError", message="failed to create shim task: context canceled: unknown")),
            {},
            {"lost": "its node n1 broke off while it started the container: failed to create shim task: context canceled: unknown"},
        ),
        (pod(ended(137, reason="Error"), reason="DeadlineExceeded"), {"has_launcher": False}, {"timed_out": True}),
        (pod(ended(124, **NINE_SECONDS), limit=10), {"has_launcher": False}, {"timed_out": True}),
        (pod(ended(137, **NINE_SECONDS), limit=10), {}, {"timed_out": True}),
        (pod(ended(137, **NINE_SECONDS), limit=20), {}, {"lost": "its launcher was killed"}),
        (pod(ended(124, **NINE_SECONDS), limit=20), {"has_launcher": False}, {"code": 124}),
        (pod(ended(124, **NINE_SECONDS)), {"has_launcher": False}, {"code": 124}),
        (pod(phase="Failed", reason="UnexpectedAdmissionError", message="no room"), {}, {"lost": "no room"}),
    ],
)
def test_the_end_of_an_attempt(given: dict[str, Any], options: dict[str, Any], expected: dict[str, Any] | None) -> None:
    found = exit_of(given, **options)
    if expected is None:
        assert found is None
        return
    assert found is not None
    for name in ("code", "signal", "out_of_memory", "timed_out", "stopped", "lost", "problem"):
        default = getattr(Exit(), name)
        if name == "code" and expected.get("timed_out"):
            continue
        assert getattr(found, name) == expected.get(name, default), name


def test_the_last_values_are_in_the_termination_message() -> None:
    assert told_values(pod(ended(0, {"code": 0}))) == {"y": 2.0}
    assert told_values(pod(ended(0, message='{"trialflow": broken'))) == {}


def test_only_kubernetes_knows_of_an_end() -> None:
    assert [has_ended(one) for one in ({}, pod(RUNNING), pod(ended(0)))] == [False, False, True]
