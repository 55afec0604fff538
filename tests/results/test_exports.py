"""Results for other tools and from them, each with the real neighbour."""

import csv
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tasks.experiments.copying import plan_import
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.results.exports import known
from trialflow.results.exports.files import content, format_of, frame
from trialflow.results.exports.mlflow_runs import to_mlflow
from trialflow.results.exports.neighbours import neighbour
from trialflow.results.exports.optuna_study import to_optuna

PARAMETERS = [
    {"name": "rate", "type": "double", "bounds": {"min": 0.001, "max": 1.0}, "transformation": "log"},
    {"name": "layers", "type": "int", "bounds": {"min": 1, "max": 4}},
    {"name": "kind", "type": "categorical", "categorical_values": [{"name": "a", "enum_index": 1}, {"name": "b", "enum_index": 2}]},
    {"name": "size", "type": "double", "grid": [1, 2.5], "conditions": {"model": ["net"]}},
]
EXPERIMENT: dict[str, Any] = {
    "id": "7",
    "name": "mine",
    "parameters": PARAMETERS,
    "conditionals": [{"name": "model", "values": ["net", "tree"]}],
    "metrics": [
        {"name": "accuracy", "objective": "maximize", "strategy": "optimize"},
        {"name": "seconds", "objective": "minimize", "strategy": "constraint", "threshold": 10},
        {"name": "size", "strategy": "store"},
    ],
}


def run(number: int, state: str = "completed", *, values: dict[str, float] | None = None, kept: dict[str, Any] | None = None, **changed: Any) -> dict:
    given = {"rate": 0.1, "layers": 2, "kind": "a", "model": "net", "size": 1, **changed}
    measured = {"accuracy": 0.5 + number / 100, "seconds": 5.0, "size": 3.0} if values is None else values
    return {
        "id": str(number),
        "experiment": "7",
        "name": f"run-{number}",
        "state": state,
        "assignments": {name: value for name, value in given.items() if value is not None},
        "values": {name: {"value": value} for name, value in measured.items()},
        "dev_metadata": kept or {},
        "created": 1_790_000_000 + number,
        "completed": None if state == "active" else 1_790_000_100 + number,
    }


RUNS = [
    run(1),
    run(2, model="tree", size=None, kind="b", rate=3.0),  # outside of the bounds: Optuna would refuse it
    run(3, "failed", values={}, kept={"trialflow_reason": "exit code 1"}),
    run(4, values={"accuracy": 0.9, "seconds": 20.0}, size=2.5, kept={"trialflow_stopped_early": "no prospects"}),
    run(5, "active", values={}),
]
CHECKPOINTS = {"1": [{"created": 1_790_000_050 + step, "values": [{"name": "accuracy", "value": 0.1 * step}]} for step in range(3)]}


@pytest.mark.parametrize("storage", ["file", "url"])
def test_optuna_reads_the_study_with_its_values_constraints_and_steps(storage: str, tmp_path: Path) -> None:
    import optuna

    place = tmp_path / "study.db" if storage == "file" else f"sqlite:///{tmp_path / 'study.db'}"
    for _ in range(2):  # twice is the same as once
        to_optuna(EXPERIMENT, RUNS, place, checkpoints=CHECKPOINTS)
    study = optuna.load_study(study_name="mine (experiment 7)", storage=f"sqlite:///{tmp_path / 'study.db'}")
    first, second, failed, slow = study.get_trials()
    assert [one.state.name for one in study.get_trials()] == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE"]
    assert first.params == {"rate": 0.1, "layers": 2, "kind": "a", "model": "net", "size": 1.0} and second.params["rate"] == 3.0
    assert "size" not in second.params and second.params["model"] == "tree"
    assert first.intermediate_values == {0: 0.0, 1: 0.1, 2: 0.2}
    assert first.user_attrs == {"trialflow_training_run": "1", "state": "completed", "seconds": 5.0, "size": 3.0}
    assert failed.user_attrs["reason"] == "exit code 1" and slow.user_attrs["stopped_early"] == "no prospects"
    assert study.metric_names == ["accuracy"] and study.direction.name == "MAXIMIZE"
    assert study.best_trial.number == second.number, "the one that is slow is beyond its constraint"
    assert second.duration is not None and second.duration.total_seconds() == 100
    assert set(optuna.importance.get_param_importances(study, params=["rate", "layers"])) == {"rate", "layers"}


