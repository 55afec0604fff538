"""How far an experiment is."""

from sqlalchemy import Connection, func, select

from trialflow import api_types as api
from trialflow.service import serializers
from trialflow.service.store import best as best_store
from trialflow.service.store.known import costs_budget
from trialflow.service.store.observations import of_experiment
from trialflow.service.store.rows import Row, find
from trialflow.service.store.schema import observations, training_runs


def progress(connection: Connection, row: Row) -> api.Progress:
    """The progress of an experiment as the API shows it: training runs are counted (AI) or observations (core).

    Training runs that are known from elsewhere are not counted: they have cost no budget.
    """
    return _of_training_runs(connection, row) if row["kind"] == "ai" else _of_observations(connection, row)


def _of_training_runs(connection: Connection, row: Row) -> api.Progress:
    budget, runs = row["body"].get("budget"), training_runs.c
    of_it = costs_budget(row["id"])
    total, finished = connection.execute(select(func.count(), func.count(runs.completed)).where(of_it)).one()
    return {
        "object": "progress",
        "total_run_count": total,
        "finished_run_count": finished,
        "active_run_count": total - finished,
        "remaining_budget": None if budget is None else budget - total,
    }


def _of_observations(connection: Connection, row: Row) -> api.Progress:
    of_it = (observations.c.experiment == row["id"]) & observations.c.deleted.is_(False)
    count, first, last = connection.execute(select(func.count(), func.min(observations.c.id), func.max(observations.c.id)).where(of_it)).one()
    consumed = float(count)
    if row["body"].get("tasks"):
        consumed = float(sum((task or {}).get("cost", 1.0) for task in connection.execute(select(observations.c.task).where(of_it)).scalars()))
    is_single = sum(one.get("strategy") in (None, "optimize") for one in row["body"]["metrics"]) == 1
    best = best_store.observations_of(of_experiment(connection, row["id"]), row["body"])[:1] if is_single else []

    def shown(identifier: int | None) -> api.Observation | None:
        return None if identifier is None else serializers.observation(find(connection, observations, identifier))

    return {
        "object": "progress",
        "observation_count": count,
        "observation_budget": row["body"].get("budget"),
        "observation_budget_consumed": consumed,
        "first_observation": shown(first),
        "last_observation": shown(last),
        "best_observation": serializers.observation(best[0]) if best else None,
    }
