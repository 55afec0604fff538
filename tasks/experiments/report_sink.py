"""What a model logged, applied to the service: each report exactly once, whoever is killed in between.

A merge applied again changes nothing, so all merges of an attempt may be sent again after a crash. Checkpoints are appended, so those that the
service has already are counted and left out: the service's own `checkpoint_count` is the truth, and `earlier_checkpoints` says how many of them
came from earlier attempts. A file is left out if the training run has one with the same name and content.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from tasks.compute import Report
from tasks.experiments.client import ServiceClient, ServiceNotFound, ServiceRefused
from trialflow.launcher.reports import MOST_CHECKPOINTS
from trialflow.merging import folded

MOST_REFUSED = 20
"""After this many refusals of one kind of report, the rest of that kind is dropped unsent."""


class ReportSink:
    """Applies the reports of one attempt of one training run. Give it all of them, in order, from the first; again after a crash.

    A report that the service refuses is dropped: refused once, it would be refused forever. `warn` gets a sentence about it, each sentence once.
    """

    def __init__(self, client: ServiceClient, training_run_id: str, *, earlier_checkpoints: int, warn: Callable[[str], None]) -> None:
        self._client = client
        self._run = training_run_id
        self._earlier = earlier_checkpoints
        self._stored: int | None = None  # checkpoints of this attempt that the service has; None: to be asked
        self._passed = 0  # checkpoints among the reports that are done
        self._done = 0
        self._files: set[tuple[Any, ...]] | None = None  # the files that the service has; None: to be asked
        self._refused: dict[str, int] = {}
        self._warned: set[str] = set()
        self._warn = warn

    async def apply(self, reports: Sequence[Report]) -> list[Mapping[str, Any]]:
        """Apply `reports`, the next ones. Returns the checkpoints among them that the service has now.

        Raises `ServiceUnavailable` if the service is away: call again with the same ones.
        """
        fresh = [report for report in reports if report.number > self._done]
        # Checkpoints first: the service takes none after the training run has failed, which a merge of this batch may say.
        taken = await self._checkpoints([report.body for report in fresh if report.kind == "checkpoint"])
        for report in fresh:
            if report.kind == "file":
                await self._file(report.body)
        await self._merge([report.body for report in fresh if report.kind == "merge"])
        if fresh:
            self._passed += sum(report.kind == "checkpoint" for report in fresh)
            self._done = fresh[-1].number
        return taken

    async def _checkpoints(self, bodies: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        if not bodies:
            return []
        if self._stored is None:
            try:
                run = await self._client.run(self._run)
            except ServiceRefused as refused:
                self._warn(f"{len(bodies)} checkpoints were dropped: {refused.message}")
                return []
            self._stored = int(run.get("checkpoint_count") or 0) - self._earlier
        known = max(0, self._stored - self._passed)
        taken = list(bodies[:known])
        for body in bodies[known:]:
            if self._earlier + self._stored >= MOST_CHECKPOINTS:
                self._say(f"a training run has at most {MOST_CHECKPOINTS} checkpoints: the rest was dropped")
                break
            if self._gave_up("checkpoint"):
                break
            stored, self._stored = self._stored, None  # an answer that gets lost leaves it unknown
            try:
                await self._client.log_checkpoint(self._run, body)
                taken.append(body)
                self._stored = stored + 1
            except ServiceRefused as refused:
                self._say(f"a checkpoint was refused: {refused.message}")
                self._count("checkpoint")
                self._stored, self._passed = stored, self._passed - 1
        return taken

    async def _merge(self, bodies: Sequence[Mapping[str, Any]]) -> None:
        if not bodies:
            return
        body = folded(bodies)
        try:
            await self._client.merge_run(self._run, body)
        except ServiceRefused:
            # One bad value must not take the good ones with it.
            for part in _parts(body):
                await self._merge_part(part)

    async def _merge_part(self, part: Mapping[str, Any]) -> None:
        if self._gave_up("merge"):
            return
        try:
            await self._client.merge_run(self._run, part)
        except ServiceRefused as refused:
            self._say(f"what the model logged was refused: {refused.message}")
            self._count("merge")

    async def _file(self, body: Mapping[str, Any]) -> None:
        try:
            content = base64.b64decode(body["content"], validate=True)
        except (binascii.Error, KeyError, TypeError, ValueError):
            return self._say("a file that arrived incomplete was dropped")
        about = {name: body[name] for name in ("name", "filename", "content_type") if body.get(name)}
        digest = base64.b64encode(hashlib.md5(content, usedforsecurity=False).digest()).decode()
        key = _key({**about, "content_md5": digest})
        if self._files is None:
            self._files = {_key(one) for one in await self._client.stored_files(self._run)}
        if key in self._files or self._gave_up("file"):
            return None
        try:
            await self._client.add_file(self._run, {**about, "content_length": len(content), "content_md5": digest}, content)
        except (ServiceRefused, ServiceNotFound) as refused:
            self._say(f"a file was refused: {refused.message}")
            self._count("file")
        self._files.add(key)
        return None

    def _count(self, kind: str) -> None:
        self._refused[kind] = self._refused.get(kind, 0) + 1

    def _gave_up(self, kind: str) -> bool:
        if self._refused.get(kind, 0) < MOST_REFUSED:
            return False
        self._say(f"the service has refused {MOST_REFUSED} reports of the kind {kind}: the rest was dropped")
        return True

    def _say(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            self._warn(sentence)


def _parts(body: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A MERGE body taken apart: one body for each value in it, a failure last."""
    for name, value in sorted(body.items(), key=lambda item: item[0] == "state"):
        if isinstance(value, Mapping):
            yield from ({name: {key: one}} for key, one in value.items())
        else:
            yield {name: value}


def _key(file: Mapping[str, Any]) -> tuple[Any, ...]:
    """What two files have in common that are the same one."""
    return tuple(file.get(name) or None for name in ("name", "filename", "content_md5"))
