"""The loop over a fake service and a fake compute: what starts when, what is adopted, and how it ends."""

import asyncio
from typing import Any

import pytest

from flows.tuning import Tuning
from tasks.compute import Attempt, ComputeUnavailable, Exit, Report
from tasks.experiments.client import ServiceRefused, ServiceUnavailable
from tasks.experiments.early_stopper import EarlyStopper
from tasks.experiments.tally import Tally
from tests.flows.fakes import WELL, FakeCompute, FakeService, PlainChain, context_of, never
from trialflow.metadata_keys import MAX_COST
from trialflow.optimizer.stopping import Rule
from trialflow.results.spending import NodeUse


def tuning(service: FakeService, compute: FakeCompute, *, run: dict[str, Any] | None = None, new_chain: Any = PlainChain, **more: Any) -> Tuning:
    fields = {name: more.pop(name) for name in ("required", "required_if_stopped", "early_stopper") if name in more}
    context = context_of(service, compute, run=run, **fields)
    return Tuning(context, service.experiment, list(service.kept.values()), new_chain=new_chain, end_seconds=0.5, **{"canary": False, **more})


async def test_the_budget_is_spent_exactly_with_the_bandwidth_in_flight() -> None:
    service, compute = FakeService(budget=10, bandwidth=3), FakeCompute()
    await tuning(service, compute).run()
    assert service.states() == ["completed"] * 10 and compute.most == 3
    assert len(set(compute.launched)) == len(compute.launched) == 10 and len(compute.discarded) == 10


async def test_a_slot_that_frees_up_is_refilled_at_once_while_others_go_on() -> None:
    service, hold = FakeService(budget=6, bandwidth=2), asyncio.Event()

    async def first_waits(attempt: Attempt) -> Exit:
        if attempt.training_run_id == "1":
            await hold.wait()
        return WELL

    work = asyncio.create_task(tuning(service, FakeCompute(first_waits)).run())
    async with asyncio.timeout(5):
        while service.states().count("completed") < 5:
            await asyncio.sleep(0)
    assert service.states()[0] == "active"
    hold.set()
    await work


async def test_the_canary_goes_alone_until_one_has_completed() -> None:
    service, at_once = FakeService(budget=5, bandwidth=4), []
    compute = FakeCompute()

    def note(attempt: Attempt) -> Exit:
        at_once.append(len(compute.following))
        return Exit(code=1) if attempt.training_run_id == "1" else WELL

    compute.answer = note
    await tuning(service, compute, canary=True).run()
    assert at_once[:2] == [1, 1] and max(at_once) == 3 and service.states()[0] == "failed"


async def test_one_that_is_lost_is_launched_again_and_costs_no_budget() -> None:
    service = FakeService(budget=3, bandwidth=1)

    def lost_twice(attempt: Attempt) -> Exit:
        return Exit(lost="its pod was evicted") if attempt.training_run_id == "2" and attempt.number < 3 else WELL

    compute = FakeCompute(lost_twice)
    await tuning(service, compute).run()
    assert service.states() == ["completed"] * 3
    assert [number for run, number in compute.launched if run == "2"] == [1, 2, 3]
    assert Tally.of(list(service.kept.values())) == Tally(done=3, lost=2)


async def test_a_training_run_says_where_it_executes_and_no_longer_once_that_is_not_a_cluster() -> None:
    service, compute = FakeService(budget=2, bandwidth=1), FakeCompute()
    service.add("run-aaaaaaaa", trialflow_place="gone/run-aaaaaaaa-2")
    compute.name = "mine"
    compute.answer = lambda attempt: WELL if service.kept["1"]["dev_metadata"]["trialflow_place"] == "mine/run-aaaaaaaa" else Exit(code=1)
    await tuning(service, compute).run()
    assert service.states() == ["completed"] * 2
    service.kept["1"]["state"], compute.name, compute.answer = "active", None, lambda attempt: WELL
    await tuning(service, compute).run()
    assert service.kept["1"]["dev_metadata"].get("trialflow_place") is None


async def test_one_that_is_lost_too_often_has_failed() -> None:
    service = FakeService(budget=1, bandwidth=1)
    await tuning(service, FakeCompute(lambda attempt: Exit(lost="node gone")), run={"max_relaunches": 2}).run()
    (run,) = service.kept.values()
    assert run["state"] == "failed" and "lost 3 times" in run["dev_metadata"]["trialflow_reason"]


async def test_after_a_restart_the_tally_has_the_losses_of_the_flows_before() -> None:
    service = FakeService(budget=3, bandwidth=1)
    service.add("run-aaaaaaaa", state="completed", trialflow_lost=2)
    service.add("run-bbbbbbbb", trialflow_lost=1, trialflow_attempt=2)
    compute = FakeCompute()
    await tuning(service, compute).run()
    assert compute.launched == [("2", 2), ("3", 1)], "the second attempt of the one that was active is adopted"
    assert Tally.of(list(service.kept.values())) == Tally(done=3, lost=3)


