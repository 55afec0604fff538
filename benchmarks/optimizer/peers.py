"""Who suggests: trialflow, random points, and Optuna's TPE. Each has `ask() -> (number, point)` and `tell(number, values or None)`."""

from collections.abc import Mapping
from typing import Any, Protocol

from benchmarks.optimizer.problem import Problem
from trialflow.optimizer import Observation, Parameter, Value, suggest

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


class Optuna:
    """Optuna's TPE with the settings its documentation gives for parallel work; linear constraints and constraint metrics through its own way."""

    def __init__(self, problem: Problem, seed: int) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        import warnings

        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._problem = problem
        self._failed = optuna.trial.TrialState.FAIL
        constrained = {"constraints_func": lambda trial: trial.user_attrs.get("c", (1.0,))} if self._limits else {}
        sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True, multivariate=not problem.space.conditionals, **constrained)
        self._study = optuna.create_study(sampler=sampler)

    @property
    def _limits(self) -> bool:
        return bool(self._problem.constraint or self._problem.space.linear_constraints)

    def ask(self) -> Asked:
        """The next trial; one that breaks a linear constraint is told as such at once and asked again, as a user would."""
        while True:
            trial = self._study.ask()
            point: dict[str, Any] = {one.name: trial.suggest_categorical(one.name, list(one.values)) for one in self._problem.space.conditionals}
            for one in self._problem.space.parameters:
                if self._problem.space.is_active(one, point):
                    point[one.name] = _value(trial, one)
            over = _over(self._problem, point)
            if not over or over <= 0:
                return trial, point
            trial.set_user_attr("c", (over,))
            self._study.tell(trial, 1e3)

    def tell(self, name: Any, values: Mapping[str, float] | None) -> None:
        """A finished trial."""
        if values is None:
            self._study.tell(name, state=self._failed)
            return
        if self._limits:
            name.set_user_attr("c", (values.get("c", 0.0),))
        self._study.tell(name, values["f"])


def _value(trial: Any, one: Parameter) -> Any:
    if one.values is not None:
        return trial.suggest_categorical(one.name, list(one.values))
    assert one.bounds is not None
    if one.type == "int":
        return trial.suggest_int(one.name, int(one.bounds[0]), int(one.bounds[1]))
    return trial.suggest_float(one.name, *one.bounds, log=one.log)


def _over(problem: Problem, point: Mapping[str, Any]) -> float:
    """How far a point is over the worst linear constraint of kind less_than; 0 without any."""
    return max([sum(weight * point[name] for name, weight in one.terms) - one.threshold for one in problem.space.linear_constraints], default=0.0)


PEERS = {
    "trialflow": Ours,
    "random": lambda problem, seed: Ours(problem, seed, "random"),
    "optuna tpe": Optuna,
}
