"""The database of a Prefect server after its first start, which takes twenty seconds of a processor: so it starts once for all tests."""

import fcntl
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from trialflow.embedded import lease, prefect_server
from trialflow.home import Home

DATABASE, BLOCK_TYPES = "prefect.db", "block-types.json"


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Callable[[Path], Path]:
    """Give a folder that a Prefect server will have as its PREFECT_HOME such a database, without any flow run; returns the folder."""
    # pytest-xdist's workers have folders of their own below that of the session.
    shared = tmp_path_factory.getbasetemp() if worker_id == "master" else tmp_path_factory.getbasetemp().parent
    first = Home(shared / "first-start")

    def place(folder: Path) -> Path:
        with (shared / "first-start.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (shared / DATABASE).exists():
                with (
                    lease(prefect_server(first)),
                    closing(sqlite3.connect(first.prefect / DATABASE)) as database,
                    closing(sqlite3.connect(shared / DATABASE)) as copy,
                ):
                    database.backup(copy)
        for one in (folder.parent, folder):
            one.mkdir(mode=0o700, parents=True, exist_ok=True)
        for source in (shared / DATABASE, first.prefect / BLOCK_TYPES):
            shutil.copyfile(source, folder / source.name)
            (folder / source.name).chmod(0o600)
        return folder

    return place