async def test_training_runs_of_others_are_not_launched_and_hold_their_units() -> None:
    service = FakeService(budget=3, bandwidth=2)
    service.add("made by hand")
    compute = FakeCompute()
    await tuning(service, compute).run()
    assert [run for run, _ in compute.launched] == ["2", "3"]


async def test_failures_in_a_row_end_the_work_and_the_last_one_is_named() -> None:
    service = FakeService(budget=10, bandwidth=1)
    one = tuning(service, FakeCompute(lambda attempt: Exit(code=3)), stop_after_failures=2)
    await one.run()
    assert service.states() == ["failed"] * 2 and one.ledger.is_broken
    assert one.last_failure is not None and one.last_failure.startswith("training run 2 (run-") and one.last_failure.endswith("exit code 3")


async def test_a_used_up_space_ends_the_work_in_order() -> None:
    service = FakeService(budget=10, bandwidth=2, points=3)
    one = tuning(service, FakeCompute())
    await one.run()
    assert service.states() == ["completed"] * 3 and one.ledger.exhausted


async def test_a_suggestion_whose_answer_got_lost_is_found_again_and_not_made_twice() -> None:
    service = FakeService(budget=2, bandwidth=1)

    class Retrying(PlainChain):
        again = (ServiceUnavailable,)

    suggest = service.suggest_run

    async def lose_the_first_answer(experiment_id: str, name: str) -> dict[str, Any]:
        run = await suggest(experiment_id, name)
        if run["id"] == "1":
            raise ServiceUnavailable("the answer got lost")
        return run

    service.suggest_run = lose_the_first_answer  # type: ignore[method-assign]
    await tuning(service, FakeCompute(), new_chain=Retrying).run()
    assert service.states() == ["completed"] * 2


async def test_interrupted_it_stops_every_model_in_order_and_the_training_runs_stay_active() -> None:
    service, compute, chains = FakeService(budget=10, bandwidth=3), FakeCompute(never), []

    def new_chain() -> PlainChain:
        chains.append(PlainChain())
        return chains[-1]

    one = tuning(service, compute, new_chain=new_chain)
    work = asyncio.create_task(one.run())
    while len(compute.following) < 3:
        await asyncio.sleep(0)
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    assert sorted(compute.stopped) == ["1", "2", "3"] and one.stopped == 3 and not compute.following
    assert service.states() == ["active"] * 3 and len(compute.launched) == 3, "nothing new was started"
    assert [[step.split()[0] for step in chain.steps] for chain in chains] == [["suggest", "launch", "collect", "observe"]] * 3, "no step was cut off"
    assert [run["dev_metadata"].get("trialflow_attempt") for run in service.kept.values()] == [2, 2, 2]
    assert Tally.of(list(service.kept.values())).lost == 0, "stopping is no loss"


async def test_one_that_is_just_being_launched_when_the_stop_comes_is_stopped_as_well() -> None:
    service, compute = FakeService(budget=1, bandwidth=1), FakeCompute(never)
    launching, go_on = asyncio.Event(), asyncio.Event()
    launch = compute.launch

    async def slowly(attempt: Attempt) -> None:
        launching.set()
        await go_on.wait()
        await launch(attempt)

    compute.launch = slowly  # type: ignore[method-assign]
    work = asyncio.create_task(tuning(service, compute).run())
    await launching.wait()
    work.cancel()
    await asyncio.sleep(0.01)
    go_on.set()
    # The fake takes a stop only while it is followed; the loop asks for one again once the launch is done.
    compute.answer = lambda attempt: Exit(stopped=True)
    with pytest.raises(asyncio.CancelledError):
        await work
    assert compute.stopped == ["1", "1"] and service.states() == ["active"]


async def test_a_model_that_has_its_launcher_end_each_time_is_lost_too_often_in_the_end() -> None:
    service, compute = FakeService(budget=2, bandwidth=1), FakeCompute(lambda attempt: Exit(stopped=True) if attempt.training_run_id == "1" else WELL)
    async with asyncio.timeout(60):
        await tuning(service, compute, run={"max_relaunches": 2}).run()
    assert service.states() == ["failed", "completed"] and [number for run, number in compute.launched if run == "1"] == [1, 2, 3, 4]
    assert "lost 3 times" in service.kept["1"]["dev_metadata"]["trialflow_reason"]


async def test_a_second_interruption_waits_for_nothing() -> None:
    service, compute = FakeService(budget=2, bandwidth=2), FakeCompute(never)

    async def hang(attempt: Attempt, *, grace: float = 10.0) -> None:
        await asyncio.Event().wait()

    compute.stop = hang  # type: ignore[method-assign]
    work = asyncio.create_task(tuning(service, compute).run())
    while len(compute.following) < 2:
        await asyncio.sleep(0)
    work.cancel()
    await asyncio.sleep(0.01)
    work.cancel()
    async with asyncio.timeout(5):
        with pytest.raises(asyncio.CancelledError):
            await work
    assert not compute.following


