"""A cluster: 100 training runs of one second as Jobs, 8 at a time, by a bare loop over the Kubernetes API and by trialflow.

    python -m benchmarks.cluster --image python:3.11-slim [--kubeconfig PATH] [--jobs 100] [--in-flight 8] [--seconds 1]

The bare loop does the minimum: create a Job, watch for the end of its pod, read the log, delete the Job. It does this once with plain pods of a
single container, and once with the same Jobs that trialflow creates, whose pods contain a launcher and its volumes. The difference between the two is
what a launcher costs in a pod; the difference between the second and trialflow is the loop.

A separate watch over Jobs and pods times them all: `seconds` go from the first Job to the end of the last pod, and `refill` from the end of a pod to
the creation of the Job that replaces it (negative if the launcher's last line arrived first). Requests are those of trialflow's process to the API
server; memory is the peak of that process. The image needs a shell, and Python for the launcher. It makes its namespaces and deletes them.
"""

import argparse
import asyncio
import contextlib
import json
import os
import resource
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, cast

from kubernetes_asyncio import config, watch
from kubernetes_asyncio.client import ApiClient, BatchV1Api, CoreV1Api, V1Namespace, V1ObjectMeta
from kubernetes_asyncio.client.exceptions import ApiException

from benchmarks.figures import table
from benchmarks.loop import EXPERIMENT

MODEL = "sleep {seconds}; echo y=0.5"
SAME_JOBS = "bare loop, trialflow's Jobs"
COUNTING = "import benchmarks.cluster as b; b.counted()"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--image", required=True)
    parser.add_argument("--kubeconfig", default=os.environ.get("KUBECONFIG"))
    parser.add_argument("--jobs", type=int, default=100)
    parser.add_argument("--in-flight", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--rounds", type=int, default=1, help="how often to repeat each, in turns; the figures are medians")
    asked = parser.parse_args()
    if not asked.kubeconfig:
        parser.error("give --kubeconfig, or set KUBECONFIG")
    print(report(asyncio.run(measured(asked))))


async def measured(asked: argparse.Namespace) -> dict[str, list[dict[str, Any]]]:
    """The figures of each round of both."""
    await config.load_kube_config(config_file=asked.kubeconfig)
    loops = {"bare loop, plain pods": plain, SAME_JOBS: same_jobs, "trialflow": trialflow}
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in loops}
    for _ in range(asked.rounds):
        for name, loop in loops.items():
            async with ApiClient() as api:
                found[name].append(await in_namespace(api, asked, loop))
    return found


async def in_namespace(api: ApiClient, asked: argparse.Namespace, loop: Any) -> dict[str, Any]:
    """Run a loop in a namespace of its own before an onlooker."""
    namespace = f"trialflow-bench-{secrets.token_hex(4)}"
    await CoreV1Api(api).create_namespace(V1Namespace(metadata=V1ObjectMeta(name=namespace)))
    onlooker = Onlooker(api, namespace)
    looking = [asyncio.create_task(onlooker.jobs()), asyncio.create_task(onlooker.pods())]
    try:
        facts = await loop(api, namespace, asked)
        return {**facts, **onlooker.figures(asked.in_flight)}
    finally:
        for one in looking:
            if one.done():
                one.result()
            one.cancel()
        await CoreV1Api(api).delete_namespace(namespace)


class Onlooker:
    """When Jobs were created and pods ended, as a watch tells."""

    def __init__(self, api: ApiClient, namespace: str) -> None:
        self.api, self.namespace = api, namespace
        self.created: dict[str, float] = {}
        self.ended: dict[str, float] = {}

    async def jobs(self) -> None:
        """Look at Jobs."""
        async for event in heard(BatchV1Api(self.api).list_namespaced_job, self.namespace):
            self.created.setdefault(event["object"].metadata.name, time.monotonic())

    async def pods(self) -> None:
        """Look at pods."""
        async for event in heard(CoreV1Api(self.api).list_namespaced_pod, self.namespace):
            if has_ended(event["object"]):
                self.ended.setdefault(event["object"].metadata.name, time.monotonic())

    def figures(self, in_flight: int) -> dict[str, Any]:
        """What was seen, in seconds."""
        created, ended = sorted(self.created.values()), sorted(self.ended.values())
        refill = [start - end for end, start in zip(ended, created[in_flight:], strict=False)]
        figures: dict[str, Any] = {"jobs": len(created), "ended": len(ended), "elapsed": ended[-1] - created[0]}
        return {**figures, "first wave": created[min(in_flight, len(created)) - 1] - created[0], "refill": refill}


