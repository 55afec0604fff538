"""Which flow runs a worker takes up when it starts."""

import os
import subprocess
import sys

import psutil
import pytest

from deployments.taking_up import FLOW_RUN_ID, Verdict, processes_here, verdict


@pytest.mark.parametrize(
    ("state", "has_process", "is_experiment", "expected"),
    [
        ("RUNNING", False, True, "again"),
        ("PENDING", False, True, "again"),
        ("PENDING", False, False, "again"),
        ("RUNNING", False, False, "crashed"),
        ("CANCELLING", False, True, "cancelled"),
        ("CANCELLING", False, False, "cancelled"),
        ("RUNNING", True, True, "none"),
        ("CANCELLING", True, True, "none"),
        ("PAUSED", False, True, "none"),
        ("SCHEDULED", False, True, "none"),
        ("COMPLETED", False, True, "none"),
    ],
)
def test_what_has_no_process_any_more_goes_on_or_ends(state: str, has_process: bool, is_experiment: bool, expected: Verdict) -> None:
    assert verdict(state, has_process=has_process, is_experiment=is_experiment) == expected


def test_a_flow_run_lives_if_an_engine_has_its_id_and_a_model_that_inherited_the_id_does_not_count() -> None:
    wait = "import sys; print('up', flush=True); sys.stdin.read()"

    def start(name: str, *arguments: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", wait, *arguments]
        started = subprocess.Popen(command, env={**os.environ, FLOW_RUN_ID: name}, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert started.stdout and started.stdout.readline() == b"up\n"
        return started

    engine, model = start("of-an-engine", "-m", "prefect.engine"), start("of-a-model")
    try:
        assert processes_here([psutil.Process(engine.pid), psutil.Process(model.pid)]) == {"of-an-engine"}
        assert "of-an-engine" in processes_here()
    finally:
        for process in (engine, model):
            process.communicate(timeout=60)
    assert "of-an-engine" not in processes_here()
