"""Who suggests: trialflow, random points, Optuna's TPE and GP, Ax with BoTorch, SMAC, HEBO. Each has `ask()` and `tell(name, values)`."""

import importlib.util
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from benchmarks.optimizer.ax_peer import Ax
from benchmarks.optimizer.hebo_peer import Hebo
from benchmarks.optimizer.optuna_peer import OptunaGP, OptunaTPE
from benchmarks.optimizer.problem import Problem
from benchmarks.optimizer.smac_peer import Smac
from trialflow.optimizer import Observation, Value, suggest

Asked = tuple[Any, Mapping[str, Any]]


class Peer(Protocol):
    """One search on one problem."""

    def ask(self) -> Asked:
        """A point to measure, and what to name it by."""
        ...

    def tell(self, name: Any, values: Mapping[str, float] | None) -> None:
        """What was measured; None for a failure."""
        ...


class Ours:
    """trialflow's own optimizer, or its random kind."""

    def __init__(self, problem: Problem, seed: int, kind: Any = "offline") -> None:
        self._problem, self._seed, self._kind = problem, seed, kind
        self._observations: list[Observation] = []
        self._pending: dict[int, dict] = {}
        self._count = 0

    def ask(self) -> Asked:
        """The next suggestion, with all open ones pending."""
        found = suggest(
            self._problem.space, self._problem.metrics, self._observations, list(self._pending.values()), seed=self._seed, kind=self._kind
        )
        self._count += 1
        self._pending[self._count] = found.assignments
        return self._count, found.assignments

    def tell(self, name: Any, values: Mapping[str, float] | None) -> None:
        """An observation."""
        point = self._pending.pop(name)
        self._observations.append(Observation(point, {metric: Value(value) for metric, value in (values or {}).items()}, values is None))


PEERS: dict[str, Callable[[Problem, int], Peer]] = {
    "random": lambda problem, seed: Ours(problem, seed, "random"),
    "trialflow": Ours,
    "optuna tpe": OptunaTPE,
    "optuna gp": OptunaGP,
    "ax": Ax,
    "smac": Smac,
    "hebo": Hebo,
}
NEEDED = {"optuna tpe": ("optuna",), "optuna gp": ("optuna", "torch"), "ax": ("ax", "botorch"), "smac": ("smac",), "hebo": ("hebo",)}
"""What has to be installed for a peer."""


def is_installed(peer: str) -> bool:
    """Whether a peer can take part here."""
    return all(importlib.util.find_spec(name) is not None for name in NEEDED.get(peer, ()))
