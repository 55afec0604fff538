"""Tokens that are each good for one training run."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "run_tokens",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column("training_run", ID, nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("created", sa.Integer(), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("run_tokens_by_run", "run_tokens", ["training_run"])
