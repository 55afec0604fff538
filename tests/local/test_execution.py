"""One attempt from its launch to its end: what the model gets, what it prints and logs, how its end is seen."""

import asyncio
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from tasks.local import LocalCompute
from tests.local.conftest import PYTHON, Bench


async def test_the_model_never_sees_the_real_token_or_prefects(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PREFECT_API_AUTH_STRING", "secret one")
    monkeypatch.setenv("SIGOPT_API_TOKEN", "secret two")
    await bench.execute("env")
    assert not [word for word in ("the real token", "secret one", "secret two") if word in bench.printed()]


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
    attempt = bench.attempts[-1]
    assert bench.compute.folder(attempt).log.stat().st_size == 50_000_004 and bench.compute.read_log(attempt, last=4) == b"end\n"


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
    said = (bench.compute.folder(bench.attempts[-1]).path / "launcher.log").read_text()
    assert ended.code == 0 and bench.values() == {"m": 2, "n": 1}, said + bench.printed()


async def test_the_time_limit_is_kept_whatever_the_pattern_does(bench: Bench) -> None:
    code = "import time\nwhile True: print('a' * 5000 + '!', flush=True); time.sleep(0.001)"
    async with asyncio.timeout(30):
        ended = await bench.execute(PYTHON, "-c", code, patterns={"m": "(a+)+$"}, timeout=2)
    assert ended.timed_out and "too long" in (ended.complaint or "")


async def test_a_last_metric_that_is_no_number_is_a_complaint(bench: Bench) -> None:
    ended = await bench.execute("sh", "-c", "echo loss=0.1; sleep 0.2; echo loss=nan", patterns={"loss": "loss={number}"})
    assert ended.code == 0 and ended.complaint == "the last loss was nan"
    assert bench.reports[-1].body == {"values": {"loss": None}}


async def test_keys_reach_the_model_and_no_file(bench: Bench) -> None:
    bench.compute = LocalCompute(bench.root / "runs", api_url="http://127.0.0.1:9", keys={"AWS_SESSION_TOKEN": "hush"})
    await bench.execute("sh", "-c", "echo ${#AWS_SESSION_TOKEN}")
    assert bench.printed() == "4\n"
    assert not [path for path in bench.root.rglob("*") if path.is_file() and b"hush" in path.read_bytes()]
