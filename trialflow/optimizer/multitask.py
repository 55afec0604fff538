"""Multi-fidelity: tasks train the same model for less. The next task is the one that tells most about the full one for its cost."""

from collections.abc import Sequence

import numpy as np

from trialflow.optimizer.gp import GaussianProcess

Array = np.ndarray
FULL_ALWAYS = 0.75
"""From this share of the budget on only the full task is asked: what counts in the end are its values."""
STRANGE = 0.3
"""A task whose correlation with the full one is below this tells nothing that can be relied on."""


def initial_cost(costs: Sequence[float], number: int) -> float:
    """The task of the start's point `number`: the cheapest one, every third time the full one, so that both are known."""
    return 1.0 if number % 3 == 2 else min(costs)


def most_informative_cost(process: GaussianProcess, row: Array, costs: Sequence[float], spent: float, budget: float | None) -> float:
    """The cost of the task that lessens the variance at full cost of `row` (width,) most for what it takes.

    `spent` and `budget` are in units of the full cost; no budget, no end to save for.
    """
    if budget is not None and spent >= FULL_ALWAYS * budget:
        return 1.0
    full = np.append(row, 0.0)[None]
    variance = float(process.covariance(full, full)[0, 0])
    noise = float(np.exp(process.theta[-2]))
    best, most = 1.0, variance / (variance + noise)
    for cost in sorted(costs, reverse=True):
        cheap = np.append(row, cost_coordinate(np.array([cost])))[None]
        own, shared = float(process.covariance(cheap, cheap)[0, 0]), float(process.covariance(full, cheap)[0, 0])
        told = shared**2 / max(variance * (own + noise), 1e-300)
        if cost < 1.0 and told > STRANGE**2 and told / cost > most:
            best, most = cost, told / cost
    return best


def cost_coordinate(costs: Array) -> Array:
    """Where tasks of these costs lie beside the full one, which is at 0: cheap ones far, in logarithms."""
    return -0.5 * np.log10(np.clip(costs, 1e-6, 1.0))
