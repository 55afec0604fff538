"""The steps from one version of the tables to the next, for Alembic."""

HEAD = "0003"
"""The newest version: the last file in `versions`."""