def has_ended(pod: Any) -> bool:
    """Whether its container has ended, which is often half a second before its phase says so."""
    return any(one.state and one.state.terminated for one in pod.status.container_statuses or [])


async def heard(listed: Any, namespace: str) -> AsyncIterator[dict[str, Any]]:
    """The library's watch, started again when the API server ends it."""
    while True:
        with contextlib.suppress(ApiException):
            async for event in watch.Watch().stream(listed, namespace):
                yield event


async def plain(api: ApiClient, namespace: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The bare loop with pods of one container."""
    return await bare(api, namespace, asked, lambda number: manifest(f"bare-{number}", asked))


async def same_jobs(api: ApiClient, namespace: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The bare loop with the Jobs that trialflow creates."""
    from tasks.compute import Attempt
    from tasks.experiments.resume import new_uid
    from tasks.images.facts import ImageFacts
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig
    from tasks.kubernetes.jobs.experiment_objects import ensure_objects
    from tasks.kubernetes.jobs.pod_template import PodTemplate, job

    document, context = load_kubeconfig(asked.kubeconfig, None, environ={})
    uid = new_uid()
    async with open_cluster(Cluster("bench", namespace=namespace, kubeconfig=document, context=context)) as connection:
        await ensure_objects(connection, uid, owner={}, keys={})
    command = ("sh", "-c", MODEL.format(seconds=asked.seconds))

    def made(number: int) -> dict[str, Any]:
        run = {"id": str(number), "name": f"bare-{number}", "assignments": {"x": 0.5}}
        attempt = Attempt(training_run=run, number=1, command=command, project="bench", directory=Path("/"), environment={}, patterns={"y": "y=(.*)"})
        return job(attempt, PodTemplate(uid=uid, image=ImageFacts(asked.image, entrypoint=None)))

    return await bare(api, namespace, asked, made)


async def bare(api: ApiClient, namespace: str, asked: argparse.Namespace, made: Callable[[int], dict[str, Any]]) -> dict[str, Any]:
    """The minimum that has to be done, with the Jobs that `made` returns."""
    jobs, core = BatchV1Api(api), CoreV1Api(api)
    over: dict[str, asyncio.Future[str]] = {}

    async def hear() -> None:
        async for event in heard(core.list_namespaced_pod, namespace):
            pod = event["object"]
            waiting = over.get((pod.metadata.labels or {}).get("job-name", ""))
            if waiting and not waiting.done() and has_ended(pod):
                waiting.set_result(pod.metadata.name)

    async def one(number: int) -> None:
        name = f"bare-{number}"
        over[name] = asyncio.get_running_loop().create_future()
        await jobs.create_namespaced_job(namespace, cast(Any, made(number)))
        pod = await over[name]
        assert "y=0.5" in await core.read_namespaced_pod_log(pod, namespace)
        deleting.append(asyncio.create_task(delete(name)))

    async def delete(name: str) -> None:
        await jobs.delete_namespaced_job(name, namespace, propagation_policy="Background")

    deleting: list[asyncio.Task[None]] = []
    hearing = asyncio.create_task(hear())
    numbers = iter(range(asked.jobs))

    async def slot() -> None:
        for number in numbers:
            await one(number)

    await asyncio.gather(*(slot() for _ in range(asked.in_flight)))
    await asyncio.gather(*deleting)
    hearing.cancel()
    return {}


def manifest(name: str, asked: argparse.Namespace) -> dict[str, Any]:
    container = {"name": "model", "image": asked.image, "command": ["/bin/sh", "-c", MODEL.format(seconds=asked.seconds)]}
    pod = {"restartPolicy": "Never", "automountServiceAccountToken": False, "containers": [container]}
    return {"metadata": {"name": name}, "spec": {"backoffLimit": 0, "template": {"spec": pod}}}


async def trialflow(api: ApiClient, namespace: str, asked: argparse.Namespace) -> dict[str, Any]:
    """The command `trialflow cluster optimize` with its own home."""
    with tempfile.TemporaryDirectory() as folder:
        files = {
            "experiment.yml": EXPERIMENT.format(runs=asked.jobs, bandwidth=asked.in_flight, kind="offline"),
            "run.yml": json.dumps({"run": MODEL.format(seconds=asked.seconds), "image": asked.image, "metrics": {"y": "y=(.*)"}}),
        }
        for name, text in files.items():
            (Path(folder) / name).write_text(text)
        environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        environment |= {"TRIALFLOW_HOME": str(Path(folder) / "home"), "PYTHONPATH": str(Path(__file__).parent.parent)}
        connect = ["cluster", "connect", "-n", "bench", "--provider", "custom", "--namespace", namespace, "--kubeconfig", asked.kubeconfig]
        await typed([sys.executable, "-m", "trialflow", *connect], folder, environment)
        optimize = [sys.executable, "-c", COUNTING, "cluster", "optimize", "--no-canary", "-o", "json"]
        said = await typed(optimize, folder, environment)
        facts = json.loads(said.strip().splitlines()[-1])
        assert facts["done"] == asked.jobs, facts
        return facts


async def typed(command: list[str], folder: str, environment: dict[str, str]) -> str:
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, said = await process.communicate()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}:\n{said.decode()}")
    return out.decode()


