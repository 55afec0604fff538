"""What training runs cost on nodes whose prices are known: shown, and limited by max_cost."""

import json
import secrets
from pathlib import Path

import pytest

from tests import given
from tests.e2e.namespaces import delete_namespace
from tests.e2e.users import User

EXPERIMENT = """\
name: dear
parameters:
  - {name: x, type: double, bounds: {min: 0, max: 1}}
metrics:
  - {name: y, strategy: optimize, objective: maximize}
type: random
parallel_bandwidth: 2
budget: 40
max_cost: MOST
"""
PRICE = 3600
"""A dollar a second."""
pytestmark = [pytest.mark.cluster, pytest.mark.slow]


def test_an_experiment_that_has_cost_what_it_may_starts_no_more_and_goes_on_when_it_may_cost_more(user: User) -> None:
    name, namespace = f"cost-{secrets.token_hex(3)}", f"trialflow-aws-{secrets.token_hex(4)}"
    folder = Path(user.folder)
    prices = {f"kubernetes.io/hostname={node}": PRICE for node in ("node1", "node2")}
    cluster = {"provider": "custom", "cluster_name": name, "namespace": namespace, "kubeconfig": given.kubeconfig(), "prices": prices}
    (folder / "cluster.yml").write_text(json.dumps(cluster))
    model = {"run": "sleep 3; echo y=$TRIALFLOW_PARAM_X", "image": f"{given.registry()}/python:3.11-slim", "metrics": {"y": "y=(.*)"}}
    (folder / "run.yml").write_text(json.dumps(model))
    (folder / "experiment.yml").write_text(EXPERIMENT.replace("MOST", "6"))
    try:
        code, _, said = user.type("cluster", "connect", "-f", "cluster.yml")
        assert code == 0, said
        code, out, said = user.type("cluster", "optimize", "-o", "json")
        assert code == 4, said
        assert "starts no more training runs: about $" in said and "max_cost is 6" in said and "hint: raise max_cost" in said
        experiment = json.loads(user.type("experiment", "list", "-o", "json")[1])[0]
        before = int(str(experiment.get("done", experiment.get("done/budget", "0"))).partition("/")[0])
        assert before < 40
        code, out, _ = user.type("cluster", "status", "-o", "json")
        assert code == 0 and {one["price"] for one in json.loads(out)["nodes"] if one["name"] in ("node1", "node2")} == {PRICE}
        (folder / "experiment.yml").write_text(EXPERIMENT.replace("MOST", "1000000").replace("budget: 40", f"budget: {before + 2}"))
        code, out, said = user.type("cluster", "optimize", "-o", "json")
        assert code == 0, said
        assert json.loads(out)["done"] == before + 2 and json.loads(out)["cost"] > 6
    finally:
        delete_namespace(given.kubeconfig(), namespace)
        user.type("cluster", "disconnect", name)
