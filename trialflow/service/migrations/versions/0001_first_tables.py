"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Create everything."""
    op.create_table(
        "checkpoints",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("training_run", ID, nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=True),
        sa.Column("created", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("checkpoints_by_run", "checkpoints", ["training_run", "id"])
    op.create_table(
        "experiments",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("project", sa.String(32), nullable=True),
        sa.Column("kind", sa.String(8), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("body", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("history", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("experiments_by_project", "experiments", ["project", "kind", "state"])
    op.create_table(
        "files",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("training_run", ID, nullable=False),
        sa.Column("name", sa.String(100), nullable=True),
        sa.Column("filename", sa.Text(), nullable=True),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("content_length", sa.Integer(), nullable=False),
        sa.Column("content_md5", sa.String(32), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("uploaded", sa.Boolean(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("files_by_run", "files", ["training_run"])
    op.create_table(
        "observations",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("experiment", ID, nullable=False),
        sa.Column("suggestion", ID, nullable=True),
        sa.Column("training_run", ID, nullable=True),
        sa.Column("assignments", sa.JSON(), nullable=False),
        sa.Column("values", sa.JSON(), nullable=False),
        sa.Column("failed", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=True),
        sa.Column("task", sa.JSON(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("observations_by_experiment", "observations", ["experiment", "deleted", "id"])
    op.create_table(
        "projects",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=True),
    )
    op.create_table(
        "queued_suggestions",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("experiment", ID, nullable=False),
        sa.Column("assignments", sa.JSON(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("task", sa.JSON(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("queued_by_experiment", "queued_suggestions", ["experiment"])
    op.create_table(
        "suggestions",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("experiment", ID, nullable=False),
        sa.Column("training_run", ID, nullable=True),
        sa.Column("assignments", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("method", sa.String(40), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("metadata", sa.JSON(), nullable=True),
        sa.Column("task", sa.JSON(), nullable=True),
        sqlite_autoincrement=True,
    )
    op.create_index("suggestions_by_experiment", "suggestions", ["experiment", "deleted", "state"])
    op.create_table(
        "training_runs",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("project", sa.String(32), nullable=False),
        sa.Column("experiment", ID, nullable=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("updated", sa.Integer(), nullable=False),
        sa.Column("completed", sa.Integer(), nullable=True),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("suggestion", ID, nullable=True),
        sa.Column("observation", ID, nullable=True),
        sa.Column("checkpoint_count", sa.Integer(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("training_runs_by_experiment", "training_runs", ["experiment", "deleted", "completed"])
    op.create_index("training_runs_by_name", "training_runs", ["name"])
    op.create_index("training_runs_by_project", "training_runs", ["project", "id"])
