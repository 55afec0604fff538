"""A cluster as a place for training runs: what all its scopes have in common, and the compute for each."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tasks.compute import ComputeUnavailable, IssueToken, Scope
from tasks.experiments.client import ServiceUnavailable
from tasks.images.facts import ImageFacts
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.jobs.compute import KubernetesCompute
from tasks.kubernetes.jobs.experiment_objects import delete_objects
from tasks.kubernetes.jobs.pod_template import pod_template
from trialflow.specs import RunSpec


@dataclass(frozen=True)
class KubernetesComputes:
    """A cluster that has been found fit for run.yml and its image. See `tasks.compute.Computes`.

    `root` holds what is kept on this machine. `issue` gives each attempt a token, for pods that reach the service; `keys` are secrets of the model.
    `flow_run` is the id of the Prefect flow run that this is for. `on_trouble` gets a sentence when the cluster stops answering.
    """

    connection: Connection
    cluster: Cluster
    run: RunSpec
    image: ImageFacts
    root: Path
    issue: IssueToken
    keys: Mapping[str, str] = field(default_factory=dict, repr=False)
    flow_run: str | None = None
    on_trouble: Callable[[str], None] = lambda text: None

    @property
    def has_prices(self) -> bool:
        """See `Computes.has_prices`."""
        return bool(self.cluster.prices)

    @asynccontextmanager
    async def open(self, scope: Scope) -> AsyncIterator[KubernetesCompute]:
        """See `Computes.open`."""
        template = pod_template(self.run, self.image, self.cluster, uid=scope.uid, has_keys=bool(self.keys), flow_run=self.flow_run)
        more = {"scope": scope, "keys": self.keys, "issue": self.issue, "prices": self.cluster.prices, "on_trouble": self.on_trouble}
        async with KubernetesCompute(self.connection, template, self.root, cluster=self.cluster.name, **more) as compute:
            try:
                yield compute
            except (ServiceUnavailable, ComputeUnavailable):
                raise
            except BaseException:
                await compute.close()
                raise
            await compute.close()

    async def sweep(self, uid: str) -> None:
        """See `Computes.sweep`."""
        await delete_objects(self.connection, uid)
