"""What every compute must keep of `tasks.compute.Compute`. A compute is tested by a subclass whose fixture `another` makes it.

Commands need a shell and a Python 3.6 or later; those of the class `Client` need a Python that has `sigopt`. Nothing here knows where a
training run executes: no paths, no process ids.
"""

import asyncio
import dataclasses
import json
import signal
from collections.abc import AsyncIterator, Callable
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from tasks.compute import Compute
from tests.contract.training import SPEAKS, Course, Field
from trialflow.launcher.reports import merged

CURRENT_CLIENT = Path(__file__).with_name("current_client.py").read_text()
LOGGED = {
    "values": {
        "y": {"value": 0.5, "value_stddev": 0.1}, "loss": {"value": 2}, "a": {"value": 1}, "b": {"value": 2}, "c": {"value": 3},
        "fine": {"value": 1}, "good": {"value": 1},
    },
    "assignments": {"depth": 3, "own": 2, "kind": "a", "late": 5, "later": 6},
    "assignments_meta": {"x": {"m": 1}, "depth": {"m": 2, "source": "user"}, "own": {"source": "user"}},
    "assignments_sources": {"user": {"sort": 1, "default_show": True}},
    "datasets": {"data": {}},
    "model": {"type": "forest"},
    "metadata": {"note": "hello", "number": 4, "thing": "[1]", "odd": "nan"},
    "dev_metadata": {"dev": 1},
    "sys_metadata": {"sys": 1},
    "source_code": {"content": "print()", "hash": "abc"},
}  # fmt: skip
"""What is kept of what that model logs: all that is right."""
CLIENT_MODEL = """
import sigopt
print(sigopt.params.x, sigopt.get_parameter("x"), sigopt.get_parameter("y", default=3), sigopt.get_run_id())
sigopt.log_metric("accuracy", 0.5, stddev=0.1)
sigopt.log_checkpoint({"loss": 2})
sigopt.log_checkpoint({"loss": 1})
sigopt.log_metadata("note", "hello")
"""
STUBBORN = "trap '' TERM; echo ready; while :; do sleep 0.05; done"
TICKING = "while :; do echo tick; sleep 0.05; done"


class Contract:
    """The fixtures. `another` is to be overridden; `python` and `patience` where the compute needs it."""

    patience = 60.0
    """Seconds that a training run which takes no time may take from launch to end."""
    pace = 0.5
    """Seconds within which what a model prints has been heard of."""

    @pytest.fixture
    def another(self) -> Callable[[], Compute]:
        """Makes a compute of one and the same place each time, as another process would have it."""
        raise NotImplementedError

    @pytest.fixture
    def python(self) -> str:
        """A Python of the place that training runs execute in."""
        return "python3"

    @pytest.fixture
    async def field(self, another: Callable[[], Compute]) -> AsyncIterator[Field]:
        """Where the rules are tried."""
        field = Field(another, self.patience)
        yield field
        await field.end()


class Ends(Contract):
    """How an attempt ended is told as facts."""

    @pytest.mark.parametrize(
        ("script", "expected"),
        [
            ("exit 0", {"code": 0, "signal": None}),
            ("exit 3", {"code": 3, "signal": None}),
            ("kill -9 $$", {"code": None, "signal": signal.SIGKILL, "out_of_memory": False}),
            ("kill -SEGV $$", {"code": None, "signal": signal.SIGSEGV}),
        ],
    )
    async def test_exit_codes_and_signals_are_told_apart(self, field: Field, script: str, expected: dict[str, Any]) -> None:
        ended = (await field.execute("sh", "-c", script)).exit
        assert {name: getattr(ended, name) for name in expected} == expected
        assert not ended.lost and not ended.problem and not ended.stopped and not ended.timed_out

    async def test_times_are_epoch_seconds_in_their_order(self, field: Field) -> None:
        ended = (await field.execute("sleep", "0.3")).exit
        assert ended.started and ended.ended and 0.25 <= ended.ended - ended.started < 30 and ended.started > 1.6e9

    async def test_a_python_without_memory_left_is_out_of_memory(self, field: Field, python: str) -> None:
        ended = (await field.execute(python, "-c", "raise MemoryError")).exit
        assert ended.code == 1 and ended.out_of_memory and not ended.lost

    async def test_a_command_that_cannot_be_started_is_a_problem_with_its_name(self, field: Field) -> None:
        ended = (await field.execute("no-such-program", "--flag")).exit
        assert ended.problem and "no-such-program" in ended.problem and ended.code is None and not ended.lost

    async def test_out_of_time_ends_everything_that_the_command_started(self, field: Field) -> None:
        course = await field.execute("sh", "-c", f"({TICKING}) & sleep 100", timeout=0.5)
        assert course.exit.timed_out and not course.exit.stopped and not course.exit.lost
        printed = course.printed
        await asyncio.sleep(0.2)
        assert course.printed == printed

    async def test_what_the_model_left_running_does_not_hold_up_its_end(self, field: Field) -> None:
        course = await field.execute("sh", "-c", "sleep 300 & (trap '' TERM HUP; sleep 300) & echo done")
        assert course.exit.code == 0 and course.printed == b"done\n"

    async def test_a_model_that_ends_in_50_ms_loses_nothing(self, field: Field) -> None:
        course = await field.execute("sh", "-c", "echo m=7", patterns={"m": "m=(.*)"})
        assert course.exit.code == 0 and course.values("m") == [7] and course.printed == course.streamed == b"m=7\n"


