"""The one entry: what to try next."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trialflow.optimizer.candidates import Candidates, model_candidates, optimized_of
from trialflow.optimizer.design import START, Sampler
from trialflow.optimizer.encoding import Encoder
from trialflow.optimizer.grid import grid_point
from trialflow.optimizer.maximization import around
from trialflow.optimizer.multitask import initial_cost
from trialflow.optimizer.observations import Dataset, Metric, Observation
from trialflow.optimizer.space import Assignment, Space, UnsupportedExperiment

Array = np.ndarray
Kind = Literal["offline", "random", "grid"]
FEWEST_MEASURED = 2
SPREAD = 8
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Suggestion:
    """Assignments to try, the method that found them, and the cost of the task to try them with (1 where there are no tasks).

    Methods: `grid`; `random`; `design`, the start; `spread`, even points while too little was measured; `gp`, the model; `coverage`,
    the model for constraints only; `local`, near to the best where the model had numerical trouble.
    """

    assignments: dict[str, Assignment]
    method: str
    task_cost: float = 1.0


def check_supported(space: Space, metrics: Sequence[Metric], kind: Kind, *, num_solutions: int = 1, tasks: bool = False) -> None:
    """Raise `UnsupportedExperiment`, which names what cannot be done, if the experiment asks for such a thing."""
    known = {one.name: one for one in space.parameters}
    asked = {
        "more than two metrics to optimize": sum(one.strategy == "optimize" for one in metrics) > 2,
        "no metric to optimize and none to constrain": not any(one.strategy != "store" for one in metrics),
        "num_solutions above 1 with other than one metric to optimize": num_solutions > 1 and len(optimized_of(metrics)) != 1,
        "tasks with several metrics": tasks and sum(one.strategy != "store" for one in metrics) > 1,
        "a grid with a parameter whose values cannot be counted": kind == "grid" and space.size is None,
        "a grid with conditionals or linear constraints": kind == "grid" and bool(space.conditionals or space.linear_constraints),
    }
    for constraint in space.linear_constraints:
        terms = [known.get(name) for name, _ in constraint.terms]
        plain = [one for one in terms if one is not None and one.type != "categorical" and not (one.log or one.grid or one.conditions)]
        asked["a linear constraint over other than unconditional parameters on a linear scale"] = len(plain) < len(terms)
        asked["a linear constraint over both doubles and ints"] = len({one.type for one in plain}) > 1
        if names := [name for name, is_asked in asked.items() if is_asked]:
            break
    if names := [name for name, is_asked in asked.items() if is_asked]:
        raise UnsupportedExperiment(f"not supported: {'; '.join(names)}")


def suggest(
    space: Space,
    metrics: Sequence[Metric],
    observations: Sequence[Observation],
    pending: Sequence[Mapping[str, Assignment]],
    *,
    seed: int,
    kind: Kind = "offline",
    budget: float | None = None,
    parallel_bandwidth: int = 1,
    num_solutions: int = 1,
    task_costs: Sequence[float] = (),
) -> Suggestion:
    """The next point to try, one that is neither known nor pending.

    `seed` is the experiment's own and stays the same for all its suggestions: the same arguments give the same answer. `task_costs` are those of the
    experiment's tasks, the full one's 1 among them. Raises `SpaceExhausted` when a finite space is used up or the constraints leave none. Numerical
    trouble is logged and answered by a point near to the best.
    """
    count = len(observations) + len(pending)
    if kind == "grid":
        return Suggestion(grid_point(space, count), "grid")
    encoder = Encoder(space)
    sampler = Sampler(encoder, abs(seed))
    dataset = Dataset(encoder, observations, with_costs=bool(task_costs))
    pending_rows, is_exact = encoder.recognise(pending)
    taken = set(encoder.keys(dataset.known)) | set(encoder.keys(pending_rows[is_exact]))
    rng = np.random.default_rng([abs(seed), len(observations), len(pending)])
    if kind == "random":
        answer = Candidates(np.empty((0, encoder.width)), "random")
    elif count < START:
        answer = Candidates(sampler.start()[count:], "design", initial_cost(task_costs, count) if task_costs else 1.0)
    elif np.sum(dataset.measured([one for one in metrics if one.strategy != "store"])) < FEWEST_MEASURED:
        answer = Candidates(_even(count, sampler, abs(seed)), "spread")
    else:
        answer = _by_model_or_near(sampler, metrics, dataset, pending_rows, rng, num_solutions, budget, task_costs)
    row = sampler.new(answer.rows, taken, rng)
    is_other = len(answer.rows) == 0 or not np.any(np.all(answer.rows == row, axis=1))
    return Suggestion(encoder.decode(row), "random" if is_other else answer.method, answer.task_cost)


def _by_model_or_near(
    sampler: Sampler,
    metrics: Sequence[Metric],
    dataset: Dataset,
    pending: Array,
    rng: np.random.Generator,
    num_solutions: int,
    budget: float | None,
    task_costs: Sequence[float],
) -> Candidates:
    try:
        return model_candidates(sampler, metrics, dataset, pending, rng, num_solutions=num_solutions, budget=budget, task_costs=task_costs)
    except (np.linalg.LinAlgError, ArithmeticError, ValueError, MemoryError) as error:
        logger.warning("the model gave no answer (%s: %s); a point near to the best is suggested", type(error).__name__, error, exc_info=True)
    good = np.flatnonzero(dataset.measured(metrics[:1]))
    if len(good) == 0:
        return Candidates(np.empty((0, sampler.encoder.width)), "random")
    values, _ = dataset.values(metrics[0])
    sign = -1.0 if metrics[0].objective == "minimize" else 1.0
    best = good[np.argsort(-sign * values[good], kind="stable")[:5]]
    return Candidates(around(dataset.rows[best, : sampler.encoder.width], sampler, rng), "local")


def _even(count: int, sampler: Sampler, seed: int) -> Array:
    """Rows with which `count` others of the same lattice fill the space evenly.

    Not those farthest from what is known: one after the other these are the corners and sides of the space, where good points are rarely.
    """
    return sampler.spread(count + SPREAD, np.random.default_rng([seed, 2]))[count:]
