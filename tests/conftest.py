"""Shared by all tests: one thread for linear algebra, as in the service; none of the user's own settings; fixtures of several suites."""

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
for _name in ("PREFECT_API_URL", "PREFECT_API_AUTH_STRING", "SIGOPT_API_URL", "SIGOPT_API_TOKEN", "SIGOPT_PROJECT"):
    os.environ.pop(_name, None)

pytest_plugins = [
    "tests.browser",
    "tests.prefect_database",
    "tests.temporary_prefect",
    "tests.e2e.users",
    "tests.e2e.clusters",
    "tests.e2e.deployed",
    "tests.chaos.nodes",
    "tests.images.registries",
]
