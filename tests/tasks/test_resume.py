"""Which experiment a command goes on with."""

from pathlib import Path

import pytest

from tasks.experiments.resume import MOST_FLOW_RUNS, ResumePlan, experiment_key, flow_runs_of, is_of_another_folder, plan, with_flow_run
from tasks.projects import folder_id
from trialflow.metadata_keys import FLOW_RUNS, FOLDER, SAME

BODY = {"name": "x", "parameters": [{"name": "a"}], "metrics": [{"name": "m"}], "budget": 10, "parallel_bandwidth": 2}


def stored(done: int, *, budget: int | None = 10, active: int = 0, body: dict = BODY, identifier: str = "7") -> dict:
    progress = {"finished_run_count": done, "active_run_count": active}
    return {"id": identifier, "metadata": {SAME: experiment_key(body)}, "budget": budget, "parallel_bandwidth": 2, "progress": progress}


@pytest.mark.parametrize(
    ("existing", "when_finished", "expected"),
    [
        ([], "report", ResumePlan("create")),
        ([stored(3)], "report", ResumePlan("resume", "7", {})),
        ([stored(10)], "report", ResumePlan("report", "7")),
        ([stored(10)], "new", ResumePlan("create")),
        ([stored(9, active=1)], "new", ResumePlan("resume", "7", {})),
        ([stored(6, budget=6)], "report", ResumePlan("resume", "7", {"budget": 10})),
        ([stored(12, budget=12)], "report", ResumePlan("report", "7")),
        ([{"id": "8", "metadata": None, "progress": {}}, stored(3)], "report", ResumePlan("resume", "7", {})),
        ([stored(3, body={**BODY, "name": "other"})], "report", ResumePlan("create")),
    ],
)
def test_the_newest_unfinished_experiment_of_the_same_file_is_gone_on_with(existing: list, when_finished: str, expected: ResumePlan) -> None:
    assert plan(BODY, existing, when_finished=when_finished) == expected  # type: ignore[arg-type]


def test_new_is_always_new() -> None:
    assert plan(BODY, [stored(3)], when_finished="report", always_new=True) == ResumePlan("create")


def test_budget_bandwidth_and_metadata_do_not_make_another_experiment() -> None:
    assert experiment_key(BODY) == experiment_key({**BODY, "budget": 99, "parallel_bandwidth": 1, "metadata": {"a": 1}, "type": None})
    assert experiment_key(BODY) != experiment_key({**BODY, "parameters": []})


FOLDERS = [
    ("me:/a/model", "me:/b/model", True),
    ("me:/a/model", "me:/a/model", False),
    ("me:/moved/model", "me:/b/model", False),
    ("other:/a/model", "me:/b/model", False),
    ("me:/a/model", None, False),
    (None, "me:/b/model", False),
    (7, "me:/b/model", False),
]


@pytest.mark.parametrize(("kept", "folder", "expected"), FOLDERS)
def test_an_experiment_belongs_to_its_folder_as_long_as_that_is_there(kept: object, folder: str | None, expected: bool) -> None:
    assert is_of_another_folder(kept, folder, exists=lambda path: path != "/moved/model") is expected


def test_two_folders_of_one_name_with_the_same_files_are_two_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIGOPT_PROJECT", raising=False)
    first, second = tmp_path / "a" / "model", tmp_path / "b" / "model"
    first.mkdir(parents=True)
    theirs = {**stored(3), "metadata": {**stored(3)["metadata"], FOLDER: folder_id(None, first)}}
    assert plan(BODY, [theirs], when_finished="report", folder=folder_id(None, first)).experiment_id == "7"
    assert plan(BODY, [theirs], when_finished="report", folder=folder_id(None, second)) == ResumePlan("create")
    assert plan(BODY, [theirs], when_finished="report", folder=folder_id("chosen", second)).experiment_id == "7"
    assert plan(BODY, [theirs, stored(4, identifier="6")], when_finished="report", folder=folder_id(None, second)).experiment_id == "6"
    first.rename(tmp_path / "a" / "renamed")
    assert plan(BODY, [theirs], when_finished="report", folder=folder_id(None, tmp_path / "a" / "renamed")).experiment_id == "7"


@pytest.mark.parametrize(
    ("done", "expected"), [(10, ResumePlan("report", "7", None)), (4, ResumePlan("resume", "7", {}))], ids=["finished", "with budget left"]
)
@pytest.mark.parametrize("always_new", [False, True])
def test_a_flow_run_that_is_retried_goes_on_with_its_experiment_or_reports_it(done: int, expected: ResumePlan, always_new: bool) -> None:
    newer = stored(0, identifier="9")
    ours = stored(done)
    ours["metadata"] |= with_flow_run(ours, "flow-1")
    assert plan(BODY, [newer, ours], when_finished="new", always_new=always_new, flow_run_id="flow-1") == expected


def test_another_flow_run_of_a_schedule_makes_a_new_experiment() -> None:
    ours = stored(10)
    ours["metadata"] |= with_flow_run(ours, "flow-1")
    assert plan(BODY, [ours], when_finished="new", flow_run_id="flow-2") == ResumePlan("create")


def test_the_flow_runs_of_an_experiment_are_remembered_latest_first_up_to_what_a_value_holds() -> None:
    kept: dict = {}
    for number in range(20):
        kept = {"metadata": with_flow_run(kept, f"{number:036}")}
    assert flow_runs_of(kept)[0] == f"{19:036}" and len(flow_runs_of(kept)) == MOST_FLOW_RUNS
    assert len(kept["metadata"][FLOW_RUNS]) <= 500
    assert with_flow_run(kept, f"{19:036}") == kept["metadata"], "the same one again changes nothing"
