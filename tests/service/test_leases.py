"""Leases in the store, with a clock that is passed in."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from trialflow.service.store import workers
from trialflow.service.store.database import Database, sqlite_url


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[Connection]:
    database = Database(sqlite_url(tmp_path / "store.db"))
    with database.transaction() as connection:
        yield connection
    database.close()


def claim(connection: Connection, token: str, moment: float, *, exclusive: bool = True) -> dict:
    return workers.claim(connection, 1, token=token, holder={}, exclusive=exclusive, seconds=60, replaces=(), moment=moment)


def test_a_lease_that_is_renewed_lives_and_one_that_is_not_is_replaced(connection: Connection) -> None:
    first = claim(connection, "a", 1000)
    with pytest.raises(workers.Occupied):
        claim(connection, "b", 1059)
    workers.renew(connection, first, seconds=60, moment=1050)
    with pytest.raises(workers.Occupied):
        claim(connection, "b", 1109)
    claim(connection, "b", 1110)
    with pytest.raises(workers.Replaced):
        workers.check(connection, first["id"], "a")


def test_an_expired_lease_is_its_own_until_somebody_takes_its_place(connection: Connection) -> None:
    first = claim(connection, "a", 1000)
    assert workers.check(connection, first["id"], "a")["id"] == first["id"]
    assert workers.renew(connection, first, seconds=60, moment=2000)["expires"] == 2060


def test_a_worker_that_joins_replaces_the_expired_and_nobody_else(connection: Connection) -> None:
    first, second = claim(connection, "a", 1000), claim(connection, "b", 1030, exclusive=False)
    claim(connection, "c", 1070, exclusive=False)
    assert [row["token"] for row in workers.of_experiment(connection, 1)] == [workers.digest("b"), workers.digest("c")]
    assert workers.check(connection, second["id"], "b")
    with pytest.raises(workers.Replaced):
        workers.check(connection, first["id"], "a")
