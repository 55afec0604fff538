"""A Prefect server for the tests of a module, empty at first."""

import os
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module")
def prefect_server() -> Iterator[None]:
    """This process is pointed at it; afterwards the environment is as it was."""
    from prefect.testing.utilities import prefect_test_harness

    before = dict(os.environ)
    with prefect_test_harness(server_startup_timeout=240):
        yield
    os.environ.clear()
    os.environ.update(before)
