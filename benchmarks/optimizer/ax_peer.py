"""Ax with BoTorch, with its own choice of method."""

import logging
import warnings
from collections.abc import Mapping
from typing import Any

from benchmarks.optimizer.problem import Problem


class Ax:
    """Constraints through its own ways; parameters of all branches of a conditional are part of its points, and ignored where inactive."""

    def __init__(self, problem: Problem, seed: int) -> None:
        warnings.filterwarnings("ignore")
        import torch
        from ax.api.client import Client
        from ax.api.configs import ChoiceParameterConfig, RangeParameterConfig

        torch.set_num_threads(1)
        torch.manual_seed(seed)
        logging.disable(logging.WARNING)
        self._problem = problem
        self._client = Client(random_seed=seed)
        parameters: list[Any] = []
        for one in problem.space.conditionals:
            parameters.append(ChoiceParameterConfig(name=one.name, values=list(one.values), parameter_type="str", is_ordered=False))
        for one in problem.space.parameters:
            if one.values is not None:
                kind: Any = "str" if one.type == "categorical" else "int" if one.type == "int" else "float"
                values: Any = list(one.values)
                parameters.append(ChoiceParameterConfig(name=one.name, values=values, parameter_type=kind, is_ordered=one.type != "categorical"))
            else:
                assert one.bounds is not None
                kind = "int" if one.type == "int" else "float"
                parameters.append(RangeParameterConfig(name=one.name, bounds=one.bounds, parameter_type=kind, scaling="log" if one.log else "linear"))
        linear = [" + ".join(f"{weight} * {name}" for name, weight in one.terms) + f" <= {one.threshold}" for one in problem.space.linear_constraints]
        self._client.configure_experiment(parameters=parameters, parameter_constraints=linear)
        constrained = {"outcome_constraints": ["c <= 0.0"]} if problem.constraint else {}
        self._client.configure_optimization(objective="-f, -g" if problem.second else "-f", **constrained)

    def ask(self) -> tuple[Any, Mapping[str, Any]]:
        """The next trial. All parameters are given; those of branches that were not chosen play no part."""
        ((name, point),) = self._client.get_next_trials(max_trials=1).items()
        space = self._problem.space
        active = [one.name for one in space.parameters if space.is_active(one, point)]
        return name, {key: point[key] for key in (*(one.name for one in space.conditionals), *active)}

    def tell(self, name: Any, values: Mapping[str, float] | None) -> None:
        """A finished trial."""
        if values is None:
            self._client.mark_trial_failed(name)
            return
        self._client.complete_trial(name, raw_data={key: value for key, value in values.items()})
