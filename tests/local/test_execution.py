"""One attempt from its launch to its end: what the model gets, what it prints and logs, how its end is seen."""

import asyncio
import json
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from tests.local.conftest import PYTHON, Bench

CLIENT_MODEL = """
import sigopt
print(sigopt.params.x, sigopt.get_parameter("x"), sigopt.get_parameter("y", default=3), sigopt.get_run_id())
sigopt.log_metric("accuracy", 0.5, stddev=0.1)
sigopt.log_checkpoint({"loss": 2})
sigopt.log_checkpoint({"loss": 1})
sigopt.log_metadata("note", "hello")
"""


async def test_parameters_come_as_variables_and_as_a_file(bench: Bench) -> None:
    script = 'echo "$TRIALFLOW_PARAM_L1_RATIO $TRIALFLOW_PARAM_KIND $SIGOPT_RUN_ID $SIGOPT_PROJECT"; cat "$TRIALFLOW_CONTEXT_FILE"'
    ended = await bench.execute("sh", "-c", script, assignments={"l1 ratio": 0.1, "kind": "a b"}, experiment_id="7")
    first, rest = bench.printed().split("\n", 1)
    assert ended.code == 0 and first == "0.1 a b 1 tests"
    assert json.loads(rest)["assignments"] == {"l1 ratio": 0.1, "kind": "a b"} and json.loads(rest)["experiment"] == "7"


async def test_a_model_of_the_client_logs_through_its_launcher_while_the_service_is_away(bench: Bench) -> None:
    ended = await bench.execute(PYTHON, "-c", CLIENT_MODEL, assignments={"x": 1.5})
    assert ended.code == 0, bench.printed()
    assert bench.printed() == "1.5 1.5 3 1\n"
    assert [(report.number, report.kind) for report in bench.reports] == [
        (1, "merge"),
        (2, "merge"),
        (3, "checkpoint"),
        (4, "checkpoint"),
        (5, "merge"),
    ]
    assert bench.reports[1].body == {"values": {"accuracy": {"value": 0.5, "value_stddev": 0.1}}}


async def test_a_failure_that_the_model_reports_is_passed_on_and_completion_is_not(bench: Bench) -> None:
    code = "import sigopt; run = sigopt.get_run_id(); sigopt.log_failure()"
    await bench.execute(PYTHON, "-c", code)
    assert [report.body for report in bench.reports] == [{"state": "failed"}]
    bench.reports.clear()
    code = """
import base64, json, os, urllib.request
request = urllib.request.Request(os.environ["SIGOPT_API_URL"] + "/v1/training_runs/2", b'{"state": "completed", "name": "n"}', method="MERGE")
request.add_header("Authorization", "Basic " + base64.b64encode((os.environ["SIGOPT_API_TOKEN"] + ":").encode()).decode())
request.add_header("X-Response-Content", "skip")
print(urllib.request.urlopen(request).status)
"""
    await bench.execute(PYTHON, "-c", code, identifier=2)
    assert bench.printed() == "204\n" and [report.body for report in bench.reports] == [{"name": "n"}]


async def test_the_model_never_sees_the_real_token_or_prefects(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "secret one")
    monkeypatch.setenv("SIGOPT_API_TOKEN", "secret two")
    await bench.execute("env")
    assert not [word for word in ("the real token", "secret one", "secret two") if word in bench.printed()]


async def test_another_users_process_without_the_relays_token_is_refused(bench: Bench) -> None:
    code = """
import os, urllib.error, urllib.request
try:
    urllib.request.urlopen(urllib.request.Request(os.environ["SIGOPT_API_URL"] + "/v1/training_runs/1", b"{}", method="MERGE"))
except urllib.error.HTTPError as error:
    print(error.code)
"""
    await bench.execute(PYTHON, "-c", code)
    assert bench.printed() == "403\n" and not bench.reports


async def test_printed_metrics_are_found_and_the_last_match_counts(bench: Bench) -> None:
    script = "echo acc=0.1; printf 'progress 1\\racc=0.5\\r'; printf 'acc='; sleep 0.1; printf '0.7'"
    await bench.execute("sh", "-c", script, patterns={"acc": r"acc=([0-9.]+)"})
    assert bench.values() == {"acc": 0.7}


