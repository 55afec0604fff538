"""`trialflow cluster status`, `stop`, `stop-all` and `clean`, on a real cluster with a real service; and how things are shown."""

import asyncio
import json
import os
import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tasks.compute import Attempt, Scope
from tasks.experiments.identifiers import Identifier, identifier
from tasks.images.facts import ImageFacts
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.jobs.workload import AttemptStatus
from tests import given
from trialflow.cli.cluster import tables
from trialflow.cli.main import call
from trialflow.errors import InvalidInput
from trialflow.home import Home
from trialflow.metadata_keys import REASON, STOPPED_BY_USER, UID
from trialflow.results.text import table

Capture = pytest.CaptureFixture[str]
EXPERIMENT = {
    "name": "tests",
    "parameters": [{"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}],
    "metrics": [{"name": "y", "strategy": "optimize", "objective": "maximize"}],
    "budget": 4,
    "type": "random",
}


@dataclass
class Place:
    """A namespace with one experiment, whose training runs are launched as a flow would."""

    home: Home
    cluster: Cluster
    image: str
    uid: str = field(default_factory=lambda: f"experiment-{secrets.token_hex(5)}")

    def experiment(self) -> dict[str, Any]:
        return asyncio.run(self._experiment())

    async def _experiment(self) -> dict[str, Any]:
        from trialflow.api.session import service_session

        async with service_session() as (_, client):
            await client.ensure_project("tests")
            return await client.create_experiment("tests", {**EXPERIMENT, "metadata": {UID: self.uid}})

    def launch(self, script: str, *, experiment: dict[str, Any] | None = None, **recipe: Any) -> dict[str, Any]:
        return asyncio.run(self._launch(script, experiment, recipe))

    async def _launch(self, script: str, experiment: dict[str, Any] | None, recipe: dict[str, Any]) -> dict[str, Any]:
        from tasks.kubernetes.client.connection import open_cluster
        from tasks.kubernetes.jobs.compute import KubernetesCompute
        from tasks.kubernetes.jobs.pod_template import PodTemplate
        from trialflow.api.session import service_session

        name = f"run-{secrets.token_hex(4)}"
        async with service_session() as (_, client), open_cluster(self.cluster) as connection:
            await client.ensure_project("tests")
            run = await (client.suggest_run(experiment["id"], name) if experiment else client.create_run("tests", {"name": name}))
            uid, number = (self.uid, str(experiment["id"])) if experiment else (name, None)
            made = PodTemplate(uid=uid, image=ImageFacts(self.image), **recipe)
            async with KubernetesCompute(connection, made, self.home.root / "kept", scope=Scope(uid, experiment_id=number)) as compute:
                await compute.launch(Attempt(run, 1, ["sh", "-c", script], "tests", experiment_id=number))
        return run

    def run(self, identifier: str) -> dict[str, Any]:
        async def read() -> dict[str, Any]:
            from trialflow.api.session import service_session

            async with service_session() as (_, client):
                return await client.run(identifier)

        return asyncio.run(read())

    def complete(self, run: dict[str, Any]) -> None:
        async def merge() -> None:
            from trialflow.api.session import service_session

            async with service_session() as (_, client):
                await client.merge_run(run["id"], {"state": "completed", "values": {"y": {"value": 1.0}}})

        asyncio.run(merge())

    def kubectl(self, *arguments: str) -> str:
        command = ["kubectl", "--kubeconfig", os.environ["TRIALFLOW_TEST_KUBECONFIG"], "--namespace", self.cluster.namespace, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def wait(self, run: dict[str, Any], what: str) -> None:
        self.kubectl("wait", f"--for={what}", "--timeout=90s", "pod", "--selector", f"trialflow.dev/training-run-name={run['name']}")

    def left(self) -> set[str]:
        """The Jobs, pods, ConfigMaps and Secrets of trialflow's that there are, by kind and name."""
        names = self.kubectl("get", "jobs,pods,configmaps,secrets", "--selector", "app.kubernetes.io/managed-by=trialflow", "-o", "name")
        return {name for name in names.split() if not name.startswith("pod/")} | {name[:16] for name in names.split() if name.startswith("pod/")}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.embedded import lease, service_server

    kubeconfig, registry = given.kubeconfig(), given.registry()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRIALFLOW_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SIGOPT_PROJECT", "tests")
    document, context = load_kubeconfig(kubeconfig, None, environ={})
    home = Home.from_environment()
    cluster = Cluster("mine", namespace=f"trialflow-status-{secrets.token_hex(4)}", kubeconfig=document, context=context)
    Clusters(home).save(cluster)
    place = Place(home, cluster, f"{registry}/python:3.11-slim")
    place.kubectl("create", "namespace", cluster.namespace)
    with lease(service_server(home)):
        yield place
    place.kubectl("delete", "namespace", cluster.namespace, "--wait=false")


def said(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = call(["cluster", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.mark.cluster
def test_status_shows_nodes_experiments_and_why_something_waits(place: Place, capsys: Capture) -> None:
    code, out, _ = said(capsys, "status")
    assert code == 0 and "nothing of trialflow's runs here" in out and "CPU" in out
    experiment = place.experiment()
    runs = place.launch("sleep 300", experiment=experiment)
    waits = place.launch("sleep 300", experiment=experiment, requests={"cpu": "500"})
    lone = place.launch("sleep 300")
    for run in (runs, lone):
        place.wait(run, "jsonpath={.status.phase}=Running")
    code, out, _ = said(capsys, "status", "-o", "json")
    seen = json.loads(out)
    assert (
        code == 0
        and seen["experiments"][0] | {"id": str(experiment["id"]), "running": 1, "pending": 1, "done/budget": "0/4"} == seen["experiments"][0]
    )
    assert len(seen["training_runs"]) == 3 and all(node["ready"] for node in seen["nodes"])
    code, out, _ = said(capsys, "status", "-o", "name")
    assert out.split() == [f"experiment/{experiment['id']}", f"run/{lone['id']}"]
    code, out, _ = said(capsys, "status", f"experiment/{experiment['id']}")
    assert code == 0 and "no node fits: not enough free cpu" in out and runs["name"] in out and lone["name"] not in out
    code, out, _ = said(capsys, "status", waits["name"], f"run/{lone['id']}", "run/999")
    assert code == 1 and "FailedScheduling" in out and f"Job {lone['name']}" in out
    code, out, _ = said(capsys, "status")
    assert "tests" in out and lone["name"] in out and "Running" in out


@pytest.mark.cluster
def test_stop_ends_a_training_run_as_failed_and_an_experiment_so_that_nothing_is_left(place: Place, capsys: Capture) -> None:
    experiment = place.experiment()
    first, second = (place.launch("sleep 300", experiment=experiment) for _ in range(2))
    lone = place.launch("sleep 300")
    for run in (first, second, lone):
        place.wait(run, "jsonpath={.status.phase}=Running")
    code, _, words = said(capsys, "stop", first["name"])
    assert code == 2 and f"trialflow cluster stop {first['name']} --cluster-name mine --yes" in words
    code, out, words = said(capsys, "stop", first["name"], f"run/{lone['id']}", "experiment/99", "--yes")
    assert code == 1 and out == f"run/{first['id']}: deleted\nrun/{lone['id']}: deleted\n" and "there is no experiment 99" in words
    for run in (first, lone):
        ended = place.run(run["id"])
        assert (ended["state"], ended["dev_metadata"][REASON]) == ("failed", STOPPED_BY_USER)
    assert place.left() == {f"job.batch/{second['name']}", f"pod/{second['name']}"[:16], f"configmap/{place.uid}"}
    code, out, _ = said(capsys, "stop", f"run/{lone['id']}", "--yes")
    assert code == 0 and "nothing of it is on the cluster; it is failed" in out
    code, out, _ = said(capsys, "stop", f"experiment/{experiment['id']}", "--yes")
    assert code == 0 and out == f"experiment/{experiment['id']}: deleted\n" and place.left() == set()
    assert place.run(second["id"])["state"] == "active", "it is launched again when the experiment goes on"


@pytest.mark.cluster
def test_stop_all_leaves_what_this_service_does_not_know_unless_it_is_told(place: Place, capsys: Capture) -> None:
    experiment = place.experiment()
    ours = place.launch("sleep 300", experiment=experiment)
    place.uid = "experiment-0123456789"  # as another service's, whose experiment has the same number
    theirs = place.launch("sleep 300", experiment=experiment)
    code, _, words = said(capsys, "stop-all")
    assert code == 2 and "trialflow cluster stop-all --cluster-name mine --yes" in words and "not of this service" in words
    code, out, _ = said(capsys, "stop-all", "--yes")
    assert code == 0 and out == f"experiment/{experiment['id']}: deleted\n"
    assert f"job.batch/{theirs['name']}" in place.left() and f"job.batch/{ours['name']}" not in place.left()
    code, out, _ = said(capsys, "stop-all", "--all", "--yes")
    assert code == 0 and out == "experiment-0123456789: deleted\n" and place.left() == set()


@pytest.mark.cluster
def test_clean_keeps_results_that_wait_and_takes_the_rest(place: Place, capsys: Capture) -> None:
    experiment = place.experiment()
    taken, waits = (place.launch("true", experiment=experiment) for _ in range(2))
    lone = place.launch("true")
    for run in (taken, waits, lone):
        place.kubectl("wait", "--for=condition=Complete", "--timeout=90s", f"job/{run['name']}")
    place.complete(taken)
    place.complete(lone)
    code, _, words = said(capsys, "clean")
    assert code == 2 and "its result waits to be taken" in words and "nothing was done" in words
    code, out, _ = said(capsys, "clean", "--yes")
    assert code == 0 and set(out.splitlines()) == {
        f"job/{taken['name']}: deleted",
        f"job/{lone['name']}: deleted",
        f"configmap/{lone['name']}: deleted",
    }
    assert {f"job.batch/{waits['name']}", f"configmap/{place.uid}"} <= place.left()
    place.complete(waits)
    assert said(capsys, "clean", "--yes")[0] == 0
    place.kubectl("wait", "--for=delete", "--timeout=60s", "pod", "--all")
    assert place.left() == set() and "nothing of trialflow's is on the cluster" in said(capsys, "clean")[2]


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("12", Identifier("either", "12")),
        ("experiment/12", Identifier("experiment", "12")),
        ("aiexperiment/12", Identifier("experiment", "12")),
        ("run/34", Identifier("run", "34")),
        ("training_run/34", Identifier("run", "34")),
        ("suggestion/56", Identifier("suggestion", "56")),
        ("run-abcd1234", Identifier("name", "run-abcd1234")),
    ],
)
def test_an_identifier_says_what_it_means(typed: str, meant: Identifier) -> None:
    assert identifier(typed) == meant


@pytest.mark.parametrize("typed", ["", "job/1", "experiment/x", "run/"])
def test_what_is_no_identifier_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput, match="neither an experiment nor a training run"):
        identifier(typed)


def test_a_long_reason_is_folded_to_the_terminal_and_whole_for_programs() -> None:
    reason = "no node fits: not enough free nvidia.com/gpu (1 of 2), excluded by node affinity (1 of 2)"
    row = tables.attempt_row(
        AttemptStatus("j", "Pending", training_run_name="run-abcd1234", since=0.0, reason=reason), {"id": "34", "state": "active"}, now=60
    )
    folded = table(tables.ATTEMPT_COLUMNS, [row], width=100).splitlines()
    assert len(folded) > 2 and max(map(len, folded)) <= 100
    assert table(tables.ATTEMPT_COLUMNS, [row], width=None).splitlines()[1].endswith(reason)
