"""SMAC: its random forest with the settings that it has for hyperparameters."""

import logging
import math
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.optimizer.problem import Problem, breach, finite
from trialflow.optimizer import Parameter


class Smac:
    """Two metrics by ParEGO. It knows no constraints: a training run that breaks a metric's is told as crashed, with the worst value seen (that is
    also what a failure is told with: it takes no infinite ones), and a point that breaks a linear one is told so and asked for again.

    Its budget is the one it has by default, 100, of which it spends a quarter at most on the start. It is told that nothing is random, since by this
    benchmark's score a repeated point gains nothing.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        warnings.filterwarnings("ignore")
        from ConfigSpace import ConfigurationSpace
        from smac import HyperparameterOptimizationFacade, Scenario
        from smac.multi_objective.parego import ParEGO

        logging.disable(logging.WARNING)
        self._problem = problem
        self._space = ConfigurationSpace(seed=seed)
        self._fill()
        self._folder = tempfile.TemporaryDirectory()  # it wants to keep what it does
        self._worst = [-math.inf] * (2 if problem.second else 1)
        objectives: Any = ["f", "g"] if problem.second else "f"
        scenario = Scenario(self._space, output_directory=Path(self._folder.name), deterministic=True, objectives=objectives, seed=seed)
        several = {"multi_objective_algorithm": ParEGO(scenario)} if problem.second else {}
        self._smac = HyperparameterOptimizationFacade(scenario, _never_called, logging_level=False, overwrite=True, **several)

    def _fill(self) -> None:
        from ConfigSpace import CategoricalHyperparameter, InCondition

        space = self._problem.space
        for one in space.conditionals:
            self._space.add(CategoricalHyperparameter(one.name, list(one.values)))
        for one in space.parameters:
            self._space.add(_parameter(one))
        for one in space.parameters:
            for name, values in one.conditions.items():
                self._space.add(InCondition(self._space[one.name], self._space[name], list(values)))

    def ask(self) -> tuple[Any, Mapping[str, Any]]:
        """The next trial that satisfies the linear constraints."""
        from smac.runhistory.dataclasses import TrialValue
        from smac.runhistory.enumerations import StatusType

        while True:
            trial = self._smac.ask()
            point = {
                name: value if isinstance(value, str) else value.item() if hasattr(value, "item") else value for name, value in trial.config.items()
            }
            if breach(self._problem, point) <= 0:
                return trial, point
            self._smac.tell(trial, TrialValue(cost=self._costs(self._worst), status=StatusType.CRASHED), save=False)

    def tell(self, name: Any, values: Mapping[str, float] | None) -> None:
        """A finished trial."""
        from smac.runhistory.dataclasses import TrialValue
        from smac.runhistory.enumerations import StatusType

        if values is not None:
            found = [values[one] for one in "fg" if one in values]
            self._worst = [max(pair) for pair in zip(found, self._worst, strict=True)]
            if values.get("c", 0.0) <= 0:
                self._smac.tell(name, TrialValue(cost=self._costs(found)), save=False)
                return
        self._smac.tell(name, TrialValue(cost=self._costs(self._worst), status=StatusType.CRASHED), save=False)

    def _costs(self, values: list[float]) -> Any:
        costs = finite(values)
        return costs if len(costs) > 1 else costs[0]


def _never_called(config: Any, seed: int = 0) -> float:
    raise NotImplementedError("points are asked for and told about")


def _parameter(one: Parameter) -> Any:
    from ConfigSpace import CategoricalHyperparameter, OrdinalHyperparameter, UniformFloatHyperparameter, UniformIntegerHyperparameter

    if one.values is not None and one.type == "categorical":
        return CategoricalHyperparameter(one.name, list(one.values))
    if one.values is not None:
        return OrdinalHyperparameter(one.name, list(one.values))
    assert one.bounds is not None
    kind: Any = UniformIntegerHyperparameter if one.type == "int" else UniformFloatHyperparameter
    return kind(one.name, *one.bounds, log=one.log)
