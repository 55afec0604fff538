"""Delete what is left over: on a cluster what nobody needs any more, on this machine images that trialflow built."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from tasks.images.building import LABEL, OWN_TAG
from tasks.images.engine import LocalImage, open_engine
from tasks.images.errors import EngineUnavailable
from tasks.kubernetes.jobs.orphans import ClusterObject, ServiceFacts, Verdict, delete_object, judge, read_objects
from tasks.operations.results import Failure, Result
from tasks.operations.targets import ClusterSession, known_work
from tasks.operations.workers import who_works
from trialflow.errors import TrialflowError


@dataclass(frozen=True)
class CleanPlan:
    """What is on the cluster, and for each thing whether it would go, and why."""

    cluster: str
    verdicts: tuple[Verdict, ...]
    everyones: bool

    @property
    def going(self) -> tuple[ClusterObject, ...]:
        """What would be deleted."""
        return tuple(one.thing for one in self.verdicts if one.goes)


async def plan_clean(session: ClusterSession, *, everyones: bool = False) -> CleanPlan:
    """Decide what may go. With `everyones` what has ended and this service does not know goes as well: it may be another user's."""
    things = await read_objects(session.connection)
    facts = await _facts(session, things) if things else ServiceFacts()
    return CleanPlan(session.connection.cluster.name, tuple(judge(things, facts, everyones=everyones)), everyones)


async def apply_clean(plan: CleanPlan, session: ClusterSession) -> AsyncIterator[Result]:
    """Delete what would go both by the plan and by what is true now: a flow may have begun since."""
    now = set((await plan_clean(session, everyones=plan.everyones)).going)
    for thing in plan.going:
        name = f"{thing.kind.lower()}/{thing.name}"
        if thing not in now:
            yield Result(name, "kept: it is needed again")
            continue
        try:
            await delete_object(session.connection, thing)
            yield Result(name, "deleted")
        except TrialflowError as error:
            yield Result(name, "not deleted", Failure.of(error))


async def _facts(session: ClusterSession, things: list[ClusterObject]) -> ServiceFacts:
    known = await known_work(session.client, things)
    workers = {work: await who_works(session.home, session.client, experiment) for work, experiment in known.experiments.items()}
    return ServiceFacts(known.labels, frozenset(work for work, worker in workers.items() if worker), known.active)


async def plan_image_removal() -> tuple[LocalImage, ...]:
    """The images of the Docker engine here that trialflow built, newest first, with the names that it gave them; none where there is no engine.

    An image that somebody has given another name stays for that.
    """
    try:
        found = await open_engine().images_labelled(LABEL)
    except EngineUnavailable:
        return ()
    ours = [replace(one, names=tuple(name for name in one.names if OWN_TAG.fullmatch(name.rpartition(":")[2]))) for one in found]
    return tuple(mine for mine, one in zip(ours, found, strict=True) if mine.names or not one.names)


async def apply_image_removal(images: tuple[LocalImage, ...]) -> AsyncIterator[Result]:
    """Take trialflow's names off the images; those that nothing else names or uses are deleted with them."""
    engine = open_engine()
    for image in images:
        for name in image.names or (image.id,):
            try:
                await engine.remove(name)
                yield Result(name, "removed")
            except TrialflowError as error:
                yield Result(name, "not removed", Failure.of(error))
