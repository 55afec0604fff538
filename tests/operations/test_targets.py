"""What is on a cluster is told apart: what this service knows, and what it does not."""

import pytest

from tasks.experiments.client import ServiceNotFound
from tasks.kubernetes.client.labels import check_work_name, selector
from tasks.kubernetes.jobs.orphans import object_of
from tasks.kubernetes.jobs.workload import AttemptStatus
from tasks.operations.targets import KnownWork, Target, find_target, targets_of
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.metadata_keys import UID, uid_of

OURS, THEIRS = "experiment-0123456789", "experiment-9876543210"


def test_what_is_on_a_cluster_becomes_targets_and_strangers() -> None:
    experiment = {"id": "12", "name": "e", "metadata": {UID: OURS}}
    lone = {"id": "3", "name": "run-abcd1234", "experiment": None, "state": "active"}
    works = (OURS, OURS, "run-abcd1234", THEIRS)
    attempts = [AttemptStatus(f"job-{number}", "Running", work=work) for number, work in enumerate(works)]
    targets, strangers = targets_of(attempts, KnownWork({OURS: experiment}, {"run-abcd1234": lone}))
    assert [(one.name, one.work, len(one.attempts)) for one in targets] == [("experiment/12", OURS, 2), ("run/3", "run-abcd1234", 1)]
    assert list(strangers) == [THEIRS]


@pytest.mark.parametrize(
    "text", ["wandb-key", "", "experiment-", "experiment-a,b", "run-x/../y", "EXPERIMENT-0123456789", "kube-root-ca.crt", 7, None]
)
def test_a_name_in_metadata_that_trialflow_does_not_give_names_nothing(text: object) -> None:
    assert uid_of({"metadata": {UID: text}}) is None and Target(experiment={"id": "1", "metadata": {UID: text}}).work is None
    with pytest.raises(InvalidInput, match="nothing of that name is touched"):
        check_work_name(str(text))


class Known:
    """A service that knows one training run of one experiment, made of suggestion 41."""

    async def experiment(self, identifier: str) -> dict:
        raise ServiceNotFound(f"no experiment {identifier}")

    async def run(self, identifier: str) -> dict:
        if identifier != "7":
            raise ServiceNotFound(f"no training run {identifier}")
        return RUN

    async def runs(self, project: str, *, filters: list[dict]) -> list[dict]:
        (wanted,) = filters
        return [RUN] if RUN[wanted["field"]] == wanted["value"] else []


RUN = {"id": "7", "name": "run-abcd1234", "experiment": "3", "state": "active", "suggestion": "41", "project": "p"}


@pytest.mark.parametrize("text", ["suggestion/41", "run/7", "training_run/7", "run-abcd1234"])
async def test_a_training_run_is_found_by_all_that_it_is_called(text: str) -> None:
    attempts = [AttemptStatus("job-1", "Running", work=OURS, training_run="7", training_run_name="run-abcd1234"), AttemptStatus("job-2", "Running")]
    found = await find_target(Known(), text, "p", attempts)  # type: ignore[arg-type]
    assert found.run == RUN and [one.job for one in found.attempts] == ["job-1"]


async def test_a_suggestion_of_no_training_run_is_told() -> None:
    with pytest.raises(TrialflowError, match="42"):
        await find_target(Known(), "suggestion/42", "p", [])  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["a,b", "a b", "in (x)", "x" * 64, "-a"])
def test_a_selector_is_made_of_values_that_labels_can_have(value: str) -> None:
    with pytest.raises(InvalidInput):
        selector({"trialflow.dev/work": value})


@pytest.mark.parametrize(
    ("kind", "name", "work", "is_ours"),
    [
        ("ConfigMap", OURS, OURS, True),
        ("ConfigMap", "wandb-key", OURS, False),
        ("Secret", OURS, "wandb-key", False),
        ("Job", "run-abcd1234", OURS, True),
        ("Job", "nightly-backup", OURS, False),
    ],
)
def test_an_object_is_ours_by_its_name_and_its_label(kind, name: str, work: str, is_ours: bool) -> None:
    found = object_of(kind, {"metadata": {"name": name, "labels": {"trialflow.dev/work": work}}})
    assert (found.work is not None) == is_ours
