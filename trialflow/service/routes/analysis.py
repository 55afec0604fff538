"""What follows from an experiment's observations: the best assignments, whether to stop, and what the models believe."""

from typing import Any

from sqlalchemy import Connection

from trialflow.service import serializers, stopping
from trialflow.service.paging import Paging
from trialflow.service.requests import Call
from trialflow.service.store import best as best_store
from trialflow.service.store import experiments as store
from trialflow.service.store import observations as observation_store
from trialflow.service.store.rows import Row
from trialflow.service.transport import Answer


def _read(connection: Connection, call: Call) -> tuple[Row, list[Row]]:
    experiment = store.get(connection, call.path["experiment"])
    return experiment, observation_store.of_experiment(connection, experiment["id"])


async def _of(call: Call) -> tuple[Row, list[Row]]:
    """The experiment of the path and its observations, oldest first."""
    return await call.do(lambda connection: _read(connection, call))


async def best_assignments(call: Call) -> Answer:
    """GET /experiments/{experiment}/best_assignments: one, a front, all that satisfy the constraints, or several solutions."""
    experiment, rows = await _of(call)
    best = best_store.observations_of(rows, experiment["body"], with_solutions=True)
    if best and (experiment["body"].get("num_solutions") or 1) > 1:
        best = [best[rank] for rank in await call.service.suggester.ask("diverse", experiment["body"], [row["assignments"] for row in best])]
    page, markers = Paging.of(call.query).cut(best[::-1])
    return serializers.pagination([serializers.best_assignments(row) for row in page], count=len(best), **markers)


async def stopping_criteria(call: Call) -> Answer:
    """GET /experiments/{experiment}/stopping_criteria."""
    experiment, rows = await _of(call)
    consumed = sum((row["task"] or {}).get("cost", 1.0) for row in rows)
    reasons = stopping.stopping_reasons(experiment["body"], rows, consumed=consumed)
    return {"object": "stopping_criteria", "should_stop": bool(reasons), "reasons": reasons}


async def metric_importances(call: Call) -> Answer:
    """GET .../metric_importances: how much each metric depends on each parameter."""
    experiment, rows = await _of(call)
    found = await call.service.suggester.ask("importances", experiment["body"], rows)
    return _by_metric([{"object": "metric_importances", "metric": metric, "importances": shares} for metric, shares in found.items()])


async def beliefs(call: Call) -> Answer:
    """GET .../beliefs: what the models say; not a path of SigOpt's."""
    experiment, rows = await _of(call)
    found = await call.service.suggester.ask("beliefs", experiment["body"], rows)
    return _by_metric([{"object": "belief", "metric": metric, **one} for metric, one in found.items()])


def _by_metric(data: list[dict[str, Any]]) -> Answer:
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