async def test_a_match_that_is_no_number_is_said_once_in_the_log(bench: Bench) -> None:
    await bench.execute("sh", "-c", "echo acc=bad; echo acc=worse", patterns={"acc": "acc=(.*)"})
    assert bench.values() == {} and bench.printed().count("is no number") == 1


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (("sh", "-c", "exit 3"), {"code": 3}),
        (("sh", "-c", "kill -9 $$"), {"signal": 9}),
        (("sh", "-c", "kill -TERM $$"), {"signal": 15}),
        ((PYTHON, "-c", "raise MemoryError"), {"code": 1, "out_of_memory": True}),
        (("no-such-program",), {"problem": "no-such-program could not be started: No such file or directory"}),
    ],
)
async def test_the_end_is_told_as_facts(bench: Bench, command: tuple[str, ...], expected: dict) -> None:
    ended = await bench.execute(*command)
    assert {name: getattr(ended, name) for name in expected} == expected
    assert ended.started and ended.ended and ended.lost is None


async def test_a_folder_that_is_gone_is_a_problem_of_its_own(bench: Bench) -> None:
    bench.root = bench.root / "gone"
    ended = await bench.execute("true")
    assert ended.problem and "could not be entered" in ended.problem


async def test_out_of_time_ends_the_whole_group(bench: Bench) -> None:
    ended = await bench.execute("sh", "-c", "sleep 100 & sleep 100", timeout=0.2)
    assert ended.timed_out and ended.signal == signal.SIGTERM


async def test_what_the_model_leaves_behind_neither_hangs_its_end_nor_survives_it(bench: Bench) -> None:
    script = "setsid sleep 300 & sleep 300 & echo $!; echo done"
    async with asyncio.timeout(20):
        ended = await bench.execute("sh", "-c", script)
    assert ended.code == 0 and bench.printed().endswith("done\n")
    found = await asyncio.create_subprocess_exec("pgrep", "-f", "^sleep 300$", stdout=asyncio.subprocess.PIPE)
    assert (await found.communicate())[0] == b""


async def test_a_large_log_is_kept_whole(bench: Bench) -> None:
    await bench.execute("sh", "-c", "head -c 50000000 /dev/zero | tr '\\0' x; echo end")
    work = bench.works[-1]
    assert bench.compute.folder(work).log.stat().st_size == 50_000_004 and bench.compute.read_log(work, last=4) == b"end\n"


async def test_ten_thousand_metrics_arrive_in_order(bench: Bench) -> None:
    code = "for n in range(10_000): print(f'm={n}')"
    await bench.execute(PYTHON, "-c", code, patterns={"m": "m=([0-9]+)"})
    assert bench.values() == {"m": 9999.0}
    assert [report.number for report in bench.reports] == list(range(1, len(bench.reports) + 1))


async def test_the_users_own_sitecustomize_is_executed(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("import builtins; builtins.own = 'mine'")
    code = "import sigopt; print(own, hasattr(sigopt, 'get_parameter'))"
    await bench.execute(PYTHON, "-c", code, environment={"PYTHONPATH": str(tmp_path / "own")})
    assert bench.printed() == "mine True\n"


async def test_folders_called_like_ours_are_the_models_own(bench: Bench, tmp_path: Path) -> None:
    for name in ("flows", "tasks", "trialflow"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"who = 'my {name}'")
    (tmp_path / "model.py").write_text("import flows, tasks, trialflow; print(flows.who, tasks.who, trialflow.who)")
    await bench.execute(PYTHON, "model.py")
    assert bench.printed() == "my flows my tasks my trialflow\n"


def interpreters() -> list[str]:
    """Other Pythons of this machine; the launcher's code has to run under each from 3.6 on."""
    found = {sys.executable}
    for root in (Path.home() / ".pyenv" / "versions", Path("/usr")):
        found |= {str(path) for path in root.glob("*/bin/python3" if root.name == "versions" else "bin/python3")}
    return sorted(path for path in found if "/2." not in path)


@pytest.mark.parametrize("python", interpreters())
async def test_the_launcher_runs_under_every_python_from_3_6_on(bench: Bench, python: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tasks.local.compute.sys.executable", python)
    code = textwrap.dedent("""
        import base64, os, urllib.request
        request = urllib.request.Request(os.environ["SIGOPT_API_URL"] + "/v1/training_runs/1", b'{"values": {"m": {"value": 2}}}', method="MERGE")
        request.add_header("Authorization", "Basic " + base64.b64encode((os.environ["SIGOPT_API_TOKEN"] + ":").encode()).decode())
        print(urllib.request.urlopen(request).status, "n=1")
    """)
    ended = await bench.execute(PYTHON, "-c", code, patterns={"n": "n=(.*)"})
    said = (bench.compute.folder(bench.works[-1]).path / "launcher.log").read_text()
    assert ended.code == 0 and bench.values() == {"m": 2, "n": 1}, said + bench.printed()
