"""Which experiment a command goes on with."""

import pytest

from tasks.experiments.resume import ResumePlan, experiment_key, plan
from trialflow.metadata_keys import SAME

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
