"""What `trialflow doctor` finds of the world outside: what only clusters need is a note where it is missing, never a failure."""

from pathlib import Path

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig
from tasks.kubernetes.cluster.saved import Clusters
from tests import given
from trialflow.cli import doctor
from trialflow.home import Home

AWAY = {
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {}}],
    "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "x",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.chdir(tmp_path)
    return Home(tmp_path / "home")


def test_an_engine_that_is_not_there_is_a_note_with_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///no-such.sock")
    found = doctor.docker()
    assert found.state == "warn" and "/no-such.sock" in found.found and found.fix and "only needed to build images" in found.fix


def test_without_a_cluster_there_is_nothing_to_ask(home: Home) -> None:
    assert (doctor.cluster(home).state, doctor.registry(home).state) == ("warn", "warn")
    assert doctor.cluster(home).found == "none is connected"


def test_a_cluster_and_a_registry_that_are_away_are_named_with_what_came_back(home: Home) -> None:
    Clusters(home).save(Cluster("mine", kubeconfig=AWAY, registry="127.0.0.1:1/team"))
    cluster, registry = doctor.cluster(home), doctor.registry(home)
    assert cluster.state == "warn" and cluster.found.startswith("mine: ") and "connection refused" in cluster.found and cluster.fix
    assert registry.state == "warn" and "127.0.0.1:1" in registry.found


def test_several_clusters_of_which_none_is_current_are_named(home: Home) -> None:
    for name in ("one", "two"):
        Clusters(home).save(Cluster(name, kubeconfig=AWAY))
    (home.root / "clusters" / "current").unlink()
    assert "one, two" in doctor.cluster(home).found and "one, two" in doctor.registry(home).found


@pytest.mark.parametrize("ending", ["yml", "yaml"])
def test_a_file_is_checked_under_either_of_its_names(ending: str, home: Home) -> None:
    assert (doctor.spec("run").what, doctor.spec("run").state) == ("run.yml", "warn")
    Path(f"run.{ending}").write_text("run: 'true'\n")
    Path(f"experiment.{ending}").write_text("name: x\n")
    assert (doctor.spec("run").what, doctor.spec("run").state) == (f"run.{ending}", "ok")
    assert (doctor.spec("experiment").what, doctor.spec("experiment").state) == (f"experiment.{ending}", "fail")


@pytest.mark.cluster
def test_the_current_cluster_and_its_registry_are_tried(home: Home) -> None:
    kubeconfig, registry = given.kubeconfig(), given.registry()
    document, _ = load_kubeconfig(kubeconfig, None, environ={})
    Clusters(home).save(Cluster("mine", kubeconfig=document, registry=f"{registry}/doctor"))
    cluster, pushed = doctor.cluster(home), doctor.registry(home)
    assert cluster.state == "ok" and cluster.found.startswith("mine: Kubernetes 1.")
    assert pushed.state == "ok" and pushed.found.startswith(f"images can be pushed to {registry}/doctor/")
