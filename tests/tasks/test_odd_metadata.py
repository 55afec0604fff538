"""Metadata that trialflow keeps and anybody can write: whatever is there is read, and an experiment goes on."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.experiments import resume
from tasks.experiments.artifacts import report
from tasks.experiments.carrying import CarriedOver, champion_of, known_from
from tasks.experiments.launch_history import LaunchHistory
from tasks.experiments.ledger import Ledger
from tasks.experiments.ownership import owner_of
from tasks.experiments.tally import Tally
from trialflow import metadata_keys
from trialflow.metadata_keys import ATTEMPT, EARLIER, EARLIER_CHECKPOINTS, LOST, NODE_USE, REASON, STOPPED_EARLY, uid_of
from trialflow.results import facts
from trialflow.results.pictures.points import points_of
from trialflow.results.spending import spent_on
from trialflow.service.pages.table import grouped_reasons, reason_of
from trialflow.specs import early_stopping_of
from trialflow.specs.mlflow import mlflow_of

KEYS = sorted({value for value in vars(metadata_keys).values() if isinstance(value, str) and value.startswith("trialflow_")} | {f"{NODE_USE}1"})
METRICS = [{"name": "y", "strategy": "optimize", "objective": "maximize"}]
odd = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([-1, 0, 1, 2**31, 2**63, 10**300, 1e300, -1e300, 0.5]),
    st.sampled_from(
        ["", "x", "1", "now", "[" * 5000, "{}", '{"metric": 5}', "node 1 2 3", "node x y z", "a 1e400 0 1", "node nan 0 1", '{"host": 1}']
    ),
    st.sampled_from([f"process {pid} on h since {since}" for pid in ("1", "9" * 5000) for since in ("2026-01-01 10:00", "2026-99-99 99:99")]),
    st.text(max_size=20),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.text(max_size=4), st.integers(), max_size=2),
)
metadata = st.dictionaries(st.sampled_from(KEYS), odd, max_size=8)


def test_the_keys_are_found() -> None:
    assert {ATTEMPT, LOST, REASON, EARLIER, STOPPED_EARLY, metadata_keys.OWNER, metadata_keys.MAX_COST} <= set(KEYS)


@settings(max_examples=300, deadline=None)
@given(of_run=metadata, of_experiment=metadata, state=st.sampled_from(["active", "completed", "failed"]), name=st.sampled_from(["run-1", "known-1"]))
def test_nothing_there_stops_an_experiment(of_run: dict[str, Any], of_experiment: dict[str, Any], state: str, name: str) -> None:
    run: Any = {"id": "1", "name": name, "state": state, "dev_metadata": of_run, "metadata": of_experiment, "values": {}, "assignments": {"x": 1}}
    experiment: Any = {
        **{"id": "2", "name": "e", "state": "active", "metadata": of_experiment, "dev_metadata": {}, "metrics": METRICS, "parameters": []},
        **{"progress": {"finished_run_count": 1, "active_run_count": 0, "total_run_count": 1}, "budget": 3, "parallel_bandwidth": 1},
    }
    history = LaunchHistory.of(run)
    assert 1 <= history.attempt < 1 << 31 and history.lost >= 0 and history.earlier_checkpoints >= 0
    assert all(value is None or isinstance(value, str) for value in (history.reason, history.stopped_early))
    history.merge_body(), history.after_loss("x", counts=True, checkpoints=0), history.reason_since(run)
    tally = Tally.of([run])
    facts.run_fact(run), facts.experiment_row(experiment, runs=[run], best=[run], owner=None), facts.state_of(run)
    report(experiment, [run], done=1, failed=tally.failed, stopped=tally.stopped, lost=tally.lost, cost=spent_on([run]))
    points_of([run]), grouped_reasons([run]), reason_of(run)
    assert known_from(experiment, run)["dev_metadata"][EARLIER] >= 1
    champion_of(experiment, experiment, CarriedOver((run,), {}, ()))
    ledger = Ledger.of(experiment, ours=0, canary=True, stop_after_failures=5, proven=False)
    assert ledger.may_start or ledger.max_cost is not None
    assert owner_of(experiment) is None or str(owner_of(experiment))
    uid_of(experiment), early_stopping_of(of_experiment), mlflow_of(of_experiment)
    resume.plan({"name": "e", "budget": 3}, [experiment], when_finished="new", always_new=False, folder="h:/x", flow_run_id="f")
    resume.with_flow_run(experiment, "f", "http://x")


@pytest.mark.parametrize(
    ("key", "value"), [(ATTEMPT, "x"), (ATTEMPT, 10**300), (LOST, {}), (EARLIER_CHECKPOINTS, "many"), (STOPPED_EARLY, 5), (REASON, [])]
)
def test_what_is_of_another_form_counts_as_not_there(key: str, value: Any) -> None:
    assert LaunchHistory.of({"id": "1", "dev_metadata": {key: value}}) == LaunchHistory()  # type: ignore[typeddict-item]
