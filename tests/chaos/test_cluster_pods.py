"""Pods that run out of memory, print without end, or bring a result after they were deleted."""

import json
import subprocess
import time

import psutil
import pytest

from tests.e2e.clusters import Tenant, finish

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
LOG_BYTES = 100_000_000
GROWTH_BYTES = 100 << 20


def test_a_model_that_needs_more_memory_than_it_may_have_failed(tenant: Tenant) -> None:
    hungry = """python3 -c 'print(len(b"x" * (300 << 20)))'; code=$?; echo y=1; exit $code"""
    tenant.write(budget=1, seconds=0, model=hungry, resources={"limits": {"memory": "64Mi"}})
    code, _, said = tenant.user.type("cluster", "run")
    assert code == 3 and "failed: out of memory" in said, said
    assert tenant.left() == []


def test_a_log_of_100_megabytes_keeps_its_metrics_and_costs_no_memory(tenant: Tenant) -> None:
    model = f"echo before=$TRIALFLOW_PARAM_X; head -c {LOG_BYTES} /dev/zero | tr '\\0' x | fold -w 1000; echo y=$TRIALFLOW_PARAM_X; sleep 0.5"
    tenant.write(budget=1, seconds=0, model=model, metrics={"before": "before=(.*)", "y": "y=(.*)"})
    process = tenant.user.start("cluster", "optimize", "-o", "json")
    most, first = 0, 0
    while process.poll() is None:
        memory = memory_of(process)
        if not first and tenant.pods():
            first = memory
        most = max(most, memory)
        time.sleep(0.1)
    code, out, said = finish(process)
    assert code == 0, said
    print(f"{first >> 20} MiB before, {most >> 20} MiB at most")
    assert first and most - first < GROWTH_BYTES
    tenant.assert_whole(json.loads(out), 1)
    (run,) = json.loads(tenant.user.type("experiment", "export", json.loads(out)["experiment"], "-o", "json")[1])
    assert run["values"]["before"] == run["values"]["y"]


def memory_of(process: subprocess.Popen[str]) -> int:
    """The bytes that a process has; 0 if it is over."""
    try:
        return psutil.Process(process.pid).memory_info().rss
    except psutil.Error:
        return 0


def test_a_result_that_comes_after_its_pod_was_deleted_is_not_counted_twice(tenant: Tenant) -> None:
    patient = "trap 'echo y=$TRIALFLOW_PARAM_X; exit 0' TERM; for i in $(seq 40); do sleep 0.1; done; echo y=$TRIALFLOW_PARAM_X"
    tenant.write(budget=6, seconds=0, model=patient)
    process = tenant.user.start("cluster", "optimize", "--no-canary", "-o", "json")
    first, second, *_ = tenant.wait_for_pods(process, 4)
    tenant.administer("delete", "pod", first["metadata"]["name"], "--wait=false")
    tenant.administer("delete", "pod", second["metadata"]["name"], "--force", "--grace-period=0", "--wait=false")
    code, out, said = finish(process)
    assert code == 0, said
    assert said.count(" lost (its pod was deleted") == 2, said
    summary = json.loads(out)
    assert summary["lost"] == 2
    tenant.assert_whole(summary, 6)
