"""Optuna's TPE, with the settings its documentation gives for parallel work, and its Gaussian process with those that it has by itself."""

import warnings
from collections.abc import Mapping
from typing import Any

from benchmarks.optimizer.problem import Problem, breach
from trialflow.optimizer import Parameter


class _Study:
    """A study; constraint metrics and linear constraints through Optuna's own way."""

    def __init__(self, problem: Problem, make_sampler: Any) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.ERROR)
        warnings.filterwarnings("ignore", module="optuna")
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self._problem = problem
        self._failed = optuna.trial.TrialState.FAIL
        self._limits = bool(problem.constraint or problem.space.linear_constraints)
        constrained = {"constraints_func": lambda trial: trial.user_attrs.get("c", (1.0,))} if self._limits else {}
        self._study = optuna.create_study(sampler=make_sampler(optuna.samplers, constrained), directions=["minimize"] * (2 if problem.second else 1))

    def ask(self) -> tuple[Any, Mapping[str, Any]]:
        """The next trial; one that breaks a linear constraint is told as such at once and asked again, as a user would."""
        while True:
            trial = self._study.ask()
            point: dict[str, Any] = {one.name: trial.suggest_categorical(one.name, list(one.values)) for one in self._problem.space.conditionals}
            for one in self._problem.space.parameters:
                if self._problem.space.is_active(one, point):
                    point[one.name] = _value(trial, one)
            over = breach(self._problem, point)
            if not self._problem.space.linear_constraints or over <= 0:
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
        self._study.tell(name, [values["f"], values["g"]] if self._problem.second else values["f"])


class OptunaTPE(_Study):
    """Multivariate where there are no conditionals, with a constant liar for what is open."""

    def __init__(self, problem: Problem, seed: int) -> None:
        more = {"constant_liar": True, "multivariate": not problem.space.conditionals}
        super().__init__(problem, lambda samplers, constrained: samplers.TPESampler(seed=seed, **more, **constrained))


class OptunaGP(_Study):
    """As it comes; told where there is no noise, since it asks for that."""

    def __init__(self, problem: Problem, seed: int) -> None:
        more = {"deterministic_objective": problem.noise == 0}
        super().__init__(problem, lambda samplers, constrained: samplers.GPSampler(seed=seed, **more, **constrained))


def _value(trial: Any, one: Parameter) -> Any:
    if one.values is not None:
        return trial.suggest_categorical(one.name, list(one.values))
    assert one.bounds is not None
    if one.type == "int":
        return trial.suggest_int(one.name, int(one.bounds[0]), int(one.bounds[1]), log=one.log)
    return trial.suggest_float(one.name, *one.bounds, log=one.log)
