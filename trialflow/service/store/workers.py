"""Who works on an experiment: each worker holds a lease that it renews, and proves with a token that the lease is still its own.

A lease that has expired is kept until somebody takes its place. From then on nothing that its worker writes is accepted: it may not be dead but cut
off, and must not write beside its successor. Moments are epoch seconds.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, delete, func, select, update

from trialflow.metadata_keys import REASON, STOPPED_BY_USER
from trialflow.results.spending import dollars, max_cost_of, spent, uses_in
from trialflow.service.errors import ApiError, NotFound
from trialflow.service.store.known import costs_budget
from trialflow.service.store.rows import Row, add, change, find
from trialflow.service.store.schema import experiments, training_runs, workers

RECENT_SECONDS = 600
"""For so long a worker is told which of its training runs were ended, whenever it renews its lease."""


class Occupied(ApiError):
    """Another worker holds the experiment (409)."""

    def __init__(self, experiment: int) -> None:
        super().__init__(409, f"Experiment {experiment} is being worked on; its workers say by whom")


class Replaced(ApiError):
    """The worker's lease has expired or was ended, and another worker may have taken its place (412)."""

    def __init__(self, worker: object) -> None:
        super().__init__(412, f"Worker {worker} no longer holds its experiment")


class BudgetTaken(ApiError):
    """Every unit of the budget is spent or in flight (409)."""

    def __init__(self, experiment: Row) -> None:
        super().__init__(409, f"The budget of {experiment['body']['budget']} training runs of experiment {experiment['id']} is spent or in flight")


class CostReached(ApiError):
    """The training runs of an experiment, of all its workers together, have cost what they may (409)."""

    def __init__(self, experiment: Row, cost: float, most: float) -> None:
        super().__init__(409, f"The training runs of experiment {experiment['id']} have cost about {dollars(cost)}, and its max_cost is {most:g}")


def claim(
    connection: Connection,
    experiment: int,
    *,
    token: str,
    holder: Mapping[str, Any],
    exclusive: bool,
    seconds: float,
    replaces: Collection[int],
    moment: float,
) -> Row:
    """A lease for a new worker, in the place of those that have expired and of `replaces`. The same token again gives the same lease.

    Raises `Occupied` if another worker's lease lives and either is exclusive.
    """
    found = of_experiment(connection, experiment)
    if own := next((row for row in found if row["token"] == digest(token)), None):
        change(connection, workers, own["id"], {"expires": moment + seconds})
        return {**own, "expires": moment + seconds}
    gone = [row["id"] for row in found if row["id"] in replaces or row["expires"] <= moment]
    living = [row for row in found if row["id"] not in gone]
    if exclusive and living:
        raise Occupied(experiment)
    _end(connection, gone)
    row: Row = {
        "experiment": experiment,
        "token": digest(token),
        "holder": dict(holder),
        "exclusive": exclusive,
        "stop": False,
        "created": int(moment),
        "expires": moment + seconds,
    }
    return {"id": add(connection, workers, row), **row}


def check(connection: Connection, identifier: str | int, token: str) -> Row:
    """The worker with this id. Raises `Replaced` if it is gone or the token is another's."""
    try:
        row = find(connection, workers, identifier)
    except NotFound:
        raise Replaced(str(identifier)[:20]) from None
    if row["token"] != digest(token):
        raise Replaced(row["id"])
    return row


def renew(connection: Connection, row: Row, *, seconds: float, moment: float) -> Row:
    """The lease, good for `seconds` from this `moment`."""
    values = {"expires": moment + seconds}
    change(connection, workers, row["id"], values)
    return {**row, **values}


def release(connection: Connection, row: Row) -> None:
    """End a lease. Training runs that it leaves active are anybody's."""
    _end(connection, [row["id"]])


def ask_to_stop(connection: Connection, experiment: int, identifier: str) -> Row:
    """Have a worker told, when it renews its lease, that it is to stop."""
    row = find(connection, workers, identifier)
    if row["experiment"] != experiment:
        raise NotFound("worker", identifier)
    change(connection, workers, row["id"], {"stop": True})
    return {**row, "stop": True}


