"""The verdict on an attempt."""

import pytest

from tasks.compute import Exit
from tasks.experiments.launch_history import LaunchHistory
from tasks.outcome import Outcome, judge, log_excerpt, required_metrics
from tasks.preflight import check_command
from trialflow.errors import InvalidInput
from trialflow.metadata_keys import ATTEMPT, REASON, STOPPED_BY_USER


@pytest.mark.parametrize(
    ("ended", "state", "values", "expected"),
    [
        (Exit(code=0), "active", ["m"], Outcome("completed")),
        (Exit(code=0), "active", [], Outcome("failed", "metric m was not logged")),
        (Exit(code=3), "active", ["m"], Outcome("failed", "exit code 3")),
        (Exit(code=127), "active", [], Outcome("failed", "exit code 127: a command was not found")),
        (Exit(code=137), "active", [], Outcome("failed", "exit code 137: it was killed by signal 9 (SIGKILL)")),
        (Exit(signal=11), "active", ["m"], Outcome("failed", "killed by signal 11 (SIGSEGV)")),
        (Exit(signal=9, out_of_memory=True), "active", ["m"], Outcome("failed", "out of memory")),
        (Exit(signal=15, timed_out=True), "active", ["m"], Outcome("failed", "out of time: it ran longer than `timeout` allows")),
        (Exit(code=0, complaint="the last m was nan"), "active", ["m"], Outcome("failed", "the last m was nan")),
        (Exit(code=0, complaint="the last m was nan"), "active", [], Outcome("failed", "the last m was nan")),
        (Exit(code=3, complaint="the last m was nan"), "active", [], Outcome("failed", "exit code 3")),
        (Exit(problem="x could not be started"), "active", [], Outcome("failed", "x could not be started")),
        (Exit(code=0), "failed", ["m"], Outcome("failed", "the model reported its failure")),
        (Exit(lost="this machine was restarted"), "active", ["m"], Outcome("lost", "this machine was restarted")),
        (Exit(lost="its launcher was killed"), "failed", [], Outcome("failed", "the model reported its failure")),
        (Exit(signal=15, stopped=True), "active", [], Outcome("lost", "stopped")),
    ],
)
def test_an_attempt_is_judged_by_its_facts(ended: Exit, state: str, values: list[str], expected: Outcome) -> None:
    assert judge(ended, state=state, values=dict.fromkeys(values, 1), required=["m"]) == expected


@pytest.mark.parametrize(
    ("ended", "state", "values", "expected"),
    [
        (Exit(signal=15, stopped=True), "active", ["m"], Outcome("completed", "why")),
        (Exit(code=0, stopped=True), "active", ["m"], Outcome("completed", "why")),
        (Exit(lost="its launcher was killed"), "active", ["m"], Outcome("completed", "why")),
        (Exit(signal=15, stopped=True), "active", [], Outcome("failed", "stopped early (why), and metric m was not logged")),
        (Exit(code=0), "active", ["m"], Outcome("completed")),
        (Exit(code=0), "active", [], Outcome("failed", "metric m was not logged")),
        (Exit(code=3), "active", ["m"], Outcome("failed", "exit code 3")),
        (Exit(signal=15, timed_out=True), "active", ["m"], Outcome("failed", "out of time: it ran longer than `timeout` allows")),
        (Exit(signal=15, stopped=True), "failed", ["m"], Outcome("failed", "stopped by the user")),
    ],
)
def test_what_was_to_be_stopped_early_completes_unless_it_ended_by_itself(ended: Exit, state: str, values: list[str], expected: Outcome) -> None:
    outcome = judge(ended, state=state, values=dict.fromkeys(values, 1), required=["m"], reason="stopped by the user", early="why")
    assert outcome == expected and outcome.word == ("stopped" if expected.reason == "why" else expected.kind)


def test_an_attempt_that_was_judged_before_keeps_its_reason() -> None:
    history = LaunchHistory.of({"dev_metadata": {REASON: "its pod was deleted", ATTEMPT: 2}})
    launched = {"dev_metadata": {REASON: "its pod was deleted"}}
    judged, by_user = ({"dev_metadata": {REASON: reason}} for reason in ("exit code 3", STOPPED_BY_USER))
    for run, expected in ((launched, "the model reported its failure"), (judged, "exit code 3"), (by_user, STOPPED_BY_USER)):
        reason = history.reason_since(run)
        assert judge(Exit(code=3), state="failed", values={}, required=["m"], reason=reason) == Outcome("failed", expected)


def test_a_reason_that_was_too_long_to_keep_whole_is_not_taken_for_a_new_one() -> None:
    history = LaunchHistory().after_loss("x" * 600, counts=True, checkpoints=0)
    assert history.reason_since(history.merge_body()) is None


def test_all_missing_metrics_are_named() -> None:
    assert judge(Exit(code=0), state="active", values={"b": 1}, required=["a", "b", "c"]).reason == "metrics a, c were not logged"


def test_one_that_is_stopped_early_does_not_need_metrics_that_are_only_stored() -> None:
    metrics = [{"name": "a", "strategy": "optimize"}, {"name": "b", "strategy": "constraint"}, {"name": "c", "strategy": "store"}, {"name": "d"}]
    assert required_metrics(metrics) == (("a", "b", "c", "d"), ("a", "b", "d"))


def test_a_long_log_keeps_its_two_ends() -> None:
    excerpt = log_excerpt(b"a" * 1000 + b"b" * 1000)
    assert excerpt.startswith("a" * 512 + "\n") and excerpt.endswith("\n" + "b" * 512) and "976 characters left out" in excerpt
    assert log_excerpt(b"short") == "short"


@pytest.mark.parametrize(
    ("command", "message", "hint"),
    [
        (["python3", "modle.py"], "the script 'modle.py' is not in", "did you mean `model.py`?"),
        (["sh", "-c", "python3 modle.py --x 1"], "the script 'modle.py' is not in", "did you mean `model.py`?"),
        (["no-such-program"], "the program 'no-such-program' was not found", "install it"),
        (["model.py"], "the program 'model.py' was not found", "call it as `./model.py`"),
        (["./model.py"], "the program './model.py' was not found", "make it executable"),
    ],
)
def test_what_is_not_there_is_said_before_anything_starts(tmp_path, command: list[str], message: str, hint: str) -> None:  # noqa: ANN001
    (tmp_path / "model.py").touch()
    with pytest.raises(InvalidInput) as raised:
        check_command(command, tmp_path)
    assert message in raised.value.message and hint in (raised.value.hint or "")


@pytest.mark.parametrize("command", [["sh", "-c", "cd x && python3 y.py"], ["sh", "-c", "$MY_TOOL"], ["python3", "-m", "x"], ["sh", "-c", "exit 1"]])
def test_what_only_the_shell_can_know_is_left_to_it(tmp_path, command: list[str]) -> None:  # noqa: ANN001
    check_command(command, tmp_path)
