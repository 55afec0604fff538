"""The tables. Times are epoch seconds; ids count up and are shown as decimal strings; JSON holds what is only ever read whole."""

from sqlalchemy import JSON, BigInteger, Boolean, Column, Float, Index, Integer, MetaData, String, Table, Text

metadata = MetaData()
Id = BigInteger().with_variant(Integer, "sqlite")


def _id() -> Column:
    return Column("id", Id, primary_key=True, autoincrement=True)


projects = Table(
    "projects",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("name", String(100), nullable=False),
    Column("created", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("metadata", JSON, nullable=True),
)

experiments = Table(
    "experiments",
    metadata,
    _id(),
    Column("project", String(32), nullable=True),
    Column("kind", String(8), nullable=False),  # ai or core
    Column("name", String(100), nullable=False),
    Column("body", JSON, nullable=False),  # as validated, in the API's own form
    Column("state", String(8), nullable=False),  # active or deleted
    Column("created", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("history", Integer, nullable=False, default=0),  # counts changes to what was observed before
    Index("experiments_by_project", "project", "kind", "state"),
    sqlite_autoincrement=True,
)

training_runs = Table(
    "training_runs",
    metadata,
    _id(),
    Column("project", String(32), nullable=False),
    Column("experiment", Id, nullable=True),
    Column("name", String(100), nullable=False),
    Column("state", String(10), nullable=False),
    Column("created", Integer, nullable=False),
    Column("updated", Integer, nullable=False),
    Column("completed", Integer, nullable=True),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("suggestion", Id, nullable=True),
    Column("observation", Id, nullable=True),
    Column("checkpoint_count", Integer, nullable=False, default=0),
    Column("worker", Id, nullable=True),  # which of the experiment's workers executes it
    Column("data", JSON, nullable=False),
    Index("training_runs_by_experiment", "experiment", "deleted", "completed"),
    Index("training_runs_by_project", "project", "id"),
    Index("training_runs_by_name", "name"),
    sqlite_autoincrement=True,
)

suggestions = Table(
    "suggestions",
    metadata,
    _id(),
    Column("experiment", Id, nullable=False),
    Column("training_run", Id, nullable=True),
    Column("assignments", JSON, nullable=False),
    Column("state", String(8), nullable=False),  # open or closed
    Column("method", String(40), nullable=False),
    Column("created", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("metadata", JSON, nullable=True),
    Column("task", JSON, nullable=True),
    Index("suggestions_by_experiment", "experiment", "deleted", "state"),
    sqlite_autoincrement=True,
)

workers = Table(
    "workers",
    metadata,
    _id(),
    Column("experiment", Id, nullable=False),
    Column("token", String(64), nullable=False),  # a digest of it
    Column("holder", JSON, nullable=False),
    Column("exclusive", Boolean, nullable=False),
    Column("stop", Boolean, nullable=False, default=False),
    Column("created", Integer, nullable=False),
    Column("expires", Float, nullable=False),
    Index("workers_by_experiment", "experiment"),
    sqlite_autoincrement=True,
)

run_tokens = Table(
    "run_tokens",
    metadata,
    _id(),
    Column("training_run", Id, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("token", String(64), nullable=False),  # a digest of its secret
    Column("created", Integer, nullable=False),
    Index("run_tokens_by_run", "training_run"),
    sqlite_autoincrement=True,
)

queued_suggestions = Table(
    "queued_suggestions",
    metadata,
    _id(),
    Column("experiment", Id, nullable=False),
    Column("assignments", JSON, nullable=False),
    Column("created", Integer, nullable=False),
    Column("task", JSON, nullable=True),
    Index("queued_by_experiment", "experiment"),
    sqlite_autoincrement=True,
)

observations = Table(
    "observations",
    metadata,
    _id(),
    Column("experiment", Id, nullable=False),
    Column("suggestion", Id, nullable=True),
    Column("training_run", Id, nullable=True),
    Column("assignments", JSON, nullable=False),
    Column("values", JSON, nullable=False),  # [{name, value, value_stddev}]
    Column("failed", Boolean, nullable=False),
    Column("created", Integer, nullable=False),
    Column("deleted", Boolean, nullable=False, default=False),
    Column("metadata", JSON, nullable=True),
    Column("task", JSON, nullable=True),
    Index("observations_by_experiment", "experiment", "deleted", "id"),
    sqlite_autoincrement=True,
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _id(),
    Column("training_run", Id, nullable=False),
    Column("values", JSON, nullable=False),
    Column("metadata", JSON, nullable=True),
    Column("created", Integer, nullable=False),
    Index("checkpoints_by_run", "training_run", "id"),
    sqlite_autoincrement=True,
)

files = Table(
    "files",
    metadata,
    _id(),
    Column("training_run", Id, nullable=False),
    Column("name", String(100), nullable=True),
    Column("filename", Text, nullable=True),
    Column("content_type", Text, nullable=False),
    Column("content_length", Integer, nullable=False),
    Column("content_md5", String(32), nullable=False),
    Column("created", Float, nullable=False),
    Column("uploaded", Boolean, nullable=False, default=False),
    Index("files_by_run", "training_run"),
    sqlite_autoincrement=True,
)