class Output(Contract):
    """What a model prints: kept, streamed, and searched for metrics."""

    async def test_output_and_errors_are_kept_in_their_order_and_streamed_alike(self, field: Field) -> None:
        course = await field.execute("sh", "-c", "for n in 1 2 3; do echo out $n; echo err $n >&2; done")
        assert course.printed == course.streamed == b"".join(b"out %d\nerr %d\n" % (n, n) for n in (1, 2, 3))

    async def test_the_last_bytes_of_a_log_can_be_read_alone(self, field: Field) -> None:
        course = await field.execute("sh", "-c", "i=0; while [ $i -lt 2000 ]; do echo line $i; i=$((i+1)); done")
        assert field.compute.read_log(course.attempt, last=10) == b"line 1999\n"
        assert field.compute.read_log(course.attempt, last=10**6) == course.printed and course.printed.startswith(b"line 0\n")

    async def test_a_log_that_never_was_is_empty(self, field: Field) -> None:
        assert field.compute.read_log(field.attempt("true")) == field.compute.read_log(field.attempt("true"), last=5) == b""

    async def test_a_line_without_end_is_kept_whole_and_searched(self, field: Field, python: str) -> None:
        code = "import sys; sys.stdout.write('x' * 300000 + ' m=5')"
        course = await field.execute(python, "-c", code, patterns={"m": "m=([0-9]+)"})
        assert course.printed == b"x" * 300_000 + b" m=5" and course.values("m") == [5]

    async def test_bytes_that_are_no_text_do_no_harm(self, field: Field) -> None:
        course = await field.execute("sh", "-c", r"printf '\377\376 m=1\n'", patterns={"m": "m=([0-9]+)"})
        assert course.exit.code == 0 and course.values("m") == [1]

    async def test_a_metric_line_cut_in_two_is_one_line(self, field: Field) -> None:
        course = await field.execute("sh", "-c", "printf 'm=1'; sleep 0.3; printf '2\\n'", patterns={"m": "m=([0-9]+)"})
        assert course.values("m") == [12]

    async def test_the_last_match_counts_and_carriage_returns_end_lines(self, field: Field) -> None:
        script = r"echo m=0.1; sleep 0.1; printf 'progress 1\rm=0.5\r'; printf 'm='; sleep 0.1; printf 0.7"
        course = await field.execute("sh", "-c", script, patterns={"m": "m=([0-9.]+)"})
        assert course.values("m")[-1] == 0.7

    async def test_a_match_that_is_no_number_is_said_once_and_not_counted(self, field: Field) -> None:
        course = await field.execute("sh", "-c", "echo m=bad; echo m=nan; echo m=worse", patterns={"m": "m=(.*)"})
        assert course.values("m") == [] and course.printed.count(b"is no number") == 1

    async def test_of_ten_thousand_printed_metrics_the_last_is_there_and_none_goes_back(self, field: Field, python: str) -> None:
        course = await field.execute(python, "-c", "for n in range(10000): print('m=%d' % n)", patterns={"m": "m=([0-9]+)"})
        values = course.values("m")
        assert values[-1] == 9999 and values == sorted(values)
        assert [report.number for report in course.reports] == list(range(1, len(values) + 1))