@pytest.mark.parametrize("error", [ServiceUnavailable("away"), ComputeUnavailable("away")])
async def test_while_the_service_or_the_compute_is_away_the_models_go_on(error: Exception) -> None:
    service, compute = FakeService(budget=4, bandwidth=2), FakeCompute(never)

    async def away(attempt: Attempt) -> Exit:
        if attempt.training_run_id == "2":
            raise error
        return await never(attempt)

    compute.answer = away
    with pytest.raises(type(error)):
        await tuning(service, compute).run()
    assert not compute.stopped and service.states() == ["active"] * 2


async def test_an_error_of_another_kind_stops_the_models() -> None:
    service, compute = FakeService(budget=4, bandwidth=2), FakeCompute(never)
    service.trouble["suggest_run"] = []
    suggest = service.suggest_run

    async def refuse_the_second(experiment_id: str, name: str) -> dict[str, Any]:
        if service.kept:
            while not compute.following:
                await asyncio.sleep(0)
            raise ServiceRefused("no such parameter", status=400)
        return await suggest(experiment_id, name)

    service.suggest_run = refuse_the_second  # type: ignore[method-assign]
    with pytest.raises(ServiceRefused):
        await tuning(service, compute).run()
    assert compute.stopped == ["1"]


def checkpoint(value: float) -> dict[str, Any]:
    return {"values": [{"name": "y", "value": value}]}


async def test_one_that_is_stopped_early_needs_only_what_is_optimized_and_counts_as_completed() -> None:
    service, compute = FakeService(budget=2, bandwidth=1), FakeCompute(values={"y": 1.0, "seconds": 5.0})
    compute.reports = lambda attempt: [Report(1, "checkpoint", checkpoint(1.0 if attempt.training_run_id == "1" else 0.1))]

    async def second_goes_on(attempt: Attempt) -> Exit:
        return WELL if attempt.training_run_id == "1" else await never(attempt)

    compute.answer = second_goes_on
    stopper = EarlyStopper(Rule("asha", "y", min_checkpoints=1, reduction=2))
    await tuning(service, compute, required=("y", "seconds"), required_if_stopped=("y",), early_stopper=stopper).run()
    assert service.states() == ["completed"] * 2 and service.kept["2"]["values"]["y"]["value"] == 0.1
    assert Tally.of(list(service.kept.values())) == Tally(done=2, stopped=1)


async def test_a_report_that_is_refused_is_dropped_and_the_training_run_goes_on() -> None:
    service, compute = FakeService(budget=1, bandwidth=1), FakeCompute()
    compute.reports = lambda attempt: [Report(1, "checkpoint", checkpoint(1.0)), Report(2, "checkpoint", checkpoint(2.0))]
    service.trouble["log_checkpoint"] = [ServiceRefused("too many", status=400)]
    await tuning(service, compute).run()
    assert service.states() == ["completed"] and service.kept["1"]["checkpoint_count"] == 1


async def test_a_result_that_is_refused_fails_its_training_run_and_nothing_else() -> None:
    service, compute = FakeService(budget=2, bandwidth=1), FakeCompute(values={})
    service.trouble["merge_run"] = [ServiceRefused("the value is too large", status=400)]
    await tuning(service, compute, required=(), required_if_stopped=()).run()
    assert service.states() == ["failed", "completed"]
    assert service.kept["1"]["dev_metadata"]["trialflow_reason"] == "the service refused its result: the value is too large"


async def test_a_training_run_that_was_deleted_meanwhile_ends_nothing_else() -> None:
    service, compute = FakeService(budget=2, bandwidth=1), FakeCompute()

    def delete(attempt: Attempt) -> Exit:
        if attempt.training_run_id == "1":
            service.kept["1x"] = service.kept.pop("1")
        return Exit(code=0, ended=1.0)

    compute.answer = delete
    one = tuning(service, compute, required=())
    await one.run()
    assert one.last_failure is not None and "deleted" in one.last_failure


async def test_no_training_run_starts_once_they_have_cost_what_they_may() -> None:
    service = FakeService(budget=10, bandwidth=2)
    compute = FakeCompute(lambda attempt: Exit(code=0, use=NodeUse(f"node-{attempt.training_run_id}", 1.0, 0.0, 3600.0)))
    tuning = Tuning(context_of(service, compute), {**service.experiment, "metadata": {MAX_COST: 3}}, [], canary=False, new_chain=PlainChain)
    await tuning.run()
    assert tuning.ledger.is_too_dear and tuning.ledger.cost == tuning.ledger.spent and 3 <= tuning.ledger.spent <= 4
    again = Tuning(context_of(service, compute), {**service.experiment, "metadata": {MAX_COST: 3}}, list(service.kept.values()), new_chain=PlainChain)
    await again.run()
    assert again.ledger.spent == tuning.ledger.spent and not again.ledger.may_start


async def test_what_is_in_use_now_counts_as_well() -> None:
    service, compute = FakeService(budget=10), FakeCompute()
    compute.used_now = [NodeUse("a", 1.0, 0.0, 7200.0)]
    tuning = Tuning(context_of(service, compute), {**service.experiment, "metadata": {MAX_COST: 2}}, [], new_chain=PlainChain)
    await tuning.run()
    assert tuning.ledger.cost == 2.0 and tuning.ledger.spent == 0