def test_optuna_reads_two_metrics_and_what_is_new_is_added(tmp_path: Path) -> None:
    two = {**EXPERIMENT, "metrics": [{"name": "accuracy"}, {"name": "seconds", "objective": "minimize"}]}
    to_optuna(two, RUNS[:1], tmp_path / "s.db", checkpoints={}, name="called")
    study = to_optuna(two, RUNS, tmp_path / "s.db", checkpoints={}, name="called")
    assert len(study.trials) == 4 and len(study.best_trials) == 2
    with pytest.raises((InvalidInput, ValueError)):
        to_optuna(EXPERIMENT, RUNS, tmp_path / "s.db", checkpoints={}, name="called")


@pytest.mark.slow
def test_mlflow_reads_the_runs(tmp_path: Path) -> None:
    import mlflow

    uri = f"sqlite:///{tmp_path / 'mlflow.db'}"
    odd = [*RUNS[:4], run(6, values={"accuracy": 0.5, "loss [x]": 1.0, "seconds": 1.0})]
    for _ in range(2):
        identifier = to_mlflow(EXPERIMENT, odd, uri, checkpoints=CHECKPOINTS)
    client = mlflow.MlflowClient(uri)
    found = {one.data.tags["trialflow.training_run"]: one for one in client.search_runs([identifier])}
    assert client.get_experiment(identifier).name == "mine (experiment 7)" and set(found) == {"1", "2", "3", "4", "6"}
    assert found["1"].data.params == {"rate": "0.1", "layers": "2", "kind": "a", "model": "net", "size": "1"}
    assert found["1"].data.metrics == {"accuracy": 0.51, "seconds": 5.0, "size": 3.0}
    assert [one.value for one in client.get_metric_history(found["1"].info.run_id, "accuracy")] == [0.0, 0.1, 0.2, 0.51]
    assert (found["3"].info.status, found["4"].info.status) == ("FAILED", "FINISHED")
    assert found["3"].data.tags["trialflow.reason"] == "exit code 1" and found["6"].data.metrics["loss _x_"] == 1.0
    assert found["1"].info.end_time - found["1"].info.start_time == 100_000


def test_files_hold_every_training_run(tmp_path: Path) -> None:
    import pandas

    for name in ("r.csv", "r.tsv", "r.json", "r.yaml", "r.parquet"):
        (tmp_path / name).write_bytes(content(RUNS, format_of(name)))
    rows = list(csv.DictReader((tmp_path / "r.csv").open()))
    assert [row["id"] for row in rows] == ["1", "2", "3", "4", "5"] and rows[0]["size (metric)"] == "3.0"
    assert json.loads((tmp_path / "r.json").read_text())[1]["assignments"]["rate"] == 3.0
    parquet = pandas.read_parquet(tmp_path / "r.parquet")
    pandas.testing.assert_frame_equal(parquet, frame(RUNS))
    assert list(parquet["accuracy"])[0] == 0.51
    with pytest.raises(InvalidInput, match="r.xlsx"):
        format_of("r.xlsx")


def test_a_library_that_is_missing_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(TrialflowError) as missing:
        frame(RUNS)
    assert missing.value.hint == "`pip install 'trialflow[frames]'` brings it"
    with pytest.raises(TrialflowError, match="optuna is not installed"):
        monkeypatch.setitem(sys.modules, "optuna", None)
        neighbour("optuna")


def plain(found: list[dict[str, Any]]) -> list[tuple[dict, dict]]:
    return [(one["assignments"], {name: value["value"] for name, value in one["values"].items()}) for one in found]


def test_what_is_exported_as_csv_comes_back_the_same(tmp_path: Path) -> None:
    (tmp_path / "r.csv").write_bytes(content(RUNS, "csv"))
    found = known.read(EXPERIMENT, str(tmp_path / "r.csv"))
    expected = [(one["assignments"], {name: value["value"] for name, value in one["values"].items()}) for one in RUNS if one["state"] == "completed"]
    assert plain(found) == expected
    made = plan_import(EXPERIMENT, found, [], "r.csv")
    assert len(made.new) == 3 and made.new[0]["dev_metadata"] == {"trialflow_known": "r.csv"} and made.new[0]["state"] == "completed"
    again = plan_import(EXPERIMENT, found, made.new, "r.csv")
    assert again.new == () and set(again.skipped.values()) == {"it was imported before"}