class Reports(Contract):
    """What a model logs through its launcher, with no service in reach."""

    async def test_parameters_come_as_variables_and_as_a_file(self, field: Field) -> None:
        script = 'echo "$TRIALFLOW_PARAM_L1_RATIO $TRIALFLOW_PARAM_KIND $SIGOPT_RUN_ID $SIGOPT_PROJECT $MINE"; cat "$TRIALFLOW_CONTEXT_FILE"'
        assignments = {"l1 ratio": 0.1, "kind": "a b"}
        course = await field.execute("sh", "-c", script, assignments=assignments, experiment_id="7", environment={"MINE": "yes"})
        first, rest = course.printed.decode().split("\n", 1)
        assert first == f"0.1 a b {course.attempt.training_run_id} contract yes"
        facts = json.loads(rest)
        assert (facts["assignments"], facts["experiment"], facts["attempt"], facts["project"]) == (assignments, "7", 1, "contract")

    async def test_logged_metrics_and_checkpoints_arrive_in_order_each_once(self, field: Field, python: str) -> None:
        checkpoint = "say('POST', {'values': [{'name': 'l', 'value': n}]}, '/checkpoints')"
        code = SPEAKS + "for n in range(200): say('MERGE', {'values': {'m': {'value': n}}}); " + checkpoint
        course = await field.execute(python, "-c", code)
        assert course.exit.code == 0, course.printed
        expected = [(kind, n) for n in range(200) for kind in ("merge", "checkpoint")]
        assert [(report.kind, n) for report, (_, n) in zip(course.reports, expected, strict=True)] == expected
        assert course.values("m") == list(range(200))
        assert [report.body["values"][0]["value"] for report in course.reports if report.kind == "checkpoint"] == list(range(200))
        assert [report.number for report in course.reports] == list(range(1, 401))

    async def test_ten_thousand_logged_metrics_arrive_in_order_each_once(self, field: Field, python: str) -> None:
        code = SPEAKS + "for n in range(10000): say('MERGE', {'values': {'m': {'value': n}}})"
        course = await field.execute(python, "-c", code)
        assert course.exit.code == 0 and course.values("m") == list(range(10_000))
        assert [report.number for report in course.reports] == list(range(1, 10_001))

    async def test_a_large_value_arrives_whole(self, field: Field, python: str) -> None:
        course = await field.execute(python, "-c", SPEAKS + "say('MERGE', {'metadata': {'text': 'é' * 100000}})")
        assert course.bodies == [{"metadata": {"text": "é" * 100_000}}]

    async def test_what_was_logged_before_a_kill_is_not_lost(self, field: Field, python: str) -> None:
        course = await field.execute(python, "-c", SPEAKS + "say('MERGE', {'values': {'m': {'value': 4}}}); os.kill(os.getpid(), 9)")
        assert course.exit.signal == signal.SIGKILL and course.values("m") == [4]

    async def test_reports_come_while_the_model_runs(self, field: Field) -> None:
        attempt = field.attempt("sh", "-c", "echo m=1; while :; do sleep 0.1; done", patterns={"m": "m=(.*)"})
        await field.compute.launch(attempt)
        course = Course(field.compute, attempt)
        following = asyncio.ensure_future(course.follow(2 * field.patience))
        await course.until(lambda: course.values("m") == [1] and course.streamed == b"m=1\n", field.patience)
        assert not following.done()
        await field.compute.stop(attempt, grace=1)
        await following
        assert course.exit.stopped

    async def test_a_failure_is_passed_on_and_a_claim_of_completion_is_not(self, field: Field, python: str) -> None:
        code = SPEAKS + "say('MERGE', {'state': 'completed', 'model': {'type': 't'}}); say('MERGE', {'state': 'failed'})"
        assert (await field.execute(python, "-c", code)).bodies == [{"model": {"type": "t"}}, {"state": "failed"}]

    async def test_a_model_reads_its_own_training_run_as_it_has_written_it(self, field: Field, python: str) -> None:
        code = SPEAKS + (
            "say('MERGE', {'values': {'m': {'value': 1}}}); status, run = say('GET', None)\n"
            "print(status, run['assignments'], run['values']['m']['value'])"
        )
        assert (await field.execute(python, "-c", code, assignments={"x": 2})).printed == b"200 {'x': 2} 1\n"

    async def test_nobody_writes_without_the_token_of_this_training_run(self, field: Field, python: str) -> None:
        code = SPEAKS + "print(say('MERGE', {'name': 'n'}, authorization='Basic eDo=')[0])"
        course = await field.execute(python, "-c", code)
        assert course.printed == b"403\n" and not course.reports


