"""What a failure of the database is answered with: 429 only for what passes, 400 for a value, and never SQL."""

import sqlite3

import psycopg
import pytest
from sqlalchemy.exc import DataError, DBAPIError, InterfaceError, OperationalError, ProgrammingError, StatementError

from trialflow.service.errors import ApiError, BadRequest, Busy, NotFound
from trialflow.service.store.failures import explained

SQL = "SELECT secret FROM training_runs"


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError(f"failed at {SQL}")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (OperationalError(SQL, {}, sqlite_error(sqlite3.SQLITE_BUSY)), 429),
        (OperationalError(SQL, {}, sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT)), 429),
        (OperationalError(SQL, {}, sqlite_error(sqlite3.SQLITE_FULL)), 429),
        (OperationalError(SQL, {}, sqlite_error(sqlite3.SQLITE_IOERR)), 429),
        (OperationalError(SQL, {}, sqlite_error(sqlite3.SQLITE_READONLY)), 429),
        (OperationalError(SQL, {}, psycopg.OperationalError("server closed the connection unexpectedly")), 429),
        (InterfaceError(SQL, {}, psycopg.InterfaceError("the connection is closed")), 429),
        (OperationalError(SQL, {}, psycopg.errors.DiskFull(SQL)), 429),
        (OperationalError(SQL, {}, psycopg.errors.AdminShutdown(SQL)), 429),
        (OperationalError(SQL, {}, psycopg.errors.DeadlockDetected(SQL)), 429),
        (DBAPIError(SQL, {}, psycopg.errors.ReadOnlySqlTransaction(SQL)), 429),
        (DataError(SQL, {}, psycopg.errors.NumericValueOutOfRange(SQL)), 400),
        (DataError(SQL, {}, psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")), 400),
        (OverflowError("Python int too large to convert to SQLite INTEGER"), 400),
        (UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"), 400),
        (StatementError("bind", SQL, {}, BadRequest("it is too much")), 400),
        (NotFound("training run", 3), 404),
    ],
)
def test_a_failure_has_the_status_of_its_kind_and_quotes_no_sql(error: Exception, status: int) -> None:
    answer = explained(error)
    assert isinstance(answer, ApiError) and answer.status == status
    assert "SELECT" not in answer.message


@pytest.mark.parametrize(
    "error",
    [OperationalError(SQL, {}, sqlite_error(sqlite3.SQLITE_ERROR)), ProgrammingError(SQL, {}, psycopg.errors.UndefinedTable(SQL)), KeyError("x")],
)
def test_a_fault_of_ours_is_no_reason_to_try_again(error: Exception) -> None:
    assert not isinstance(explained(error), ApiError)


def test_busy_survives_pickling_with_its_message() -> None:
    import pickle

    for error in (Busy("later"), BadRequest("no")):
        again = pickle.loads(pickle.dumps(error))
        assert (again.status, again.message) == (error.status, error.message)
