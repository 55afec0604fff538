"""What every flow needs before it can begin: the service, the place of training runs, the project and the folder, set up and given back."""

import os
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from flows.cancelling import stopping_in_order
from flows.cluster import Ground, OnCluster, ground
from tasks.compute import model_keys
from tasks.experiments.address import open_service
from tasks.experiments.client import ServiceClient
from tasks.experiments.ownership import service_key
from tasks.kubernetes.jobs.experiment_objects import delete_belongings
from tasks.local import LocalCompute
from tasks.projects import project_id
from tasks.training_runs import Bench
from trialflow.errors import InvalidInput
from trialflow.home import Home
from trialflow.specs import RunSpec


class Workplace:
    """An open service and the place where training runs execute, with the facts of one flow; made by `workplace`."""

    def __init__(
        self,
        home: Home,
        client: ServiceClient,
        token: str,
        *,
        project: str,
        run: RunSpec,
        directory: Path,
        source: Mapping[str, str],
        ground: Ground | None,
    ) -> None:
        self.home = home
        self.client = client
        self.project = project
        self._token = token
        self._run = run
        self._directory = directory
        self._source = source
        self._ground = ground

    async def sweep(self, uid: str | None) -> None:
        """Delete what a flow that was killed in its last moment may have left of the finished experiment `uid`."""
        if self._ground is not None and uid:
            await delete_belongings(self._ground.connection, uid)

    @asynccontextmanager
    async def bench(
        self, *, uid: str, experiment_id: str | None = None, training_run_id: str | None = None, required: tuple[str, ...] = ()
    ) -> AsyncIterator[Bench]:
        """The bench for the experiment, or the training run by itself, that is called `uid`. Each has to log all metrics that are `required`."""
        root = self.home.make(self.home.training_runs) / service_key(self.home, self.client.url)
        async with AsyncExitStack() as held:
            if self._ground is None:
                compute = LocalCompute(root, api_url=self.client.url, api_token=self._token, keys=model_keys.get() or {})
            else:
                owner = {"experiment_id": experiment_id, "training_run_id": training_run_id}
                computing = self._ground.computing(root, uid=uid, **owner, token=self._token)
                compute = await held.enter_async_context(computing)
            yield Bench(
                client=self.client,
                compute=compute,
                project=self.project,
                run=self._run,
                directory=self._directory,
                required=required,
                source=self._source,
            )


@asynccontextmanager
async def workplace(
    *,
    run: RunSpec,
    project: str | None,
    directory: str | None,
    service: str | None,
    source: Mapping[str, str] | None,
    cluster: OnCluster | None = None,
) -> AsyncIterator[Workplace]:
    """Connect to the service and to the cluster, if one is meant. Raises errors for people before anything is started if it cannot be executed."""
    folder = Path(directory or os.getcwd()).expanduser().absolute()
    if not folder.is_dir():
        raise InvalidInput(f"the folder {folder} that the model should run in does not exist")
    if not run.run and cluster is None:
        raise InvalidInput(
            "there is nothing to run",
            hint="give the command after `--`, as in `trialflow optimize -- python model.py`, or as `run:` in run.yml",
        )
    home = Home.from_environment()
    async with AsyncExitStack() as held:
        await held.enter_async_context(stopping_in_order())
        client, token = await held.enter_async_context(open_service(home, service))
        named = project_id(project, folder)
        found = await held.enter_async_context(ground(cluster, run, folder)) if cluster else None
        await client.ensure_project(named)
        yield Workplace(home, client, token, project=named, run=run, directory=folder, source=source or {}, ground=found)
