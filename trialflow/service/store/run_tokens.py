"""Tokens for models: each is good for one training run, until that ends or is deleted.

A token belongs to an attempt, and one for a later attempt ends those of the earlier: an attempt that was lost may not be dead but cut off, and must
not write beside its successor. Of a token only a digest is kept.
"""

import secrets

from sqlalchemy import Connection, delete, select

from trialflow.service.errors import Forbidden
from trialflow.service.store.rows import Row, add, find, now
from trialflow.service.store.schema import run_tokens, training_runs
from trialflow.service.store.workers import digest
from trialflow.service.tokens import RunToken, unknown_token


def issue(connection: Connection, identifier: str, attempt: int) -> tuple[Row, RunToken]:
    """A new token for an attempt of a training run, and the training run. Those of earlier attempts are no longer accepted."""
    row = find(connection, training_runs, identifier)
    token = RunToken(row["id"], secrets.token_urlsafe(24))
    connection.execute(delete(run_tokens).where((run_tokens.c.training_run == row["id"]) & (run_tokens.c.attempt < attempt)))
    add(connection, run_tokens, {"training_run": row["id"], "attempt": attempt, "token": digest(token.secret), "created": now()})
    return row, token


def check(connection: Connection, token: RunToken) -> Row:
    """The training run that a token is good for. Raises a 403 for a token that is not known, or no longer good."""
    is_it = (run_tokens.c.training_run == token.training_run) & (run_tokens.c.token == digest(token.secret))
    if connection.execute(select(run_tokens.c.id).where(is_it)).first() is None:
        raise unknown_token()
    row = find(connection, training_runs, token.training_run)
    if row["completed"] is not None or row["deleted"]:
        raise Forbidden(f"Training run {row['id']} {'was deleted' if row['deleted'] else 'has ended'}, and its token with it")
    return row
