"""The same files on a cluster: connect, build, push, optimize; wrong input is told before anything is spent."""

import asyncio
import json
import shutil
from pathlib import Path

import pytest

from tasks.images.registry import find
from tests.e2e.clusters import Tenant

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
EXAMPLE = Path(__file__).parents[2] / "examples" / "sgd-classifier"
DOCKERFILE = """\
FROM REGISTRY/python:3.11-slim
RUN pip install --no-cache-dir "sigopt>=8.8,<9" scikit-learn "setuptools<81"
WORKDIR /app
COPY model.py .
"""


def test_the_example_is_built_pushed_and_tuned_on_the_cluster(tenant: Tenant) -> None:
    folder = tenant.user.folder
    for name in ("model.py", "run.yml"):
        shutil.copy(EXAMPLE / name, folder / name)
    experiment = (EXAMPLE / "experiment.yml").read_text()
    (folder / "experiment.yml").write_text(experiment.replace("parallel_bandwidth: 2", "parallel_bandwidth: 4").replace("budget: 60", "budget: 20"))
    (folder / "Dockerfile").write_text(DOCKERFILE.replace("REGISTRY/", ""))
    with (folder / "run.yml").open("a") as file:
        file.write("image: sgd:v1\n")
    process = tenant.user.start("cluster", "optimize", "-o", "json")
    images = {pod["spec"]["containers"][0]["image"] for pod in tenant.wait_for_pods(process, 1, seconds=360)}
    out, said = process.communicate(timeout=400)
    assert process.returncode == 0, said
    assert "image: sgd, built and pushed to" in said and "there is a Dockerfile" in said
    assert images == {f"{tenant.registry}/e2e/sgd@{asyncio.run(find(f'{tenant.registry}/e2e/sgd:v1'))}"}
    summary = json.loads(out)
    assert summary["done"] == 20 and summary["failed"] == 0 and summary["best"][0]["values"]["accuracy"] > 0.9
    left = tenant.kubectl("get", "jobs,pods,configmaps,secrets", "-l", "trialflow.dev/work", "-o", "name")
    assert left.strip() == ""
    code, again, said = tenant.user.type("cluster", "optimize", "-o", "json")
    assert code == 0 and "unchanged" in said and "is finished" in said and json.loads(again)["best"] == summary["best"]


def test_a_training_run_by_itself_shows_what_it_prints_and_keeps_its_log(tenant: Tenant) -> None:
    tenant.write(budget=1, seconds=0)
    code, out, said = tenant.user.type("cluster", "run", "--", "sh", "-c", "echo hello from a pod; echo y=3")
    assert code == 0, said
    assert "hello from a pod" in out
    identifier = said.split("trialflow logs ")[1].split()[0]
    assert "hello from a pod" in tenant.user.type("logs", identifier)[1]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"image": "REGISTRY/no-such-image:1"}, "no-such-image"),
        ({"resources": {"requests": {"cpu": 64}}}, "64 CPU"),
        ({"secrets": ["no-such-secret"]}, "no-such-secret"),
        ({"pod": {"nodeSelektor": {"a": "b"}}}, "nodeSelektor"),
    ],
)
def test_what_cannot_be_is_told_before_any_budget_is_spent(tenant: Tenant, change: dict, told: str) -> None:
    tenant.write(budget=2, seconds=0)
    run = json.loads((tenant.user.folder / "run.yml").read_text())
    text = json.dumps({**run, **change}).replace("REGISTRY", tenant.registry)
    (tenant.user.folder / "run.yml").write_text(text)
    code, _, said = tenant.user.type("cluster", "optimize")
    assert code in (1, 2) and "error:" in said and told in said, said
    code, out, _ = tenant.user.type("experiment", "list", "-o", "json")
    assert all(one["done"] == 0 for one in json.loads(out) if "done" in one)
