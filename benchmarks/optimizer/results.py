"""Searches that are done, in a file of one JSON line each: what is interrupted goes on where it was."""

import json
import math
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Trace:
    """The score after each observation (inf while there is nothing), and the mean CPU seconds of a suggestion."""

    best: list[float]
    cpu: float


@dataclass(frozen=True)
class Search:
    """What makes a search the same as another."""

    peer: str
    problem: str
    seed: int
    budget: int
    open: int


class Results:
    """The searches of a file; lines that were cut off are left out, and searched again."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._found: dict[Search, Trace] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            try:
                one = json.loads(line)
            except ValueError:
                continue
            best = [math.inf if value is None else value for value in one.pop("best")]
            trace = Trace(best, one.pop("cpu"))
            self._found[Search(**one)] = trace

    def __contains__(self, search: Search) -> bool:
        return search in self._found

    def add(self, search: Search, trace: Trace) -> None:
        """Keep a search that is done."""
        self._found[search] = trace
        best = [None if math.isinf(value) else float(f"{value:.6g}") for value in trace.best]
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a") as file:
            file.write(json.dumps({**search.__dict__, "best": best, "cpu": round(trace.cpu, 5)}) + "\n")

    def traces(self, budget: int, open_at_once: int) -> dict[str, dict[str, list[Trace]]]:
        """Peer -> problem -> its searches by seed, those with so many open and this budget, or the beginnings of those with a larger one."""
        found: dict[str, dict[str, dict[int, Trace]]] = defaultdict(lambda: defaultdict(dict))
        for search, trace in sorted(self._found.items(), key=lambda one: (one[0].seed, -one[0].budget)):
            if search.budget >= budget and search.open == open_at_once:
                found[search.peer][search.problem][search.seed] = Trace(trace.best[:budget], trace.cpu)
        return {peer: {name: list(seeds.values()) for name, seeds in problems.items()} for peer, problems in found.items()}