def test_a_csv_of_ones_own_needs_the_metric_that_is_optimized_and_numbers(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("rate,layers,kind,model,accuracy,seconds,note\n0.1,2,a,tree,0.7,3,x\n0.1,2,a,tree,0.7,3,x\n0.2,3,b,tree,,1,failed\n")
    found = known.read(EXPERIMENT, str(file))
    assert plain(found)[0] == ({"rate": 0.1, "layers": 2, "kind": "a", "model": "tree"}, {"accuracy": 0.7, "seconds": 3.0})
    assert len({one["name"] for one in found}) == 3, "the same row twice is two measurements"
    assert plan_import(EXPERIMENT, found, [], "own.csv").skipped == {"3": "it has no value of accuracy"}
    file.write_text("rate,layers\n0.1,2\n")
    with pytest.raises(InvalidInput, match="no column accuracy"):
        known.read(EXPERIMENT, str(file))
    file.write_text("rate,accuracy\nhigh,1\n")
    with pytest.raises(InvalidInput, match="row 1: rate is 'high'"):
        known.read(EXPERIMENT, str(file))
    with pytest.raises(InvalidInput, match="cannot be read"):
        known.read(EXPERIMENT, str(tmp_path / "none.csv"))
    with pytest.raises(InvalidInput, match="no source"):
        known.read(EXPERIMENT, "results.xlsx")


def test_rows_of_pandas_are_taken_with_its_nan() -> None:
    import pandas

    table = pandas.DataFrame({"rate": [0.1, 0.2], "layers": [1, 2], "kind": ["a", "b"], "model": ["tree"] * 2, "accuracy": [0.5, float("nan")]})
    found = known.from_rows(EXPERIMENT, table.to_dict("records"))
    assert plain(found) == [
        ({"rate": 0.1, "layers": 1, "kind": "a", "model": "tree"}, {"accuracy": 0.5}),
        ({"rate": 0.2, "layers": 2, "kind": "b", "model": "tree"}, {}),
    ]


def test_an_optuna_study_that_was_made_by_optuna_is_read(tmp_path: Path) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    address = f"sqlite:///{tmp_path / 'own.db'}"
    study = optuna.create_study(storage=address, study_name="tuning", direction="maximize")

    def objective(trial: optuna.Trial) -> float:
        rate, layers = trial.suggest_float("rate", 0.001, 1, log=True), trial.suggest_int("layers", 1, 4)
        trial.suggest_categorical("kind", ["a", "b"])
        trial.suggest_categorical("model", ["tree"])
        trial.set_user_attr("seconds", 2.0)
        if trial.number == 1:
            raise optuna.TrialPruned
        return rate * layers

    study.optimize(objective, n_trials=4)
    found = known.read(EXPERIMENT, address + "#tuning")
    assert found == known.from_optuna(EXPERIMENT, study) and len(found) == 3
    assert plan_import(EXPERIMENT, found, [], "optuna").skipped == {}
    assert plain(found)[0][1] == {"accuracy": study.trials[0].value, "seconds": 2.0}
    with pytest.raises(TrialflowError, match="could not load the study"):
        known.read(EXPERIMENT, address + "#other")
    with pytest.raises(InvalidInput, match="2 objectives"):
        known.from_optuna(EXPERIMENT, optuna.create_study(directions=["maximize", "minimize"]))


def test_what_breaks_a_linear_constraint_is_not_imported() -> None:
    linear = {"type": "less_than", "threshold": 3, "terms": [{"name": "rate", "weight": 1}, {"name": "layers", "weight": 1}]}
    found = known.from_training_runs([run(1, layers=4), run(2)])
    made = plan_import({**EXPERIMENT, "linear_constraints": [linear]}, found, [], "x")
    assert made.skipped == {"1": "it does not satisfy a linear constraint of this experiment"} and len(made.new) == 1
