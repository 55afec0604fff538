"""One search: asynchronous, a number of suggestions open at all times, training runs of different lengths."""

import heapq
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from benchmarks.optimizer.peers import Peer
from benchmarks.optimizer.problem import Problem


@dataclass(frozen=True)
class Trace:
    """The score of what would be named best after each observation (inf while there is nothing), and the mean CPU seconds of a suggestion."""

    best: list[float]
    cpu: float


def search(make: Callable[[Problem, int], Peer], problem: Problem, seed: int, budget: int, open_at_once: int) -> Trace:
    """Spend the budget. What is named best is the point of the least measured value that satisfies the constraint; its score is without noise."""
    rng = np.random.default_rng([seed, budget, open_at_once])
    peer = make(problem, seed)
    running: list[tuple[float, int, object, object]] = []
    best, least, named, clock, cpu = [], np.inf, np.inf, 0.0, 0.0
    for started in range(budget + open_at_once):
        if started < budget:
            before = time.process_time()
            name, point = peer.ask()
            cpu += time.process_time() - before
            heapq.heappush(running, (clock + rng.uniform(0.5, 1.5), started, name, point))
        if len(running) >= open_at_once or started >= budget:
            if not running:
                break
            clock, _, name, point = heapq.heappop(running)
            values = problem.measure(point, rng)  # type: ignore[arg-type]
            peer.tell(name, values)
            score = problem.score(point)  # type: ignore[arg-type]
            if values is not None and score is not None and values["f"] < least:
                least, named = values["f"], score
            best.append(named)
    return Trace(best[:budget], cpu / budget)
