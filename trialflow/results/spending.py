"""What training runs have cost, by node hours: a node costs its price from the moment that one of them uses it until none does. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

from trialflow.api_types import TrainingRun
from trialflow.metadata_keys import MAX_COST, NODE_USE

HOUR = 3600.0


@dataclass(frozen=True)
class NodeUse:
    """A training run had a node to itself, or shared it, from `begun` to `ended` (epoch seconds). `price` is the node's, in dollars an hour."""

    node: str
    price: float
    begun: float
    ended: float

    def __str__(self) -> str:
        return f"{self.node} {self.price:.6g} {self.begun:.0f} {self.ended:.0f}"

    @classmethod
    def parse(cls, text: Any) -> "NodeUse | None":
        """The use that was written down; None for what is none, as anybody can write metadata."""
        parts = text.split() if isinstance(text, str) else []
        try:
            price, begun, ended = map(float, parts[1:])
        except ValueError:
            return None
        is_sound = all(map(isfinite, (price, begun, ended))) and price >= 0 and ended >= begun
        return cls(parts[0], price, begun, ended) if is_sound else None


def uses_of(run: TrainingRun) -> list[NodeUse]:
    """The nodes that the attempts of a training run used."""
    return uses_in(run.get("dev_metadata") or {})


def uses_in(dev_metadata: Mapping[str, Any]) -> list[NodeUse]:
    """The nodes that the metadata of a training run name."""
    return [use for name, text in dev_metadata.items() if name.startswith(NODE_USE) and (use := NodeUse.parse(text))]


def spent(uses: Iterable[NodeUse]) -> float | None:
    """Dollars; None if no use of a node with a price is known. What several training runs shared is counted once."""
    nodes: dict[tuple[str, float], list[NodeUse]] = defaultdict(list)
    for use in uses:
        nodes[use.node, use.price].append(use)
    if not nodes:
        return None
    return sum(price * _seconds(shared) / HOUR for (_, price), shared in nodes.items())


def spent_on(runs: Sequence[TrainingRun]) -> float | None:
    """What training runs have cost together; None if that is not known of any."""
    return spent(use for run in runs for use in uses_of(run))


def max_cost_of(experiment: Mapping[str, Any]) -> float | None:
    """The `max_cost` of an experiment as the service tells it; None if it has none."""
    kept = (experiment.get("metadata") or {}).get(MAX_COST)
    return float(kept) if isinstance(kept, int | float) and not isinstance(kept, bool) else None


def dollars(amount: float | None) -> str | None:
    """An amount for people; None if it is not known."""
    if amount is None:
        return None
    return f"${amount:.2f}" if amount >= 0.01 or amount == 0 else "<$0.01"


def price_of(labels: Mapping[str, str], prices: Mapping[str, float]) -> float | None:
    """The price of a node with these labels, by `label=value`; the dearest if several fit, None if none does."""
    return max((price for label, price in prices.items() if f"{labels.get(label.partition('=')[0])}" == label.partition("=")[2]), default=None)


def _seconds(uses: Iterable[NodeUse]) -> float:
    """How long at least one of them lasted."""
    total, until = 0.0, float("-inf")
    for use in sorted(uses, key=lambda one: one.begun):
        total += max(0.0, use.ended - max(use.begun, until))
        until = max(until, use.ended)
    return total
