"""When the next suggestion is computed before it is asked for, and when one that was computed has become stale. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Snapshot:
    """The state of an experiment that a suggestion follows from: the same snapshot always gives the same suggestion.

    `history` counts changes of the experiment and of what was observed before, `last` is the newest observation's id, `pending` the ids of open
    suggestions.
    """

    history: int
    last: int
    pending: tuple[int, ...]


def stale_reason(ready: Snapshot, now: Snapshot) -> str | None:
    """Why a suggestion computed from the snapshot `ready` is stale for `now`; None if it is not.

    Any difference counts: the same history has to give the same suggestion whether or not there was time to compute it ahead.
    """
    if ready.history != now.history:
        return "the experiment or an earlier observation changed"
    if ready.last != now.last:
        return "there is a new observation"
    if ready.pending != now.pending:
        return "other suggestions are pending"
    return None


def should_precompute(*, pending: int, bandwidth: int, observed: float, budget: float | None) -> bool:
    """Whether the next suggestion is likely to be asked for before anything else is observed.

    Once `bandwidth` suggestions are pending it is not: the next event is an observation, which makes the suggestion a different one, and computing it
    would stand in the way of that. Nor when what is `observed` and pending takes all of the budget.
    """
    return pending < bandwidth and (budget is None or observed + pending < budget)
