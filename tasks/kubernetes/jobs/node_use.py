"""Which nodes training runs use, and what those cost: the cluster's prices by the labels of nodes."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterError
from tasks.kubernetes.client.requests import ask
from tasks.kubernetes.jobs.ending import node_of
from trialflow.results.spending import NodeUse, price_of

Json = Mapping[str, Any]


class NodePrices:
    """The prices of the nodes that were asked about. Without `prices` nothing is asked, and nothing costs."""

    def __init__(self, connection: Connection, prices: Mapping[str, float]) -> None:
        self._connection = connection
        self._prices = prices
        self._known: dict[str, float | None] = {}

    async def learn(self, pod: Json) -> None:
        """Find out what the node of a pod costs. Never an error: a node that may not be looked at has no known price."""
        name = node_of(pod)
        if not self._prices or not name or name in self._known:
            return
        try:
            node = await ask(self._connection, "GET", f"/api/v1/nodes/{name}", what=f"look at node {name}")
        except ClusterError:
            return
        self._known[name] = price_of(node["metadata"].get("labels") or {}, self._prices)

    def use(self, pod: Json, until: float) -> NodeUse | None:
        """The use that a pod makes of its node; None while it has none, or if its price is not known."""
        price, begun = self._known.get(node_of(pod)), (pod.get("status") or {}).get("startTime")
        if price is None or not begun:
            return None
        since = datetime.fromisoformat(begun).timestamp()
        return NodeUse(node_of(pod), price, since, max(since, until))

    def uses(self, pods: Iterable[Json], now: float) -> list[NodeUse]:
        """The uses of all these pods up to now."""
        return [use for pod in pods if (use := self.use(pod, now))]
