"""What a failure of the database means for whoever asked: try again, ask for something else, or a fault of ours. Pure."""

import logging
import sqlite3

from sqlalchemy.exc import DataError, DBAPIError, StatementError

from trialflow.service.errors import ApiError, BadRequest, Busy

logger = logging.getLogger(__name__)
PASSING_SQLITE = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_INTERRUPT,
        sqlite3.SQLITE_PROTOCOL,
    }
)
PASSING_STATES = ("08", "25006", "40", "53", "55", "57", "58")
"""Beginnings of PostgreSQL's SQLSTATEs: connections, a server that only reads, deadlocks, resources, locks, shutdown, the system."""
UNSTORABLE = "The request holds a value that the database cannot store"


def explained(error: Exception) -> Exception:
    """The error to raise in the place of `error`: `Busy` if the database may take it in a moment, `BadRequest` if it never will.

    No answer repeats what the database said: it may quote SQL or values. The log has it. Anything else is a fault and comes back as it is.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, StatementError) and isinstance(error.orig, ApiError):
        return error.orig
    cause = error.orig if isinstance(error, StatementError) else error
    if isinstance(error, DBAPIError) and is_passing(error):
        logger.warning("the database failed: %s", cause)
        return Busy("The database is busy, full or not reachable now; the service's log has the reason")
    if isinstance(error, DataError) or isinstance(cause, OverflowError | UnicodeError):
        logger.warning("the database refused a value: %s", cause)
        return BadRequest(UNSTORABLE)
    return error


def is_passing(error: DBAPIError) -> bool:
    """Whether the same statement may succeed in a moment."""
    cause = error.orig
    if (code := getattr(cause, "sqlite_errorcode", None)) is not None:
        return code & 0xFF in PASSING_SQLITE
    state = getattr(cause, "sqlstate", None)
    if state is None:  # no answer from the server at all, or none that arrived
        return error.connection_invalidated or type(cause).__name__ in ("OperationalError", "InterfaceError")
    return state.startswith(PASSING_STATES)