def stopped_by_user(connection: Connection, row: Row, *, moment: float) -> list[int]:
    """The training runs of this worker that somebody has ended in the service within the last minutes: it may still execute them."""
    columns = training_runs.c
    recent = (columns.experiment == row["experiment"]) & (columns.worker == row["id"]) & (columns.completed >= int(moment) - RECENT_SECONDS)
    ended = connection.execute(select(columns.id, columns.data).where(recent & (columns.state == "failed")).order_by(columns.id)).all()
    return [identifier for identifier, data in ended if data["dev_metadata"].get(REASON) == STOPPED_BY_USER]


def executes(connection: Connection, training_run: Row, *, moment: float) -> bool:
    """Whether a living worker executes this training run, and would learn that somebody has ended it."""
    if training_run["completed"] is not None or training_run["worker"] is None:
        return False
    columns = workers.c
    living = select(columns.id).where((columns.id == training_run["worker"]) & (columns.expires > moment))
    return connection.execute(living).first() is not None


def adopt(connection: Connection, row: Row, runs: Collection[int], *, replaces: Collection[int] = (), moment: float) -> list[int]:
    """Give the worker those of these active training runs that no living worker executes; `replaces` are known to be dead.

    Returns which of them it executes now, oldest first.
    """
    found = of_experiment(connection, row["experiment"])
    gone = [one["id"] for one in found if one["id"] != row["id"] and (one["expires"] <= moment or one["id"] in replaces)]
    _end(connection, gone)
    living = {one["id"] for one in found} - set(gone)
    columns = training_runs.c
    is_active = (columns.experiment == row["experiment"]) & columns.completed.is_(None) & columns.deleted.is_(False)
    query = select(columns.id, columns.worker).where(is_active & columns.id.in_(list(runs))).order_by(columns.id)
    active = connection.execute(query).all()
    mine = [identifier for identifier, worker in active if worker == row["id"] or worker not in living]
    connection.execute(update(training_runs).where(columns.id.in_(mine)).values(worker=row["id"]))
    return mine


def of_experiment(connection: Connection, experiment: int) -> list[Row]:
    """All leases of an experiment, expired ones too, oldest first."""
    query = select(workers).where(workers.c.experiment == experiment).order_by(workers.c.id)
    return [dict(row) for row in connection.execute(query).mappings()]


def in_flight(connection: Connection, experiment: int) -> dict[int | None, int]:
    """How many training runs of the experiment are active, for each worker; None for those that no worker executes."""
    columns = training_runs.c
    is_active = (columns.experiment == experiment) & columns.completed.is_(None) & columns.deleted.is_(False)
    counted = select(columns.worker, func.count()).where(is_active).group_by(columns.worker)
    return {worker: count for worker, count in connection.execute(counted).all()}


def check_budget(connection: Connection, identifier: int) -> None:
    """Raise `BudgetTaken` or `CostReached` unless one more training run of the experiment may start."""
    experiment = find(connection, experiments, identifier)
    _check_cost(connection, experiment)
    if (budget := experiment["body"].get("budget")) is None:
        return
    if connection.execute(select(func.count()).where(costs_budget(experiment["id"]))).scalar_one() >= budget:
        raise BudgetTaken(experiment)


def digest(token: str) -> str:
    """What is kept of a token: who reads the database, or a copy of it, cannot write in a worker's name."""
    return sha256(token.encode()).hexdigest()


def _end(connection: Connection, identifiers: Collection[int]) -> None:
    connection.execute(delete(workers).where(workers.c.id.in_(list(identifiers))))


def _check_cost(connection: Connection, experiment: Row) -> None:
    if (most := max_cost_of(experiment["body"])) is None:
        return
    columns = training_runs.c
    ended = (columns.experiment == experiment["id"]) & columns.deleted.is_(False)
    cost = spent(use for (kept,) in connection.execute(select(columns.data["dev_metadata"]).where(ended)) for use in uses_in(kept or {}))
    if cost is not None and cost >= most:
        raise CostReached(experiment, cost, most)