class Client(Contract):
    """Models written for the `sigopt` client run unchanged. `python` has to have it."""

    async def test_a_model_of_the_client_logs_through_its_launcher(self, field: Field, python: str) -> None:
        course = await field.execute(python, "-c", CLIENT_MODEL, assignments={"x": 1.5})
        assert course.exit.code == 0, course.printed
        assert course.printed.decode() == f"1.5 1.5 3 {course.attempt.training_run_id}\n"
        kinds = ["merge", "merge", "checkpoint", "checkpoint", "merge"]
        assert [(report.number, report.kind) for report in course.reports] == list(enumerate(kinds, 1))
        assert course.reports[1].body == {"values": {"accuracy": {"value": 0.5, "value_stddev": 0.1}}}

    async def test_a_failure_that_the_client_logs_is_passed_on(self, field: Field, python: str) -> None:
        assert (await field.execute(python, "-c", "import sigopt; sigopt.log_failure()")).bodies == [{"state": "failed"}]

    async def test_functions_of_the_older_client_are_there(self, field: Field, python: str) -> None:
        code = "import sigopt; sigopt.set_parameters({'x': 9, 'z': 8}); print(sigopt.get_parameter('x'), sigopt.get_parameter('z'))"
        course = await field.execute(python, "-c", code, assignments={"x": 1})
        assert course.printed == b"1 8\n" and course.bodies[-1]["assignments"]["z"] == 8

    async def test_the_whole_public_surface_of_the_client_is_there_and_what_is_wrong_is_a_warning(self, field: Field, python: str) -> None:
        course = await field.execute(python, "-c", CURRENT_CLIENT, "log", assignments={"x": 1.5})
        printed = course.printed.decode()
        assert course.exit.code == 0 and printed.endswith("done\n") and "Traceback" not in printed, printed
        assert reduce(merged, (report.body for report in course.reports if report.kind == "merge"), {}) == LOGGED
        checkpoints = [report.body["values"] for report in course.reports if report.kind == "checkpoint"]
        assert checkpoints == [[{"name": "loss", "value": 2}], [{"name": "loss", "value": 1}]]
        (picture,) = [report.body for report in course.reports if report.kind == "file"]
        assert (picture["name"], picture["content_type"]) == ("picture", "image/svg+xml")
        for text in ("`bad` is not a finite number", "`worse` is not a finite number", "log_image was left out", "`was` before does not count"):
            assert printed.count(text) == 1, printed

    async def test_hundreds_of_parameters_with_long_names_reach_a_model(self, field: Field, python: str) -> None:
        assignments = {f"parameter_{'x' * 180}_{number}": number + 0.5 for number in range(450)}
        code = "import sigopt; print(len(sigopt.params), sum(sigopt.params.values()), sigopt.get_run_id()); sigopt.log_metric('y', 1)"
        course = await field.execute(python, "-c", code, assignments=assignments)
        assert course.printed.decode() == f"450 {sum(assignments.values())} {course.attempt.training_run_id}\n"
        assert course.exit.code == 0 and course.values("y") == [1]


class WithoutService(Contract):
    """Where models reach no service, what needs it is refused in one sentence. `python` has to have the client."""

    async def test_what_needs_the_service_says_so(self, field: Field, python: str) -> None:
        course = await field.execute(python, "-c", CURRENT_CLIENT, "service", assignments={"x": 1.5})
        *wishes, own, last = course.printed.decode().splitlines()
        assert course.exit.code == 0 and last == "done" and len(wishes) == 13, course.printed
        assert all(wish.count("needs the service") == 1 for wish in wishes) and "cannot archive its own" in own, course.printed


