"""An experiment that learns from the one before it: the last best is measured on today's data, earlier results are taken over, and in the end the
last best and the new one are compared.

What was done already is read from the service, so a flow that was killed goes on where it was.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from flows.working import Work
from tasks.experiments.carrying import CarriedOver, carry_over, champion_of, known_from
from tasks.experiments.client import ServiceNotFound
from tasks.experiments.verdict import FIRST, Verdict, judge, repeats
from tasks.experiments.winners import export_winner, verdict_page
from tasks.steps import run_logger, warn
from trialflow.api_types import Experiment, TrainingRun
from trialflow.events import Event, tell
from trialflow.metadata_keys import LEARNS_FROM, VERDICT, WINNER
from trialflow.metrics import values_of
from trialflow.results.facts import is_known
from trialflow.results.ranking import optimized
from trialflow.results.text import text_of

Json = Mapping[str, Any]
LONGEST = 500
"""Characters of a value in metadata."""


async def work_to_the_end(work: Work) -> Verdict | None:
    """Work on an experiment until its budget is spent, and learn from the one that its metadata names. The verdict, if there is one."""
    source_id = (work.experiment.get("metadata") or {}).get(LEARNS_FROM)
    async with work.logged():
        if source_id is None:
            await work.to_the_end()
            return None
        return await Learning(work).from_experiment(str(source_id))


class Learning:
    """The order of the training runs of an experiment that learns."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self._client = work.context.client
        self._id = str(work.lease.experiment_id)

    async def from_experiment(self, source_id: str) -> Verdict | None:
        """Work to the end. The verdict, or None if it was stopped before: there is nothing to compare with, or the model fails."""
        source, carried = await self._earlier(source_id)
        await self._say("earlier-results", "\n\n".join(carried.sentences), carried.sentences)
        champion = champion_of(self._work.experiment, source, carried)
        if champion is None:
            run_logger().info("nothing is known of the last best: the experiment starts anew")
            await self._work.to_the_end()
            return None
        point = champion["assignments"]
        if not await self._measure({"champion": (point, FIRST)}):
            return None
        first = self._values_at(await self._own(), point)
        if first:
            await self._take_over(source, carried, champion, first)
        else:
            warn("the last best fails on today's data: earlier results say nothing about it, and none is taken over")
        budget = self._work.experiment.get("budget") or 0
        again = repeats(budget, first)
        if not await self._work.up_to(budget - 2 * again if again else None):
            return None
        verdict = judge(self._work.experiment, await self._own(), point)
        if again and verdict is not None and verdict.challenger is not None:
            last = {"champion": (point, FIRST + again), "challenger": (verdict.challenger.assignments, 1 + again)}
            if not await self._measure(last):
                return None
        if not await self._work.up_to(None):
            return None
        verdict = judge(self._work.experiment, await self._own(), point)
        if verdict is not None:
            await self._tell(verdict)
        return verdict

    async def _earlier(self, source_id: str) -> tuple[Experiment, CarriedOver]:
        try:
            source = await self._client.experiment(source_id)
            runs = await self._client.runs(source["project"], experiment_id=source_id)
        except ServiceNotFound:
            gone = {"id": source_id, "parameters": [], "metrics": []}
            return cast(Experiment, gone), CarriedOver((), {}, (f"Experiment {source_id}, which this one was to learn from, is gone.",))
        return source, carry_over(self._work.experiment, source, runs)

    async def _take_over(self, source: Experiment, carried: CarriedOver, champion: TrainingRun, first: Sequence[float]) -> None:
        """Teach the experiment the earlier results; those that it knows are left."""
        (metric,) = optimized(self._work.experiment["metrics"])
        then, now = values_of(champion)[metric["name"]], sum(first) / len(first)
        known = {run["name"] for run in await self._runs() if is_known(run)}
        for body in (known_from(source, run) for run in reversed(carried.runs)):
            if body["name"] not in known:
                await self._client.request("POST", "aiexperiments", self._id, "training_runs", body=body)
        run_logger().info("the last best had %s %s then, and has %s on today's data", metric["name"], text_of(then), text_of(now))

    async def _measure(self, wanted: Mapping[str, tuple[Json, int]]) -> bool:
        """Execute training runs until each point was tried as often as wanted, as far as the budget goes. Whether work may go on."""
        runs = await self._own()
        path = ("experiments", self._id, "queued_suggestions")
        queued = [one["assignments"] async for one in self._client.pages(*path)]
        count = len(runs) + len(queued)
        for point, times in wanted.values():
            for _ in range(times - [*(run["assignments"] for run in runs), *queued].count(point)):
                await self._client.request("POST", *path, body={"assignments": point})
                count += 1
        return await self._work.up_to(count)

    async def _runs(self) -> list[TrainingRun]:
        return await self._client.runs(self._work.context.project, experiment_id=self._id)

    async def _own(self) -> list[TrainingRun]:
        return [run for run in await self._runs() if not is_known(run)]

    def _values_at(self, runs: Sequence[TrainingRun], point: Json) -> list[float]:
        (metric,) = optimized(self._work.experiment["metrics"])
        done = [values_of(run) for run in runs if run["state"] == "completed" and run["assignments"] == point]
        return [values[metric["name"]] for values in done if metric["name"] in values]

    async def _tell(self, verdict: Verdict) -> None:
        context = self._work.context
        path = export_winner(context.home, self._work.experiment["name"], context.run, verdict)
        found = await self._client.experiment(self._id)
        kept = {**(found.get("metadata") or {}), VERDICT: verdict.sentence()[:LONGEST], WINNER: verdict.winner.training_run}
        await self._client.update_experiment(self._id, {"metadata": kept})
        await self._say("verdict", verdict_page(self._work.experiment, context.run, verdict, path), [verdict.sentence(), f"its run file is {path}"])
        tell(Event("verdict", text=verdict.sentence(), facts={"verdict": verdict.to_json(), "run_file": str(path)}))

    async def _say(self, key: str, page: str, sentences: Sequence[str]) -> None:
        for sentence in sentences:
            run_logger().info(sentence)
        await self._work.reporter.show(key, page)
