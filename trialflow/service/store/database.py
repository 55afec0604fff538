"""The database behind the service: opened by URL, brought to this version's tables, refused if a newer version made it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.schema import CreateSchema

from trialflow.errors import InvalidInput, TrialflowError
from trialflow.service.errors import BadRequest
from trialflow.service.migrations import HEAD

MIGRATIONS = Path(__file__).parent.parent / "migrations"
BUSY_SECONDS = 5.0
LARGEST_OBJECT = 1 << 20
"""Bytes that one training run, experiment or observation may hold."""


class Database:
    """One database, ready for use. `url` is SQLAlchemy's; `sqlite:///PATH` and `postgresql+psycopg://...` are supported.

    Raises `InvalidInput` for a URL of another kind and `TrialflowError` if it cannot be opened or a newer version made it; it is left as it was.
    """

    def __init__(self, url: str) -> None:
        try:
            self.url = make_url(url)
        except ArgumentError as error:
            raise InvalidInput(f"{url!r} is no database URL", hint="use postgresql+psycopg://user:password@host/name") from error
        if self.url.drivername == "postgresql":
            self.url = self.url.set(drivername="postgresql+psycopg")
        if self.url.get_backend_name() not in ("sqlite", "postgresql"):
            raise InvalidInput(f"{self.url.get_backend_name()} databases are not supported", hint="use SQLite or PostgreSQL")
        self.engine = _engine(self.url.render_as_string(hide_password=False))
        try:
            self._migrate()
        except DBAPIError as error:
            self.engine.dispose()
            raise TrialflowError(f"the database {self.name} could not be opened: {error.orig}") from error
        except BaseException:
            self.engine.dispose()
            raise

    @property
    def name(self) -> str:
        """The database for a message, without its password."""
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction."""
        with self.engine.begin() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()

    def _migrate(self) -> None:
        with self.engine.connect() as connection:
            has_tables = inspect(connection).has_table("alembic_version")
            current = connection.scalar(text("SELECT version_num FROM alembic_version")) if has_tables else None
        if current == HEAD:
            return
        # Imported only now: Alembic is a third of the service's imports, and most starts find nothing to do.
        from alembic import command
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        known = {revision.revision for revision in ScriptDirectory.from_config(config).walk_revisions()}
        if current is not None and current not in known:
            raise TrialflowError(
                f"the database {self.name} was made by a newer trialflow (its version is {current}, this one knows {HEAD})",
                hint="update trialflow; nothing was changed",
            )
        with self.engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_size=2, max_overflow=2, pool_pre_ping=True, json_serializer=bounded_json)
    engine = create_engine(url, connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS}, json_serializer=bounded_json)

    @event.listens_for(engine, "connect")
    def set_up(connection, record) -> None:  # noqa: ANN001
        connection.isolation_level = None  # SQLAlchemy's BEGIN below, not the driver's own
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        # A killed process loses nothing that was answered; a power cut may lose the last moments, never the database.
        cursor.execute("PRAGMA synchronous=NORMAL")
        cursor.execute("PRAGMA temp_store=MEMORY")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection) -> None:  # noqa: ANN001
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine


def bounded_json(value: Any) -> str:
    """The JSON that a column holds. Raises `BadRequest` if one object would hold too much, or a number that JSON does not have."""
    try:
        text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    except ValueError:
        raise BadRequest("Infinity and NaN are not numbers that can be stored") from None
    if len(text) > LARGEST_OBJECT:
        raise BadRequest(f"This would hold {len(text)} bytes; at most {LARGEST_OBJECT} are allowed, logs, metadata and source code included")
    return text


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file, which is made readable by the user alone."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    return f"sqlite:///{path}"


def make_schema(url: str, name: str) -> None:
    """Make a schema in a PostgreSQL database, unless it is there. Raises `TrialflowError`."""
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            if not inspect(connection).has_schema(name):
                connection.execute(CreateSchema(name, if_not_exists=True))
    except DBAPIError as error:
        shown = engine.url.render_as_string(hide_password=True)
        hint = "the database has to be there and to answer, and its user needs the right to create in it"
        raise TrialflowError(f"the database {shown} could not be opened: {error.orig}", hint=hint) from error
    finally:
        engine.dispose()
