"""Whether an experiment has reason to stop, as the core API's stopping criteria say it. Pure.

Advice only: nothing is stopped, and trialflow's own flows go by the budget.
"""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

Row = Mapping[str, Any]
LOOK_BACK = 5
"""Observations without progress, for each parameter, that are called stagnation. SigOpt's number, as is the next."""
TOP = 5
"""What is new has to be better than the best of the old but so many less one, for progress."""
STAGNATION, BUDGET = "possible_stagnation", "observation_budget_reached"


def stopping_reasons(body: Row, rows: Sequence[Row], *, consumed: float) -> list[str]:
    """Why an experiment with this body could stop; none if it should go on.

    `rows` are its observations, oldest first, with `values` and `failed`; `consumed` is what they cost of the budget. The budget is a reason once it
    is exceeded, not when it is met: that is how SigOpt has it. A front or several solutions stagnate only after that, and a search never does.
    """
    budget = body.get("budget")
    is_over = budget is not None and consumed > budget
    optimized = [one for one in body["metrics"] if one.get("strategy") in (None, "optimize")]
    is_front = len(optimized) > 1 or (body.get("num_solutions") or 1) > 1
    depth = LOOK_BACK * len(body["parameters"])
    is_stagnant = False
    if optimized and len(rows) >= depth + TOP and (is_over or not is_front):
        gains = [_gains(optimized, row) for row in rows]
        if is_front:
            is_stagnant = front(gains[:-depth]) == front(gains)
        else:
            is_stagnant = sorted(gains[:-depth])[-TOP] >= max(gains[-depth:])
    return [*([STAGNATION] if is_stagnant else []), *([BUDGET] if is_over else [])]


def front(gains: Sequence[tuple[float, ...]]) -> set[tuple[float, ...]]:
    """Those of one or two gains each, more being better, that none of the others is better than in every respect."""
    reached, found = -inf, set()
    for one in sorted(set(gains), reverse=True):  # best first gain first: on the front is what is better in the last than all before
        if one[-1] > reached:
            reached = one[-1]
            found.add(one)
    return found


def _gains(metrics: Sequence[Row], row: Row) -> tuple[float, ...]:
    """The values of an observation, more being better; a failure is worse than everything."""
    values = {one["name"]: one["value"] for one in row["values"]}
    if row["failed"]:
        return (-inf,) * len(metrics)
    return tuple(-values[one["name"]] if one.get("objective") == "minimize" else values[one["name"]] for one in metrics)
