"""Workers of an experiment: who works on it, each with a lease. No part of SigOpt's API; see `store/workers.py`.

A worker chooses a token of its own and sends `X-Trialflow-Worker: ID.TOKEN` with all that it writes.
"""

import json
import time
from typing import Any

from sqlalchemy import Connection

from trialflow.service import validation
from trialflow.service.errors import ApiError, BadRequest
from trialflow.service.requests import Call
from trialflow.service.store import experiments as experiment_store
from trialflow.service.store import workers as store
from trialflow.service.store.rows import Row
from trialflow.service.transport import Answer

LONGEST_LEASE = 3600.0
LARGEST_HOLDER = 2000
"""Characters of JSON."""
MOST_ADOPTED = 10_000
PATH = "/aiexperiments/{id}/workers"


async def create(call: Call) -> Answer:
    """POST /aiexperiments/{id}/workers: a lease for `seconds`; 409 if the experiment is held and it, or the lease asked for, is `exclusive`."""
    validation.known_keys(call.body, ("token", "holder", "exclusive", "seconds", "replaces", "object"))
    token, holder, exclusive = call.body.get("token"), call.body.get("holder"), call.body.get("exclusive", True)
    if not isinstance(token, str) or not 16 <= len(token) <= 200:
        raise BadRequest("Invalid value for .token: expected 16 to 200 characters")
    if not isinstance(holder, dict) or len(json.dumps(holder)) > LARGEST_HOLDER:
        raise BadRequest(f"Invalid value for .holder: expected an object of at most {LARGEST_HOLDER} characters")
    if not isinstance(exclusive, bool):
        raise BadRequest("Invalid type for .exclusive: expected true or false")
    seconds, replaces = _seconds(call), _ids(call, "replaces")

    def write(connection: Connection) -> Row:
        experiment = experiment_store.get(connection, call.path["id"], kind="ai")
        identifier, asked = experiment["id"], {"token": token, "holder": holder, "exclusive": exclusive, "seconds": seconds, "replaces": replaces}
        return store.claim(connection, identifier, **asked, moment=time.time())

    return _shown(await call.do(write))


async def list_(call: Call) -> Answer:
    """GET /aiexperiments/{id}/workers: those whose lease lives, oldest first, with how many training runs each has in flight."""

    def read(connection: Connection) -> list[dict[str, Any]]:
        experiment = experiment_store.get(connection, call.path["id"], kind="ai")
        counts, moment = store.in_flight(connection, experiment["id"]), time.time()
        rows = [row for row in store.of_experiment(connection, experiment["id"]) if row["expires"] > moment]
        return [{**_shown(row), "active_run_count": counts.get(row["id"], 0)} for row in rows]

    data = await call.do(read)
    return {"object": "pagination", "count": len(data), "data": data, "paging": {"before": None, "after": None}}


async def renew(call: Call) -> Answer:
    """PUT /aiexperiments/{id}/workers/{worker}: `seconds` more.

    The answer's `stop` says that the worker is to stop, its `stopped_runs` which of its training runs were ended by somebody else.
    """
    validation.known_keys(call.body, ("seconds", "object"))
    seconds, moment = _seconds(call), time.time()

    def write(connection: Connection) -> tuple[Row, list[int]]:
        row = store.renew(connection, _own(connection, call), seconds=seconds, moment=moment)
        return row, store.stopped_by_user(connection, row, moment=moment)

    row, stopped = await call.do(write)
    return {**_shown(row), "stopped_runs": [str(identifier) for identifier in stopped]}


async def delete(call: Call) -> Answer:
    """DELETE /aiexperiments/{id}/workers/{worker}: the worker has ended."""
    await call.do(lambda connection: store.release(connection, _own(connection, call)))
    return {}


async def adopt(call: Call) -> Answer:
    """POST /aiexperiments/{id}/workers/{worker}/adopt: take those of `training_runs` that no living worker executes, `replaces` being dead."""
    validation.known_keys(call.body, ("training_runs", "replaces", "object"))
    runs, replaces = _ids(call, "training_runs"), _ids(call, "replaces")
    mine = await call.do(lambda connection: store.adopt(connection, _own(connection, call), runs, replaces=replaces, moment=time.time()))
    return {"training_runs": [str(identifier) for identifier in mine]}


async def stop(call: Call) -> Answer:
    """POST /aiexperiments/{id}/workers/{worker}/stop: ask it to stop. It learns of that when it renews its lease."""
    validation.known_keys(call.body, ("object",))

    def write(connection: Connection) -> Row:
        experiment = experiment_store.get(connection, call.path["id"], kind="ai")
        return store.ask_to_stop(connection, experiment["id"], call.path["worker"])

    return _shown(await call.do(write))


def _own(connection: Connection, call: Call) -> Row:
    """The worker of the path, which the request is to be from."""
    if call.worker is None or call.worker[0] != call.path["worker"]:
        raise ApiError(403, "Only the worker itself may do this; send its X-Trialflow-Worker")
    row = store.check(connection, *call.worker)
    if str(row["experiment"]) != call.path["id"]:
        raise store.Replaced(row["id"])
    return row


def _seconds(call: Call) -> float:
    value = call.body.get("seconds", 60)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 1 <= value <= LONGEST_LEASE:
        raise BadRequest(f"Invalid value for .seconds: expected a number from 1 to {LONGEST_LEASE:g}")
    return float(value)


def _ids(call: Call, name: str) -> set[int]:
    value = call.body.get(name) or []
    if not isinstance(value, list) or len(value) > MOST_ADOPTED:
        raise BadRequest(f"Invalid value for .{name}: expected an array of at most {MOST_ADOPTED} ids")
    return {validation.integer(one, f".{name}") for one in value}


def _shown(row: Row) -> dict[str, Any]:
    left = max(0.0, row["expires"] - time.time())
    kept = {name: row[name] for name in ("holder", "exclusive", "stop", "created")}
    return {"object": "worker", "id": str(row["id"]), "experiment": str(row["experiment"]), **kept, "seconds_left": round(left, 1)}


ROUTES = [
    ("POST", PATH, create),
    ("GET", PATH, list_),
    ("PUT", PATH + "/{worker}", renew),
    ("DELETE", PATH + "/{worker}", delete),
    ("POST", PATH + "/{worker}/adopt", adopt),
    ("POST", PATH + "/{worker}/stop", stop),
]
