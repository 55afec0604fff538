"""HEBO: its Gaussian process for one metric, its general one for two metrics or a constraint."""

import math
import random
import warnings
from collections.abc import Mapping
from typing import Any

from benchmarks.optimizer.problem import Problem, breach, finite
from trialflow.optimizer import Parameter


class Hebo:
    """It knows no conditionals (all parameters are in its space, the inactive ones are left out of what is measured), no failures (told with the
    worst value seen, since it drops what is not finite), no linear constraints (a point that breaks one is told so and asked for again), and nothing
    of what is open.
    """

    def __init__(self, problem: Problem, seed: int) -> None:
        warnings.filterwarnings("ignore")
        import numpy as np
        import torch
        from hebo.design_space.design_space import DesignSpace
        from hebo.optimizers.general import GeneralBO
        from hebo.optimizers.hebo import HEBO

        random.seed(seed)
        np.random.seed(seed)  # it draws from the global generators
        torch.manual_seed(seed)
        self._problem = problem
        conditionals = [{"name": one.name, "type": "cat", "categories": list(one.values)} for one in problem.space.conditionals]
        space = DesignSpace().parse(conditionals + [_parameter(one) for one in problem.space.parameters])
        self._names = [one.name for one in problem.metrics]
        constraints = 1 if problem.constraint else 0
        several = len(self._names) > 1
        self._hebo: Any = GeneralBO(space, len(self._names) - constraints, constraints) if several else HEBO(space, scramble_seed=seed)
        self._worst = [-math.inf] * len(self._names)

    def ask(self) -> tuple[Any, Mapping[str, Any]]:
        """The next point that satisfies the linear constraints."""
        while True:
            rows = self._hebo.suggest(n_suggestions=1)
            drawn, space = rows.iloc[0], self._problem.space
            point: dict[str, Any] = {one.name: str(drawn[one.name]) for one in space.conditionals}
            point |= {one.name: _value(one, drawn[one.name]) for one in space.parameters if space.is_active(one, point)}
            if breach(self._problem, point) <= 0:
                return rows, point
            self._observe(rows, self._worst)

    def tell(self, name: Any, values: Mapping[str, float] | None) -> None:
        """A finished trial."""
        if values is not None:
            self._worst = [max(values[one], worst) for one, worst in zip(self._names, self._worst, strict=True)]
        self._observe(name, self._worst if values is None else [values[one] for one in self._names])

    def _observe(self, rows: Any, found: list[float]) -> None:
        import numpy as np

        self._hebo.observe(rows, np.array([finite(found)]))


def _parameter(one: Parameter) -> dict[str, Any]:
    if one.values is not None and one.type == "categorical":
        return {"name": one.name, "type": "cat", "categories": list(one.values)}
    if one.values is not None:
        return {"name": one.name, "type": "int", "lb": 0, "ub": len(one.values) - 1}
    assert one.bounds is not None
    low, high = one.bounds
    kind = {("int", True): "pow_int", ("int", False): "int", ("double", True): "pow", ("double", False): "num"}[one.type, one.log]
    return {"name": one.name, "type": kind, "lb": low, "ub": high} | ({"base": 10} if kind == "pow" else {})


def _value(one: Parameter, drawn: Any) -> Any:
    if one.values is not None:
        return str(drawn) if one.type == "categorical" else list(one.values)[int(drawn)]
    return int(drawn) if one.type == "int" else float(drawn)
