"""Who works on an experiment, as leases; and which of them executes a training run."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table and the column."""
    op.create_table(
        "workers",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("experiment", ID, nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("holder", sa.JSON(), nullable=False),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.Column("stop", sa.Boolean(), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("workers_by_experiment", "workers", ["experiment"])
    op.add_column("training_runs", sa.Column("worker", ID, nullable=True))
