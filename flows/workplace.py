"""What every flow needs before it can begin: the service, the compute, the project and the folder, set up and given back."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tasks.compute import Compute
from tasks.experiments.address import connected
from tasks.experiments.claim import service_key
from tasks.experiments.client import ServiceClient
from tasks.local import LocalCompute
from tasks.projects import project_id
from tasks.training_runs import Bench
from trialflow.errors import InvalidInput
from trialflow.home import Home
from trialflow.specs import RunSpec


class Workplace:
    """An open service and compute with the facts of one flow; made by `workplace`."""

    def __init__(self, home: Home, client: ServiceClient, compute: Compute, bench: Bench) -> None:
        self.home = home
        self.client = client
        self.compute = compute
        self.bench = bench
        self.project = bench.project

    def require(self, experiment: Mapping[str, Any]) -> None:
        """Have every training run fail that does not log all metrics of this experiment."""
        self.bench.required = [metric["name"] for metric in experiment["metrics"]]


@asynccontextmanager
async def workplace(
    *, run: RunSpec, project: str | None, directory: str | None, service: str | None, source: Mapping[str, str] | None
) -> AsyncIterator[Workplace]:
    """Connect to the service and set up the compute. Raises `InvalidInput` before anything is started if the run cannot be executed."""
    folder = Path(directory or os.getcwd()).expanduser().absolute()
    if not folder.is_dir():
        raise InvalidInput(f"the folder {folder} that the model should run in does not exist")
    if not run.run:
        raise InvalidInput(
            "there is nothing to run",
            hint="give the command after `--`, as in `trialflow optimize -- python model.py`, or as `run:` in run.yml",
        )
    home = Home.from_environment()
    async with connected(home, service) as (client, token):
        named = project_id(project, folder)
        await client.ensure_project(named)
        root = home.make(home.training_runs) / service_key(home, client.url)
        compute = LocalCompute(root, api_url=client.url, api_token=token)
        bench = Bench(client=client, compute=compute, project=named, run=run, directory=folder, required=(), source=source or {})
        yield Workplace(home, client, compute, bench)
