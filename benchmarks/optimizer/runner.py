"""One search: asynchronous, a number of suggestions open at all times, training runs of different lengths."""

import heapq
import time
from collections.abc import Callable

import numpy as np

from benchmarks.optimizer.peers import Peer
from benchmarks.optimizer.problem import Problem
from benchmarks.optimizer.results import Trace


def search(make: Callable[[Problem, int], Peer], problem: Problem, seed: int, budget: int, open_at_once: int) -> Trace:
    """Spend the budget. Lengths and noise depend on the seed alone, so that all peers meet the same."""
    rng = np.random.default_rng([seed, budget, open_at_once])
    peer, judge = make(problem, seed), problem.judge()
    running: list[tuple[float, int, object, object]] = []
    scores, clock, cpu = [], 0.0, 0.0
    for started in range(budget + open_at_once):
        if started < budget:
            before = time.process_time()
            name, point = peer.ask()
            cpu += time.process_time() - before
            heapq.heappush(running, (clock + rng.uniform(0.5, 1.5), started, name, point))
        if running and (len(running) >= open_at_once or started >= budget):
            clock, _, name, point = heapq.heappop(running)
            values = problem.measure(point, rng)  # type: ignore[arg-type]
            before = time.process_time()
            peer.tell(name, values)
            cpu += time.process_time() - before
            scores.append(judge.score(point, values))  # type: ignore[arg-type]
    return Trace(scores[:budget], cpu / budget)
