"""What a program gives for an experiment and its model, refused in words before anything is started."""

import threading
from pathlib import Path
from typing import Any

import pytest

import trialflow
from trialflow.api.function_runner import metrics_of
from trialflow.api.given import as_experiment, as_run
from trialflow.api.inputs import experiment_spec, run_spec
from trialflow.api.model_function import check_signature, pickled
from trialflow.api.work import memory_limit, ready
from trialflow.errors import InvalidInput
from trialflow.specs import ExperimentSpec, RunSpec

X = {"name": "x", "type": "double", "bounds": {"min": 0, "max": 1}}
SPEC: dict[str, Any] = {"name": "api", "parameters": [X], "metrics": [{"name": "y"}], "budget": 3}
FUNCTION = {"file": "f.pickle", "python": "python3"}


def made(run: dict[str, Any], *, experiment: Any = SPEC, **more: Any) -> RunSpec:
    return ready({"run": run, **more}, experiment_spec(experiment), Path.cwd())


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"run": {"command": ["true"]}, "experiment": {"name": "x"}}, "experiment: parameters: missing"),
        ({"run": {"command": ["true"]}, "experiment": "none.yml"}, "there is no such file"),
        ({"run": {}}, "there is nothing to run"),
        ({"run": {"command": ["no-such-program"]}}, "'no-such-program' was not found"),
        ({"run": {"data": {"ruin": "x"}}}, 'ruin.*did you mean "run"'),
        ({"run": {"data": ["x"]}}, "run: a list; expected a dict"),
        ({"run": {}, "function": FUNCTION, "cluster": "mine"}, "runs on this machine only"),
        ({"run": {"command": ["true"], "memory": "1Gi"}}, "`memory` limits a Python function"),
        ({"run": {"memory": "much"}, "function": FUNCTION}, "expected a quantity"),
        ({"run": {"timeout": "soon"}, "function": FUNCTION}, "expected seconds"),
    ],
)
def test_what_cannot_be_is_named(given: dict[str, Any], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidInput, match=said):
        made(**given)


@pytest.mark.parametrize("name", ["run.yml", "run.yaml"])
@pytest.mark.parametrize("text", ["", "# nothing yet\n", "---\n"])
def test_an_empty_run_file_is_as_good_as_none(name: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_text(text)
    assert run_spec({"command": "true"}).run == run_spec({"file": name, "command": "true"}).run == ["sh", "-c", "true"]
    assert made({}, function=FUNCTION).run
    with pytest.raises(InvalidInput, match="there is nothing to run"):
        made({})
    with pytest.raises(InvalidInput, match=name):
        run_spec({"file": name})


def test_run_yml_of_the_folder_says_what_is_not_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yml").write_text(
        "run: false\ntimeout: 1m\nenv: {A: 1}\nresources: {limits: {memory: 1Gi, cpu: 2}}\n".replace("false", "'false'")
    )
    run = run_spec({"command": "echo hello", "timeout": "5m", "memory": None})
    assert (run.run, run.timeout, run.env) == (["sh", "-c", "echo hello"], 300, {"A": "1"})
    assert memory_limit(run) == 1 << 30 and memory_limit(run_spec({"memory": "2Gi"})) == 2 << 30 and memory_limit(RunSpec()) is None
    function = made({}, function=FUNCTION)
    assert function.run and function.run[0] == "python3" and function.run[-2:] == ["f.pickle", str(1 << 30)]
    assert function.env == {"A": "1", "TRIALFLOW_FUNCTION_METRIC": "y"}
    assert run_spec({"data": {"run": "true"}}).env == {}, "what is given whole is not mixed with a file"


def test_keys_of_a_spec_reach_the_process_and_not_the_flow() -> None:
    keys = {"aws_access_key_id": "AKIAIOSFODNN7EXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMIK7MDENGbPxRfiCYEXAMPLEKEY"}
    spec = RunSpec.model_validate({"run": "true", "aws": keys})
    assert as_run(spec)["data"]["aws"] == keys and RunSpec.model_validate(as_run(spec)["data"]) == spec
    assert made(as_run(spec)).aws is None


def test_each_form_of_the_model_is_told_apart() -> None:
    assert as_run("run.yml") == {"file": "run.yml"} and as_run(Path("a.yaml")) == {"file": "a.yaml"}
    assert as_run("python model.py") == {"command": "python model.py"} and as_run(("a", 1)) == {"command": ["a", "1"]}
    assert as_run({"run": "x"}) == {"data": {"run": "x"}} and as_run(None) == {}
    assert ExperimentSpec.model_validate(as_experiment(ExperimentSpec.model_validate(SPEC))).to_api() == experiment_spec(SPEC).to_api()
    for refuse in (as_run, as_experiment):
        with pytest.raises(InvalidInput, match="is a int"):
            refuse(3)


async def coroutine(params: dict[str, Any]) -> float:
    return 1.0


def test_a_function_takes_the_assignments_and_can_be_sent() -> None:
    check_signature(lambda params, factor=2: 1)
    check_signature(abs)
    for function, said in ((lambda: 1, "with the assignments alone"), (lambda a, b: 1, "with the assignments alone"), (coroutine, "a coroutine")):
        with pytest.raises(InvalidInput, match=said):
            check_signature(function)
    lock = threading.Lock()
    with pytest.raises(InvalidInput, match="cannot be sent to another process") as refused:
        pickled(lambda params: lock.acquire())
    assert "inside of the function" in (refused.value.hint or "")


def test_what_a_function_returns_becomes_metrics() -> None:
    import numpy as np

    assert metrics_of(0.5, "y") == {"y": (0.5, None)} and metrics_of(np.float32(0.5), "y") == {"y": (0.5, None)}
    assert metrics_of({"a": 1, "b": (2, 0.5)}, None) == {"a": (1.0, None), "b": (2.0, 0.5)}
    assert metrics_of((2, 0.5), "y") == {"y": (2.0, 0.5)} and metrics_of(None, "y") == {}
    for result in ("good", {"y": "good"}, {"y": True}, {"y": None}, {"y": [1, 2, 3]}, np.array([1.0, 2.0, 3.0])):
        with pytest.raises(TypeError, match="the metric y has to be a number"):
            metrics_of(result, "y")
    with pytest.raises(TypeError, match="has to return a dict"):
        metrics_of(0.5, None)


def test_options_are_looked_at_first() -> None:
    with pytest.raises(trialflow.InvalidInput, match="stop_after_failures"):
        trialflow.optimize(SPEC, ["true"], stop_after_failures=-1)
