"""When the next training run may start, and when work on an experiment stops."""

from tasks.experiments.ledger import Ledger


def started(ledger: Ledger) -> list[str]:
    names = []
    while ledger.may_start:
        names.append(f"r{ledger.spent}-{len(ledger.active)}-{len(names)}")
        ledger.start(names[-1])
    return names


def test_no_more_than_the_bandwidth_is_in_flight() -> None:
    assert len(started(Ledger(budget=10, bandwidth=4, canary=False))) == 4


def test_no_more_than_the_budget_is_started() -> None:
    ledger = Ledger(budget=10, bandwidth=4, canary=False, spent=8)
    assert len(started(ledger)) == 2
    assert ledger.left == 0


def test_training_runs_of_others_hold_their_units() -> None:
    assert len(started(Ledger(budget=10, bandwidth=4, canary=False, spent=8, reserved=1))) == 1


def test_an_unlimited_experiment_always_has_a_next_one() -> None:
    assert len(started(Ledger(budget=None, bandwidth=3, canary=False, spent=1000))) == 3


def test_the_first_training_run_goes_alone_until_one_has_completed() -> None:
    ledger = Ledger(budget=10, bandwidth=4)
    (first,) = started(ledger)
    ledger.fail(first)
    (second,) = started(ledger)
    ledger.complete(second)
    assert len(started(ledger)) == 4


def test_failures_in_a_row_stop_it_and_a_completed_one_resets_the_count() -> None:
    ledger = Ledger(budget=10, bandwidth=1, canary=False, stop_after_failures=2)
    for outcome in (ledger.fail, ledger.complete, ledger.fail):
        (name,) = started(ledger)
        outcome(name)
    assert not ledger.is_broken
    (name,) = started(ledger)
    ledger.fail(name)
    assert ledger.is_broken and not ledger.may_start


def test_zero_never_stops_it() -> None:
    ledger = Ledger(budget=100, bandwidth=1, canary=False, stop_after_failures=0)
    for _ in range(50):
        (name,) = started(ledger)
        ledger.fail(name)
    assert ledger.may_start


def test_a_failed_training_run_spends_its_unit_and_a_lost_one_does_not() -> None:
    ledger = Ledger(budget=3, bandwidth=1, canary=False)
    (name,) = started(ledger)
    assert ledger.left == 2 and ledger.spent == 0
    ledger.fail(name)
    assert ledger.spent == 1


def test_one_that_could_not_start_gives_its_unit_back() -> None:
    ledger = Ledger(budget=1, bandwidth=1, canary=False)
    (name,) = started(ledger)
    ledger.drop(name)
    assert ledger.may_start


def test_the_books_of_an_experiment_count_what_others_hold() -> None:
    experiment = {"budget": 20, "parallel_bandwidth": None, "progress": {"finished_run_count": 5, "active_run_count": 3}}
    ledger = Ledger.of(experiment, ours=2, canary=True, stop_after_failures=5, proven=True)
    assert (ledger.spent, ledger.reserved, ledger.bandwidth, ledger.width) == (5, 1, 1, 1)
