"""The bookkeeping of one experiment while a flow works on it: when the next training run may start, and when to stop. Pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from trialflow.results.spending import NodeUse, max_cost_of, spent


@dataclass
class Ledger:
    """Counts training runs of one experiment; its owner tells it what starts and ends, and asks it what may come next.

    `budget` is None for an unlimited experiment. `spent` counts finished training runs, failed ones too; `reserved` those that are active but
    worked on by others (made by hand through the API). With `canary` set one training run goes alone until one has completed.
    `stop_after_failures` failures in a row end the experiment; 0 never does. What has become of training runs before, and how often some were lost,
    is not counted here: the service knows that of all of them (`Tally`).
    """

    budget: int | None
    bandwidth: int
    spent: int = 0
    reserved: int = 0
    canary: bool = True
    stop_after_failures: int = 5
    active: set[str] = field(default_factory=set)
    failures_in_row: int = 0
    exhausted: bool = False
    max_cost: float | None = None
    uses: list[NodeUse] = field(default_factory=list)
    uses_now: Callable[[], Sequence[NodeUse]] = tuple
    up_to: int | None = None
    """How many training runs may have ended, where that is less than the budget: a part of the work."""
    is_taken: bool = False
    """Other workers have started training runs with what is left of the budget."""

    @property
    def width(self) -> int:
        """How many training runs may be in flight now."""
        return 1 if self.canary else self.bandwidth

    @property
    def left(self) -> int | None:
        """Units of budget that nobody holds or has spent; None if unlimited."""
        limits = [limit for limit in (self.budget, self.up_to) if limit is not None]
        return min(limits) - self.spent - self.reserved - len(self.active) if limits else None

    @property
    def cost(self) -> float | None:
        """What the training runs have cost so far, those in flight included; None if that is not known."""
        return spent([*self.uses, *self.uses_now()])

    @property
    def is_too_dear(self) -> bool:
        """Whether they have cost what they may."""
        return self.max_cost is not None and (self.cost or 0.0) >= self.max_cost

    @property
    def is_broken(self) -> bool:
        """Whether so many training runs failed one after the other that going on would waste the budget."""
        return 0 < self.stop_after_failures <= self.failures_in_row

    @property
    def may_start(self) -> bool:
        """Whether one more training run may start now."""
        return (
            not (self.exhausted or self.is_taken or self.is_broken)
            and len(self.active) < self.width
            and (self.left is None or self.left > 0)
            and not self.is_too_dear
        )

    def start(self, name: str) -> None:
        """A training run starts, or is adopted."""
        self.active.add(name)

    def complete(self, name: str) -> None:
        """A training run completed, perhaps because it was stopped early."""
        self._end(name)
        self.failures_in_row = 0
        self.canary = False

    def fail(self, name: str) -> None:
        """A training run failed; it has spent its unit."""
        self._end(name)
        self.failures_in_row += 1

    def drop(self, name: str) -> None:
        """A training run that was to start did not: its unit is free again."""
        self.active.discard(name)

    def _end(self, name: str) -> None:
        self.active.discard(name)
        self.spent += 1

    @classmethod
    def of(cls, experiment: Mapping, *, ours: int, canary: bool, stop_after_failures: int, proven: bool) -> "Ledger":
        """The books of an experiment as the service tells it (its JSON); `ours` active training runs are about to be adopted."""
        progress = experiment["progress"]
        active = int(progress.get("active_run_count") or 0)
        budget = experiment.get("budget")
        return cls(
            budget=None if budget is None else int(budget),
            bandwidth=int(experiment.get("parallel_bandwidth") or 1),
            spent=int(progress.get("finished_run_count") or 0),
            reserved=max(0, active - ours),
            canary=canary and not proven,
            stop_after_failures=stop_after_failures,
            max_cost=max_cost_of(experiment),
        )
