"""Whether the database in a home has the block types of Prefect and its integrations already.

When its server starts, Prefect imports all integrations to find out. That is a quarter of the start, and the answer changes only with their versions.
"""

import json
from collections.abc import Mapping
from importlib.metadata import entry_points, version
from pathlib import Path

from trialflow.home import Home

LEFT_OUT = {"PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false", "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false"}
"""With these, the server neither imports integrations nor registers their block types."""


def registration_settings(home: Home) -> Mapping[str, str]:
    """Settings of a server over the database of `home`: none if it has to register block types, as always in a database that others can empty."""
    known = _note(home)
    if home.database_url() or not (home.prefect / "prefect.db").exists() or not known.exists():
        return {}
    return LEFT_OUT if known.read_text() == _versions() else {}


def note_registration(home: Home) -> None:
    """A server over the database of `home` has started, so the block types of the versions that are installed are there."""
    if not home.database_url():
        _note(home).write_text(_versions())


def _note(home: Home) -> Path:
    return home.prefect / "block-types.json"


def _versions() -> str:
    """What decides which block types there are, as text."""
    packages = {one.dist.name: one.dist.version for one in entry_points(group="prefect.collections") if one.dist is not None}
    return json.dumps({"prefect": version("prefect"), **dict(sorted(packages.items()))}, indent=2)
