"""Training runs as Jobs of a cluster: launch or adopt, follow, stop, discard."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.compute import Attempt, Exit, IssueToken, Report, Scope
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterError, ClusterRefused, Exists, Missing
from tasks.kubernetes.client.labels import TRAINING_RUN, WORK
from tasks.kubernetes.client.requests import ask, listed
from tasks.kubernetes.jobs import ending
from tasks.kubernetes.jobs.experiment_objects import delete_objects, ensure_objects, owner_labels
from tasks.kubernetes.jobs.following import Following
from tasks.kubernetes.jobs.log_folder import KeptFolder
from tasks.kubernetes.jobs.node_use import NodePrices
from tasks.kubernetes.jobs.pod_template import MODE, MODES, PodTemplate, job, job_name
from tasks.kubernetes.jobs.run_secret import delete_token, ensure_token
from tasks.kubernetes.jobs.starting import wants_next_mode
from tasks.kubernetes.jobs.watching import PodWatch
from trialflow.results.spending import NodeUse

GONE_SECONDS = 15.0


class KubernetesCompute:
    """Executes training runs as Jobs. One for all training runs of an experiment, or for one by itself: `template.uid` is what they have in common.

    Open while it is used (`async with`). `root` holds what is kept on this machine: `ROOT/<training run>/<attempt>/log`. `keys` are secrets that the
    pods get; `issue` gives each attempt a token, if they reach the service; `cluster` is what the user calls the cluster. `close` deletes everything
    of the experiment from the cluster; without it what runs goes on and is adopted by the next compute.
    """

    def __init__(
        self,
        connection: Connection,
        template: PodTemplate,
        root: Path,
        *,
        scope: Scope | None = None,
        keys: Mapping[str, str] | None = None,
        issue: IssueToken | None = None,
        prices: Mapping[str, float] | None = None,
        cluster: str | None = None,
        clock: Callable[[], float] = time.time,
        on_trouble: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.connection = connection
        self.template = template
        self.root = root
        self._owner = owner_labels(scope or Scope(template.uid))
        self._keys = dict(keys or {})
        self._issue = issue if template.api_url else None
        self._watch = PodWatch(connection, {WORK: template.uid}, on_trouble=on_trouble)
        self._jobs = f"/apis/batch/v1/namespaces/{connection.namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{connection.namespace}/pods"
        self._mode = 0
        self._prices = NodePrices(connection, prices or {})
        self._cluster = cluster
        self._clock = clock
        self._later: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()  # the Jobs whose launcher said that the model has ended: Kubernetes says it a little later

    async def __aenter__(self) -> "KubernetesCompute":
        self._objects = await ensure_objects(self.connection, self.template.uid, owner=self._owner, keys=self._keys)
        await self._watch.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._later, return_exceptions=True)
        await self._watch.__aexit__()

    def folder(self, attempt: Attempt) -> KeptFolder:
        """What is kept here of an attempt, whether it exists or not."""
        return KeptFolder(self.root / attempt.training_run_id / str(attempt.number))

    async def launch(self, attempt: Attempt) -> None:
        """Create the attempt's Job, or find that it is there. Raises `ClusterError`, of which `ClusterUnavailable` is worth trying again."""
        if self.folder(attempt).was_stopped():
            return
        name = job_name(attempt)
        if self._issue is not None:
            await ensure_token(self.connection, attempt, self.template.uid, self._objects, self._issue)
        manifest = job(attempt, self.template, MODES[self._mode])
        try:
            await ask(self.connection, "POST", self._jobs, what=f"create Job {name}", query={"fieldValidation": "Strict"}, body=manifest)
        except Exists:
            found = await ask(self.connection, "GET", f"{self._jobs}/{name}", what=f"adopt Job {name}")
            if (found["metadata"].get("labels") or {}).get(TRAINING_RUN) != attempt.training_run_id:
                raise ClusterRefused(
                    f"the cluster has a Job {name} already, and it is not of training run {attempt.training_run_id}",
                    hint=f"`trialflow cluster kubectl -- delete job {name}` if nobody needs it",
                ) from None

    async def follow(
        self,
        attempt: Attempt,
        *,
        on_reports: Callable[[Sequence[Report]], Awaitable[None]],
        on_log: Callable[[bytes], None] | None = None,
        on_pending: Callable[[str], None] | None = None,
    ) -> Exit:
        """Wait for the attempt's end by the watch; see `Compute.follow`. Raises `CannotStart` if its pod never will as it is asked for."""
        following = Following(
            self.connection,
            self._watch,
            self.folder(attempt),
            attempt,
            on_reports=on_reports,
            on_log=on_log,
            on_pending=on_pending,
            start_otherwise=lambda pod: self._try_next_mode(attempt, pod),
            on_started=self._prices.learn,
        )
        try:
            ended = await following.end()
            if (pod := self._watch.pod(job_name(attempt))) is not None:
                await self._prices.learn(pod)
                ended = replace(ended, use=self._prices.use(pod, ended.ended or self._clock()))
            if following.is_told:
                self._told.add(job_name(attempt))
                self._in_background(following.let_go())
            return ended
        finally:
            await following.close()

    async def stop(self, attempt: Attempt, *, grace: float = 10.0) -> None:
        """End the attempt and delete its Job, unless it has ended by itself. Nothing of it is left when this returns."""
        name = job_name(attempt)
        pod = self._watch.pod(name)
        if name in self._told or (pod is not None and (self._watch.is_gone(name) or ending.exit_of(pod) is not None)):
            return
        self.folder(attempt).mark_stopped()
        seconds = max(1, round(grace))
        await self._delete_job(name)
        for one in [pod] if pod else await listed(self.connection, self._pods, what="find its pods", labels=f"batch.kubernetes.io/job-name={name}"):
            await self._delete_pod(one["metadata"]["name"], seconds)
        await self._delete_token(attempt)
        self._watch.wake(name)
        if pod is not None and not await self._until_gone(name, seconds + GONE_SECONDS):
            await self._delete_pod(pod["metadata"]["name"], 0)
            await self._until_gone(name, GONE_SECONDS)

    async def discard(self, attempt: Attempt) -> None:
        """Delete the Job of an attempt whose result is stored. It is done beside what follows."""
        name = job_name(attempt)
        pod = self._watch.pod(name)

        async def delete() -> None:
            with contextlib.suppress(ClusterError):  # `close` and the time to live of Jobs take what is left
                await self._delete_job(name)
                await self._delete_token(attempt)
                if pod is not None and ending.is_being_deleted(pod):
                    await self._delete_pod(pod["metadata"]["name"], 0)  # its node is gone: nobody else would finish its deletion
                await self._until_gone(name, GONE_SECONDS)
            self._watch.forget(name)
            self._told.discard(name)

        self._in_background(delete())

    async def close(self, *, seconds: float = 60.0) -> None:
        """Delete everything of the experiment from the cluster and wait, up to `seconds`, until no pod of it is left."""
        await asyncio.gather(*self._later, return_exceptions=True)
        await delete_objects(self.connection, self.template.uid)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(self._until_gone(name, seconds) for name in self._watch.present))
        for pod in self._watch.present.values():
            await self._delete_pod(pod["metadata"]["name"], 0)

    def place(self, attempt: Attempt) -> str | None:
        """The cluster and the attempt's Job there."""
        return f"{self._cluster}/{job_name(attempt)}" if self._cluster else None

    def uses(self) -> list[NodeUse]:
        """See `Compute.uses`: of the pods whose nodes are known."""
        return self._prices.uses((pod for pod in self._watch.present.values() if ending.exit_of(pod) is None), self._clock())

    def read_log(self, attempt: Attempt, *, last: int | None = None) -> bytes:
        """What is kept here of what the attempt printed."""
        return self.folder(attempt).read(last)

    async def _try_next_mode(self, attempt: Attempt, pod: Mapping[str, Any]) -> bool:
        """Whether the image cannot be started in this way, and the same attempt was launched in another one."""
        mode = (pod["metadata"].get("annotations") or {}).get(MODE, MODES[-1])
        if not wants_next_mode(pod, mode):
            return False
        name = job_name(attempt)
        self._mode = max(self._mode, MODES.index(mode) + 1)  # the image is the same for all: the others need not try
        await self._delete_job(name)
        await self._until_gone(name, GONE_SECONDS)
        self._watch.forget(name)
        await self.launch(attempt)
        return True

    async def _until_gone(self, name: str, seconds: float) -> bool:
        seen = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._watch.pod(name) is not None and not self._watch.is_gone(name):
                    seen = await self._watch.change(name, seen)
        return self._watch.pod(name) is None or self._watch.is_gone(name)

    async def _delete_job(self, name: str) -> None:
        with contextlib.suppress(Missing):
            await ask(self.connection, "DELETE", f"{self._jobs}/{name}", what=f"delete Job {name}", query={"propagationPolicy": "Background"})

    async def _delete_token(self, attempt: Attempt) -> None:
        if self._issue is not None:
            await delete_token(self.connection, attempt, self.template.uid)

    async def _delete_pod(self, name: str, seconds: int) -> None:
        with contextlib.suppress(Missing):
            await ask(self.connection, "DELETE", f"{self._pods}/{name}", what=f"delete pod {name}", query={"gracePeriodSeconds": seconds})

    def _in_background(self, doing: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(doing)
        self._later.add(task)
        task.add_done_callback(self._later.discard)
