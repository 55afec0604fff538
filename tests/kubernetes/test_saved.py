"""Clusters are kept in files of the user's own, and in blocks that show no secret."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.cluster.saved import Clusters
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.home import Home

KUBECONFIG = {"clusters": [{"name": "c", "cluster": {"server": "https://x"}}], "users": [{"name": "u", "user": {"token": "s3cret-token"}}]}


@pytest.fixture
def clusters(tmp_path: Path) -> Clusters:
    return Clusters(Home(tmp_path / "home"))


def test_a_cluster_comes_back_as_it_was_and_is_current(clusters: Clusters) -> None:
    cluster = Cluster("mine", kubeconfig=KUBECONFIG, context="x", registry="127.0.0.1:5000/a", api_url="https://s")
    clusters.save(cluster)
    clusters.save(cluster)
    assert clusters.load("mine") == clusters.load() == cluster and clusters.names() == ["mine"] and clusters.current() == "mine"


def test_secrets_are_the_users_alone(clusters: Clusters) -> None:
    clusters.save(Cluster("mine", kubeconfig=KUBECONFIG))
    assert [path.stat().st_mode & 0o777 for path in sorted(clusters.folder.iterdir())] == [0o600, 0o600]
    assert clusters.folder.stat().st_mode & 0o777 == 0o700 and "s3cret" not in repr(clusters.load())


def test_unknown_names_are_suggested(clusters: Clusters) -> None:
    with pytest.raises(InvalidInput, match="no cluster is connected"):
        clusters.load()
    clusters.save(Cluster("production"))
    with pytest.raises(InvalidInput, match="no cluster 'prodution' is connected") as refused:
        clusters.load("prodution")
    assert "did you mean 'production'?" in (refused.value.hint or "")


def test_forgetting_the_current_one_leaves_none_current(clusters: Clusters) -> None:
    for name in ("a", "b", "c"):
        clusters.save(Cluster(name))
    clusters.delete("c")
    clusters.delete("c")
    assert clusters.current() is None and clusters.names() == ["a", "b"]
    with pytest.raises(InvalidInput, match="several clusters are connected and none is current: a, b"):
        clusters.load()
    clusters.delete("a")
    assert clusters.load().name == "b"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 1}', '{"name": "mine", "kubeconfig": "x"}', '{"name": "mine", "namespace": null}'])
def test_a_mangled_file_is_told_with_its_path(clusters: Clusters, text: str) -> None:
    clusters.save(Cluster("mine"))
    (clusters.folder / "mine.json").write_text(text)
    with pytest.raises(TrialflowError, match="mine.json, the cluster mine, cannot be used") as error:
        clusters.load()
    assert error.value.exit_code == 1 and "connect it again" in (error.value.hint or "")


def test_fields_of_later_versions_are_passed_over() -> None:
    assert Cluster.from_json({"name": "mine", "colour": "green"}) == Cluster("mine")


@pytest.mark.parametrize("name", ["", "../x", "a b", "-a", "a-", "a/b", "x" * 101, "a.b"])
def test_a_name_that_cannot_be_a_file_or_a_block_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be the name of a cluster"):
        Cluster(name)


def test_names_that_differ_only_in_case_are_refused(clusters: Clusters) -> None:
    clusters.save(Cluster("mine"))
    with pytest.raises(InvalidInput, match="differs only in case"):
        clusters.save(Cluster("Mine"))


@pytest.mark.parametrize("facts", [{"namespace": "A"}, {"registry": "https://x"}, {"registry": "a b"}, {"api_url": "x"}, {"provider": "gcp"}])
def test_what_cannot_be_is_refused(facts: dict) -> None:
    with pytest.raises(InvalidInput):
        Cluster("mine", **facts)


IN_PREFECT = """
import asyncio, json, os, urllib.request
from trialflow.api.session import flow_session

async def keep():
    from prefect.client.orchestration import get_client
    from blocks.aws import load_aws
    from blocks.cluster import TrialflowCluster
    from prefect_aws import AwsCredentials
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.cluster.saved import cluster_of_block, delete_block, save_block

    cluster = Cluster("Mine", kubeconfig=KUBECONFIG, registry="r:1", context="x")
    await save_block(cluster)
    await save_block(cluster)
    same = await cluster_of_block("Mine") == cluster
    async with get_client() as client:
        shown = (await client._client.get("/block_types/slug/trialflow-cluster/block_documents/name/mine")).text
        listed = (await client._client.post("/block_documents/filter", json={})).text
        old = await client.read_block_document_by_name("mine", "trialflow-cluster")
        await client._client.patch(f"/block_documents/{old.id}", json={"data": {}, "merge_existing_data": False})
    bare = await cluster_of_block("mine")
    await AwsCredentials(aws_access_key_id="AKIA", aws_secret_access_key="hidden", region_name="eu-west-1").save("kept-keys")
    aws = await load_aws("kept-keys")
    gone = [await delete_block("mine"), await delete_block("mine")]
    try:
        await cluster_of_block("mine")
    except Exception as error:
        gone.append(str(error))
    print(json.dumps({"same": same, "shown": shown + listed, "bare": bare.to_json(), "aws": [aws.secret_access_key, repr(aws)], "gone": gone}))

with flow_session():
    asyncio.run(keep())
"""


@pytest.mark.slow
def test_a_block_shows_no_secret_and_old_documents_load(home: Path) -> None:
    script = f"KUBECONFIG = {KUBECONFIG!r}\n{IN_PREFECT}"
    environ = {**os.environ, "TRIALFLOW_HOME": str(home), "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environ)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["same"] and "*****" in found["shown"] and "s3cret-token" not in found["shown"]
    assert found["bare"]["name"] == "mine" and found["bare"]["namespace"] == "orchestrate" and found["bare"]["kubeconfig"] == {}
    assert found["aws"][0] == "hidden" and "hidden" not in found["aws"][1]
    assert found["gone"][:2] == [True, False] and "Prefect keeps no cluster 'mine'" in found["gone"][2]