def counted() -> None:
    """Run the command line, and print as the last line what it took: requests by kind, and peak memory in MB."""
    from contextlib import redirect_stdout
    from io import StringIO

    from tasks.kubernetes.client.connection import Requests
    from trialflow.cli.main import call

    kinds: Counter[str] = Counter()
    request = Requests.request

    async def counting(self: Requests, method: str, url: str, **others: Any) -> Any:
        path, _, query = url.partition("?")
        kinds[" ".join([method, "watch" if "watch=true" in query or ("watch", "true") in (others.get("query_params") or []) else kind_of(path)])] += 1
        return await request(self, method, url, **others)

    Requests.request = counting  # type: ignore[method-assign]
    printed = StringIO()
    with redirect_stdout(printed):
        code = call(sys.argv[1:])
    if code:
        sys.exit(code)
    done = json.loads(printed.getvalue())["done"]
    print(json.dumps({"done": done, "requests": kinds, "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def kind_of(path: str) -> str:
    parts = path.split("/")
    kinds = [part for part in parts if part in ("log", "pods", "jobs", "configmaps", "secrets", "nodes", "events", "namespaces")]
    return kinds[-1] if kinds else path


def report(found: dict[str, list[dict[str, Any]]]) -> str:
    """The table, and the requests by kind."""
    rows = []
    bare_seconds = statistics.median(one["elapsed"] for one in found[SAME_JOBS])
    for name, rounds in found.items():
        elapsed = statistics.median(one["elapsed"] for one in rounds)
        refill = sorted(seconds for one in rounds for seconds in one["refill"]) or [0.0]
        last = rounds[-1]
        total = sum(last["requests"].values()) / last["jobs"] if "requests" in last else 3
        rows.append(
            [
                name,
                f"{elapsed:.1f}",
                "" if name == SAME_JOBS else f"{100 * (elapsed / bare_seconds - 1):+.0f} %",
                f"{statistics.median(refill):.2f} / {refill[int(0.95 * (len(refill) - 1))]:.2f} / {refill[-1]:.2f}",
                f"{last['first wave']:.1f}",
                f"{total:.1f}",
                f"{last['memory']:.0f}" if "memory" in last else "",
            ]
        )
    columns = ["", "seconds", "over the same Jobs", "refill p50 / p95 / max", "first wave", "requests per training run", "peak MB"]
    requests = ", ".join(f"{kind} {number}" for kind, number in sorted(found["trialflow"][-1]["requests"].items()))
    return f"{table(columns, rows)}\n\ntrialflow's requests: {requests}"


if __name__ == "__main__":
    main()
