"""Training runs as Jobs of a cluster: launch or adopt, follow, stop, discard."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.compute import Exit, Launch, Report
from tasks.kubernetes import ending
from tasks.kubernetes.belongings import delete_belongings, ensure_belongings, owner_labels
from tasks.kubernetes.connection import Connection
from tasks.kubernetes.errors import ClusterError, Exists, Missing, Refused, Unreachable
from tasks.kubernetes.folder import KeptFolder, LogWriter
from tasks.kubernetes.labels import TRAINING_RUN, WORK
from tasks.kubernetes.objects import ask, listed
from tasks.kubernetes.pending import pending_reason
from tasks.kubernetes.pods import MODE, MODES, Recipe, job, job_name
from tasks.kubernetes.reading import LogReader
from tasks.kubernetes.starting import CannotStart, hopeless, wants_next_mode
from tasks.kubernetes.watching import PodWatch

WITHOUT_POD_SECONDS = 5.0
"""After so long without a pod its Job is asked for the reason; then again after twice as long, and so on."""
LOG_SECONDS = 20.0
"""How long the rest of a log may take once its container has ended."""
DOUBT_SECONDS = 5.0
GONE_SECONDS = 15.0


class KubernetesCompute:
    """Executes training runs as Jobs. One for all training runs of an experiment, or for one by itself: `recipe.uid` is what they have in common.

    Open while it is used (`async with`). `root` holds what is kept on this machine: `ROOT/<training run>/<attempt>/log`. `keys` are secrets that the
    pods get. `close` deletes everything of the experiment from the cluster; without it what runs goes on and is adopted by the next compute.
    """

    def __init__(
        self,
        connection: Connection,
        recipe: Recipe,
        root: Path,
        *,
        experiment_id: str | None = None,
        training_run_id: str | None = None,
        keys: Mapping[str, str] | None = None,
        on_trouble: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.connection = connection
        self.recipe = replace(recipe, secret=recipe.uid if keys else recipe.secret)
        self.root = root
        self._owner = owner_labels(recipe.uid, experiment_id=experiment_id, training_run_id=training_run_id)
        self._keys = dict(keys or {})
        self._watch = PodWatch(connection, {WORK: recipe.uid}, on_trouble=on_trouble)
        self._jobs = f"/apis/batch/v1/namespaces/{connection.namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{connection.namespace}/pods"
        self._mode = 0
        self._later: set[asyncio.Task[None]] = set()
        self._told: set[str] = set()  # the Jobs whose launcher said that the model has ended: Kubernetes says it a little later

    async def __aenter__(self) -> "KubernetesCompute":
        await ensure_belongings(self.connection, self.recipe.uid, owner=self._owner, keys=self._keys)
        await self._watch.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*self._later, return_exceptions=True)
        await self._watch.__aexit__()

    def folder(self, work: Launch) -> KeptFolder:
        """What is kept here of an attempt, whether it exists or not."""
        return KeptFolder(self.root / work.training_run_id / str(work.attempt))

    async def launch(self, work: Launch) -> None:
        """Create the attempt's Job, or find that it is there. Raises `ClusterError`, of which `Unreachable` is worth trying again."""
        if self.folder(work).was_stopped():
            return
        name = job_name(work)
        manifest = job(work, self.recipe, MODES[self._mode])
        try:
            await ask(self.connection, "POST", self._jobs, what=f"create Job {name}", query={"fieldValidation": "Strict"}, body=manifest)
        except Exists:
            found = await ask(self.connection, "GET", f"{self._jobs}/{name}", what=f"adopt Job {name}")
            if (found["metadata"].get("labels") or {}).get(TRAINING_RUN) != work.training_run_id:
                raise Refused(
                    f"the cluster has a Job {name} already, and it is not of training run {work.training_run_id}",
                    hint=f"`trialflow cluster kubectl -- delete job {name}` if nobody needs it",
                ) from None

    async def follow(
        self,
        work: Launch,
        *,
        on_reports: Callable[[Sequence[Report]], Awaitable[None]],
        on_log: Callable[[bytes], None] | None = None,
        on_pending: Callable[[str], None] | None = None,
    ) -> Exit:
        """Wait for the attempt's end by the watch; see `Compute.follow`. Raises `CannotStart` if its pod never will as it is asked for."""
        name, folder = job_name(work), self.folder(work)
        reading: asyncio.Task[None] | None = None
        reader: LogReader | None = None
        seen, wait, told = 0, WITHOUT_POD_SECONDS, ""
        try:
            while True:
                pod = self._watch.pod(name)
                is_gone, reason = self._watch.is_gone(name), None
                if pod is None:
                    if (ended := await self._without_pod(work, wait, seen, on_pending)) is not None:
                        return ended
                elif ending.has_started(pod):
                    if reader is None:
                        writer = LogWriter(folder)
                        uid = pod["metadata"]["name"]
                        reader = LogReader(
                            self.connection,
                            uid,
                            patterns=work.patterns,
                            writer=writer,
                            on_reports=on_reports,
                            on_log=on_log,
                            on_end=lambda: self._watch.wake(name),
                        )
                        reading = asyncio.create_task(reader.read(), name=f"log-{name}")
                elif not is_gone:
                    if (problem := hopeless(pod)) is not None:
                        raise CannotStart(f"training run {work.training_run_id} cannot be started: {problem.message}", hint=problem.hint)
                    reason = pending_reason(pod)
                if reader is not None and reading is not None and reader.has_ended_by_itself and not folder.was_stopped():
                    self._in_background(self._let_end(reader, reading))
                    reading = None
                    self._told.add(name)
                    return Exit(**{fact: value for fact, value in (reader.facts or {}).items() if fact in ending.FACTS})
                if pod is not None and await self._exit_of(pod, is_gone, reader) is not None:
                    if not folder.was_stopped() and await self._try_next_mode(work, pod):
                        reader, reading = None, None
                        continue
                    await self._read_rest(reader, reading, pod, on_reports)
                    # Only now is it known whether a launcher was in there.
                    return self._final(work, pod, await self._exit_of(pod, is_gone, reader) or Exit(lost="its pod is gone"), reader)
                within = wait if pod is None else DOUBT_SECONDS if ending.is_in_doubt(pod) or (reason and reason != told) else None
                now = await self._changed(name, seen, within, reading)
                if on_pending and reason and reason != told and now == seen:  # what passes by itself is not worth a word
                    told = reason
                    on_pending(reason)
                wait = wait * 2 if pod is None and now == seen else WITHOUT_POD_SECONDS
                seen = now
        finally:
            if reading is not None and not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def stop(self, work: Launch, *, grace: float = 10.0) -> None:
        """End the attempt and delete its Job, unless it has ended by itself. Nothing of it is left when this returns."""
        name = job_name(work)
        pod = self._watch.pod(name)
        if name in self._told or (pod is not None and (self._watch.is_gone(name) or ending.exit_of(pod) is not None)):
            return
        self.folder(work).mark_stopped()
        seconds = max(1, round(grace))
        await self._delete_job(name)
        for one in [pod] if pod else await listed(self.connection, self._pods, what="find its pods", labels=f"batch.kubernetes.io/job-name={name}"):
            await self._delete_pod(one["metadata"]["name"], seconds)
        self._watch.wake(name)
        if pod is not None and not await self._until_gone(name, seconds + GONE_SECONDS):
            await self._delete_pod(pod["metadata"]["name"], 0)
            await self._until_gone(name, GONE_SECONDS)

    async def discard(self, work: Launch) -> None:
        """Delete the Job of an attempt whose result is stored. It is done beside what follows."""
        name = job_name(work)
        pod = self._watch.pod(name)

        async def delete() -> None:
            with contextlib.suppress(ClusterError):  # `close` and the time to live of Jobs take what is left
                await self._delete_job(name)
                if pod is not None and ending.is_being_deleted(pod):
                    await self._delete_pod(pod["metadata"]["name"], 0)  # its node is gone: nobody else would finish its deletion
                await self._until_gone(name, GONE_SECONDS)
            self._watch.forget(name)
            self._told.discard(name)

        self._in_background(delete())

    async def close(self, *, seconds: float = 60.0) -> None:
        """Delete everything of the experiment from the cluster and wait, up to `seconds`, until no pod of it is left."""
        await asyncio.gather(*self._later, return_exceptions=True)
        await delete_belongings(self.connection, self.recipe.uid)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await asyncio.gather(*(self._until_gone(name, seconds) for name in self._watch.present))
        for pod in self._watch.present.values():
            await self._delete_pod(pod["metadata"]["name"], 0)

    def read_log(self, work: Launch, *, last: int | None = None) -> bytes:
        """What is kept here of what the attempt printed."""
        return self.folder(work).read(last)

    async def _changed(self, name: str, seen: int, within: float | None, reading: asyncio.Task[None] | None) -> int:
        """Wait for news of the pod; a reader that fails (the service is away) is news as well."""
        if reading is None or reading.done():
            if reading is not None:
                reading.result()
            return await self._watch.change(name, seen, within)
        news = asyncio.ensure_future(self._watch.change(name, seen, within))
        try:
            await asyncio.wait({news, reading}, return_when=asyncio.FIRST_COMPLETED)
            if reading.done():
                reading.result()
            return await news
        finally:
            news.cancel()

    async def _exit_of(self, pod: Mapping[str, Any], is_gone: bool, reader: LogReader | None) -> Exit | None:
        is_node_gone = not is_gone and ending.is_in_doubt(pod) and ending.exit_of(pod) is None and not await self._has_node(pod)
        has_launcher = reader is not None and reader.has_launcher
        return ending.exit_of(pod, is_gone=is_gone, is_node_gone=is_node_gone, has_launcher=has_launcher)

    async def _has_node(self, pod: Mapping[str, Any]) -> bool:
        name = ending.node_of(pod)
        if not name:
            return True
        try:
            return ending.is_ready(await ask(self.connection, "GET", f"/api/v1/nodes/{name}", what=f"look at node {name}"))
        except Missing:
            return False
        except (Refused, Unreachable):
            return True  # not to be known: the pod's deletion will say

    async def _without_pod(self, work: Launch, wait: float, seen: int, on_pending: Callable[[str], None] | None) -> Exit | None:
        """No pod was seen yet: if that lasts, is its Job still there, and has it not had one that is gone?"""
        name = job_name(work)
        if self.folder(work).was_stopped():
            return Exit(stopped=True)
        if await self._watch.change(name, seen, wait) != seen or self._watch.pod(name) is not None:
            return None
        try:
            found = await ask(self.connection, "GET", f"{self._jobs}/{name}", what=f"look at Job {name}")
        except Missing:
            return Exit(stopped=True) if self.folder(work).was_stopped() else Exit(lost="its Job was deleted")
        conditions = {one["type"] for one in (found.get("status") or {}).get("conditions") or [] if one["status"] == "True"}
        if conditions & {"Failed", "Complete"} and self._watch.pod(name) is None:
            return Exit(lost="its pod was deleted")
        if on_pending:
            with contextlib.suppress(ClusterError):  # a reason is good to have, no more
                on_pending(await self._reason_without_pod(name) or "waiting for its pod to be made")
        return None

    async def _reason_without_pod(self, name: str) -> str | None:
        events = await listed(
            self.connection,
            f"/api/v1/namespaces/{self.connection.namespace}/events",
            what="list events",
            fields=f"involvedObject.kind=Job,involvedObject.name={name}",
        )
        return pending_reason(None, events)

    async def _try_next_mode(self, work: Launch, pod: Mapping[str, Any]) -> bool:
        """Whether the image cannot be started in this way, and the same attempt was launched in another one."""
        mode = (pod["metadata"].get("annotations") or {}).get(MODE, MODES[-1])
        if not wants_next_mode(pod, mode):
            return False
        name = job_name(work)
        self._mode = max(self._mode, MODES.index(mode) + 1)  # the image is the same for all: the others need not try
        await self._delete_job(name)
        await self._until_gone(name, GONE_SECONDS)
        self._watch.forget(name)
        await self.launch(work)
        return True

    async def _read_rest(
        self, reader: LogReader | None, reading: asyncio.Task[None] | None, pod: Mapping[str, Any], on_reports: Callable[..., Awaitable[None]]
    ) -> None:
        if reader is not None and reading is not None:
            reader.end()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.shield(reading), LOG_SECONDS)
            if not reading.done():
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)
            if reader.is_complete and reader.facts is not None:
                return
        # The log is not whole: the last values are in the termination message as well.
        if values := ending.told_values(pod):
            await on_reports([Report(1 << 40, "merge", {"values": {name: {"value": value} for name, value in values.items()}})])

    async def _let_end(self, reader: LogReader, reading: asyncio.Task[None]) -> None:
        """Let a stream end by itself whose content is known: its connection can be used again."""
        reader.end()
        await asyncio.wait({reading}, timeout=LOG_SECONDS)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)

    def _final(self, work: Launch, pod: Mapping[str, Any], ended: Exit, reader: LogReader | None) -> Exit:
        if reader is not None and reader.facts is not None and ending.told(pod) is None and ended.lost is None:
            ended = replace(ended, **{name: value for name, value in reader.facts.items() if name in ending.FACTS})
        if ended.lost is not None and self.folder(work).was_stopped():
            facts = (reader.facts if reader else None) or ending.told(pod) or {}
            return replace(ended, lost=None, stopped=True, code=facts.get("code"), signal=facts.get("signal"))
        return ended

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

    async def _delete_pod(self, name: str, seconds: int) -> None:
        with contextlib.suppress(Missing):
            await ask(self.connection, "DELETE", f"{self._pods}/{name}", what=f"delete pod {name}", query={"gracePeriodSeconds": seconds})

    def _in_background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._later.add(task)
        task.add_done_callback(self._later.discard)
