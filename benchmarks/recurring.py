"""Recurring tuning on a problem that drifts: learning from the last experiment, starting anew, and keeping the first best.

    python -m benchmarks.recurring [--seeds 24]     (about two minutes on two idle cores)

The problem is "moving peaks" (Branke, 1999) with smooth peaks: five of them in the unit square, each moving by a fixed distance in a random direction
between two experiments, while heights and the level of all values change at random. Values are measured with noise. The first experiment is the same
for all. The score is how far the true value of what each way would use after an experiment is from the best possible one, mean over the experiments
that follow. Decisions are the ones of `flows/learning.py`: how often the champion is measured, how earlier results are taught, who wins.
"""

import argparse
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from multiprocessing import get_context
from typing import Any

import numpy as np
from scipy.special import stdtrit

from benchmarks.figures import table
from tasks.experiments.carrying import carry_over, champion_of, known_from
from tasks.experiments.verdict import FIRST, judge, repeats
from trialflow.metadata_keys import WINNER
from trialflow.optimizer_inputs import next_point
from trialflow.results.facts import is_known
from trialflow.service.store.known import earlier_task

Run = dict[str, Any]
BUDGET, FOLLOWING, NOISE = 16, 3, 0.05
DRIFTS = {"small (0.05)": 0.05, "medium (0.15)": 0.15}
WAYS = ("keeping the first best", "starting anew", "learning")
BODY: dict[str, Any] = {
    "parameters": [{"name": name, "type": "double", "bounds": {"min": 0.0, "max": 1.0}} for name in ("x", "z")],
    "metrics": [{"name": "y", "objective": "maximize", "strategy": "optimize"}],
    "budget": BUDGET,
}


class Peaks:
    """Five smooth peaks; each point has the value of the one that is highest there."""

    def __init__(self, rng: np.random.Generator, distance: float) -> None:
        self._rng, self._distance, self._level = rng, distance, 0.0
        self._at, self._height, self._width = rng.random((5, 2)), rng.uniform(0.4, 1.0, 5), rng.uniform(0.15, 0.3, 5)

    @property
    def best(self) -> float:
        """The best value that there is."""
        return float(self._level + self._height.max())

    def __call__(self, assignments: dict[str, float]) -> float:
        """The true value of a point."""
        point = np.array([assignments["x"], assignments["z"]])
        return float(self._level + np.max(self._height * np.exp(-np.sum((point - self._at) ** 2, axis=1) / (2 * self._width**2))))

    def drift(self) -> None:
        """The data changes."""
        way = self._rng.normal(size=self._at.shape)
        self._at = np.clip(self._at + way * self._distance / np.linalg.norm(way, axis=1, keepdims=True), 0, 1)
        self._height = np.clip(self._height + self._rng.normal(0, 0.1, 5), 0.3, 1.2)
        self._level += self._rng.normal(0, 0.3)


class Experiment:
    """One experiment: its training runs, and the ways to make more."""

    def __init__(self, number: int, seed: int, measure: Callable[[dict[str, float]], float]) -> None:
        self.body = {**BODY, "id": str(number)}
        self.runs: list[Run] = []
        self._seed, self._measure = seed, measure

    @property
    def own(self) -> list[Run]:
        """Those that were measured for it."""
        return [run for run in self.runs if not is_known(run)]

    def add(self, body: Run) -> None:
        """Add a training run that has completed."""
        number = str(len(self.runs) + 1)
        self.runs.append({"id": number, "name": f"run-{number}", "experiment": self.body["id"], "state": "completed", "dev_metadata": {}, **body})

    def measure(self, point: dict[str, float]) -> None:
        """Execute a training run."""
        self.add({"assignments": point, "values": {"y": {"value": self._measure(point)}}})

    def search(self, until: int) -> None:
        """Execute training runs that the optimizer suggests, until there are so many."""
        while len(self.own) < until:
            rows = [_observation(run) for run in self.runs]
            self.measure(dict(next_point(self.body, rows, [], seed=self._seed).assignments))

    def best(self) -> dict[str, float]:
        """The assignments with the best measured value."""
        return max(self.own, key=lambda run: run["values"]["y"]["value"])["assignments"]

    def learn(self, last: "Experiment") -> dict[str, float]:
        """As `flows/learning.py` does."""
        carried = carry_over(self.body, last.body, last.runs)
        champion = champion_of(self.body, last.body, carried)
        assert champion is not None
        point = champion["assignments"]
        for _ in range(FIRST):
            self.measure(point)
        again = repeats(BUDGET, [run["values"]["y"]["value"] for run in self.own])
        for run in reversed(carried.runs):
            self.add(known_from(last.body, run))
        self.search(BUDGET - 2 * again)
        verdict = judge(self.body, self.own, point)
        assert verdict is not None and verdict.challenger is not None
        for side in [point, dict(verdict.challenger.assignments)] * again:
            self.measure(side)
        verdict = judge(self.body, self.own, point)
        assert verdict is not None
        self.body["metadata"] = {WINNER: verdict.winner.training_run}
        return dict(verdict.winner.assignments)


def _observation(run: Run) -> Run:
    """As the service keeps it."""
    values = [{"name": "y", **run["values"]["y"]}]
    return {"assignments": run["assignments"], "values": values, "failed": False, "task": earlier_task({"data": run})}


def regret(way: str, distance: float, seed: int) -> float:
    """The mean regret of one way after each of the experiments that follow the first."""
    problem, rng = Peaks(np.random.default_rng([seed, 1]), distance), np.random.default_rng([seed, 2])

    def measure(point: dict[str, float]) -> float:
        return problem(point) + NOISE * rng.normal()

    last = Experiment(1, seed * 100, measure)
    last.search(BUDGET)
    used, regrets = last.best(), []
    for number in range(2, FOLLOWING + 2):
        problem.drift()
        if way != WAYS[0]:
            now = Experiment(number, seed * 100 + number, measure)
            if way == WAYS[2]:
                used = now.learn(last)
            else:
                now.search(BUDGET)
                used = now.best()
            last = now
        regrets.append(problem.best - problem(used))
    return float(np.mean(regrets))


def interval(values: np.ndarray) -> str:
    """The mean with its 95 % interval (Student)."""
    width = float(stdtrit(len(values) - 1, 0.975)) * values.std(ddof=1) / len(values) ** 0.5
    return f"{values.mean():.3f} ({values.mean() - width:.3f} to {values.mean() + width:.3f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=24)
    seeds = parser.parse_args().seeds
    os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")  # for the processes of the pool
    asked = list(product(WAYS, DRIFTS.values(), range(seeds)))
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        found = dict(zip(asked, pool.map(regret, *zip(*asked, strict=True)), strict=True))
    rows = []
    for name, distance in DRIFTS.items():
        scores = {way: np.array([found[way, distance, seed] for seed in range(seeds)]) for way in WAYS}
        gains = [interval(scores[way] - scores["learning"]) for way in WAYS[:2]]
        rows.append([name, *(interval(scores[way]) for way in WAYS), *gains])
    columns = ["peaks move by", *WAYS, "gain over keeping", "gain over anew"]
    print(f"Regret after an experiment of {BUDGET} training runs, {seeds} seeds, means with 95 % intervals; 0 is the best possible.\n")
    print(table(columns, rows))


if __name__ == "__main__":
    main()
