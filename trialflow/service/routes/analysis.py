"""What follows from an experiment's observations: the best assignments, whether to stop, and what the models believe."""

from typing import Any

from sqlalchemy import Connection

from trialflow.service import serializers, stopping
from trialflow.service.store import experiments as store
from trialflow.service.store import observations as observation_store
from trialflow.service.store.rows import Row
from trialflow.service.transport import Answer, Call


def _read(connection: Connection, call: Call) -> tuple[Row, list[Row]]:
    experiment = store.get(connection, call.path["experiment"])
    return experiment, observation_store.of_experiment(connection, experiment["id"])


async def _of(call: Call) -> tuple[Row, list[Row]]:
    """The experiment of the path and its observations, oldest first."""
    return await call.service.store.do(lambda connection: _read(connection, call))


async def best_assignments(call: Call) -> Answer:
    """GET /experiments/{experiment}/best_assignments: one, a front, all that satisfy the constraints, or several solutions."""
    experiment, rows = await _of(call)
    if (experiment["body"].get("num_solutions") or 1) > 1:
        good = observation_store.good(rows, experiment["body"])
        places = await call.service.advisor.ask("different", experiment["body"], [row["assignments"] for row in good]) if good else []
        found = [good[place] for place in places]
    else:
        found = observation_store.best(rows, experiment["body"])
    return serializers.pagination([serializers.best_assignments(row) for row in found], count=len(found))


async def stopping_criteria(call: Call) -> Answer:
    """GET /experiments/{experiment}/stopping_criteria."""
    experiment, rows = await _of(call)
    consumed = sum((row["task"] or {}).get("cost", 1.0) for row in rows)
    reasons = stopping.reasons(experiment["body"], rows, consumed=consumed)
    return {"object": "stopping_criteria", "should_stop": bool(reasons), "reasons": reasons}


async def metric_importances(call: Call) -> Answer:
    """GET .../metric_importances: how much each metric depends on each parameter."""
    experiment, rows = await _of(call)
    found = await call.service.advisor.ask("importances", experiment["body"], rows)
    return _by_metric([{"object": "metric_importances", "metric": metric, "importances": shares} for metric, shares in found.items()])


async def beliefs(call: Call) -> Answer:
    """GET .../beliefs: what the models say; not a path of SigOpt's."""
    experiment, rows = await _of(call)
    found = await call.service.advisor.ask("beliefs", experiment["body"], rows)
    return _by_metric([{"object": "belief", "metric": metric, **one} for metric, one in found.items()])


def _by_metric(data: list[dict[str, Any]]) -> dict[str, Any]:
    return serializers.pagination(sorted(data, key=lambda one: one["metric"]), count=len(data))


ROUTES = [
    ("GET", "/experiments/{experiment}/best_assignments", best_assignments),
    ("GET", "/experiments/{experiment}/stopping_criteria", stopping_criteria),
    *[
        ("GET", f"/{kind}/{{experiment}}/{name}", endpoint)
        for kind in ("experiments", "aiexperiments")
        for name, endpoint in (("metric_importances", metric_importances), ("beliefs", beliefs))
    ],
]