class Adoption(Contract):
    """Called again, by anybody, is the same case: one model for one attempt."""

    async def test_launching_again_adopts(self, field: Field) -> None:
        attempt = field.attempt("sh", "-c", "echo m=1; sleep 0.3; echo m=2", patterns={"m": "m=(.*)"})
        await field.compute.launch(attempt)
        await field.compute.launch(attempt)
        second = field.another()
        await second.launch(attempt)
        course = await field.follow(attempt, second)
        assert course.exit.code == 0 and course.printed == b"m=1\nm=2\n" and course.values("m") == [1, 2]

    async def test_launching_many_times_at_once_starts_one_model(self, field: Field) -> None:
        attempt = field.attempt("sh", "-c", "echo started; sleep 0.3")
        await asyncio.gather(*(field.another().launch(attempt) for _ in range(4)))
        course = await field.follow(attempt)
        assert course.exit.code == 0 and course.printed == b"started\n"

    async def test_an_attempt_that_has_ended_is_not_started_again(self, field: Field) -> None:
        first = await field.execute("sh", "-c", "echo once; exit 4")
        again = await field.take(first.attempt)
        assert again.exit == first.exit and again.printed == b"once\n"

    async def test_the_next_attempt_is_an_execution_of_its_own(self, field: Field) -> None:
        first = await field.execute("sh", "-c", "echo attempt $TRIALFLOW_ATTEMPT")
        second = await field.take(field.remember(dataclasses.replace(first.attempt, number=2)))
        assert (first.printed, second.printed) == (b"attempt 1\n", b"attempt 2\n")

    async def test_a_new_follower_gets_all_reports_from_the_first_one_again(self, field: Field, python: str) -> None:
        code = SPEAKS + "for n in range(50): say('MERGE', {'values': {'m': {'value': n}}})"
        first = await field.execute(python, "-c", code)
        second = await field.follow(first.attempt, field.another())
        assert second.reports == first.reports and len(first.reports) == 50 and second.exit == first.exit

    async def test_two_followers_at_once_both_see_everything(self, field: Field) -> None:
        attempt = field.attempt("sh", "-c", "for n in 1 2 3 4; do echo m=$n; sleep 0.1; done", patterns={"m": "m=(.*)"})
        await field.compute.launch(attempt)
        courses = await asyncio.gather(field.follow(attempt), field.follow(attempt, field.another()))
        assert [course.values("m")[-1] for course in courses] == [4, 4] and courses[0].reports == courses[1].reports

    async def test_no_longer_following_leaves_the_training_run_alone(self, field: Field) -> None:
        attempt = field.attempt("sh", "-c", f"echo on; sleep {self.pace}; echo done")
        await field.compute.launch(attempt)
        course = Course(field.compute, attempt)
        following = asyncio.ensure_future(course.follow(field.patience))
        await course.until(lambda: course.streamed == b"on\n", field.patience)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        again = await field.follow(attempt)
        assert again.exit.code == 0 and not again.exit.stopped and again.printed == b"on\ndone\n"

    async def test_many_at_once_are_kept_apart(self, field: Field) -> None:
        attempts = [field.attempt("sh", "-c", "echo m=$TRIALFLOW_PARAM_N", assignments={"n": n}, patterns={"m": "m=(.*)"}) for n in range(8)]
        courses = await asyncio.gather(*(field.take(attempt) for attempt in attempts))
        assert [course.values("m") for course in courses] == [[n] for n in range(8)]


class Stopping(Contract):
    """Stopping leaves nothing, and can be said twice."""

    async def test_stopping_ends_everything_that_the_command_started_and_says_so(self, field: Field) -> None:
        attempt = field.attempt("sh", "-c", f"({TICKING}) & sleep 100")
        await field.compute.launch(attempt)
        async with asyncio.timeout(field.patience):
            await field.compute.stop(attempt)
        course = await field.follow(attempt)
        assert course.exit.stopped and not course.exit.problem
        printed = course.printed
        await asyncio.sleep(0.2)
        assert course.printed == printed

    async def test_stopping_twice_and_at_once_is_stopping_once(self, field: Field) -> None:
        attempt = field.attempt("sleep", "100")
        await field.compute.launch(attempt)
        async with asyncio.timeout(field.patience):
            await asyncio.gather(field.compute.stop(attempt), field.another().stop(attempt))
            await field.compute.stop(attempt)
        assert (await field.follow(attempt)).exit.stopped

    async def test_a_model_that_will_not_end_is_killed_after_the_grace(self, field: Field) -> None:
        attempt = field.attempt("sh", "-c", STUBBORN)
        await field.compute.launch(attempt)
        course = Course(field.compute, attempt)
        following = asyncio.ensure_future(course.follow(2 * field.patience))
        await course.until(lambda: course.streamed == b"ready\n", field.patience)
        async with asyncio.timeout(field.patience):
            await field.compute.stop(attempt, grace=0.3)
        await following
        assert course.exit.stopped

    async def test_what_a_model_logs_when_it_is_asked_to_stop_still_counts(self, field: Field) -> None:
        attempt = field.attempt("sh", "-c", "trap 'echo m=3; exit 0' TERM; echo ready; while :; do sleep 0.05; done", patterns={"m": "m=(.*)"})
        await field.compute.launch(attempt)
        course = Course(field.compute, attempt)
        following = asyncio.ensure_future(course.follow(2 * field.patience))
        await course.until(lambda: course.streamed == b"ready\n", field.patience)
        await field.compute.stop(attempt, grace=field.patience)
        await following
        assert course.exit.stopped and course.exit.code == 0 and course.values("m") == [3]

    async def test_stopping_what_has_ended_changes_nothing(self, field: Field) -> None:
        first = await field.execute("sh", "-c", "echo m=1; exit 5", patterns={"m": "m=(.*)"})
        await field.compute.stop(first.attempt)
        again = await field.follow(first.attempt)
        assert again.exit == first.exit and again.reports == first.reports

    async def test_stopping_what_never_was_is_no_error(self, field: Field) -> None:
        await field.compute.stop(field.attempt("true"))


class ComputeContract(Ends, Output, Reports, Client, Adoption, Stopping):
    """All of it."""
