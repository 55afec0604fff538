"""The parameters of a deployment, made of a folder's files."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from deployments.parameters import parameters
from trialflow.errors import InvalidInput
from trialflow.specs import ExperimentSpec, FlowRunSpec, load_experiment, load_run

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/experiment.yml"))


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_the_flow_gets_what_the_files_say(folder: Path) -> None:
    made = json.loads(json.dumps(parameters(folder)))
    assert made["directory"] == str(folder)
    assert ExperimentSpec.model_validate(made["experiment"]) == load_experiment(folder / "experiment.yml")
    assert TypeAdapter(FlowRunSpec).validate_python(made["run"]) == load_run(folder / "run.yml")


def test_files_are_found_under_either_of_their_names(tmp_path: Path) -> None:
    for kind in ("experiment", "run"):
        (tmp_path / f"{kind}.yaml").write_bytes((EXAMPLES[0] / f"{kind}.yml").read_bytes())
    assert {**parameters(tmp_path), "directory": ""} == {**parameters(EXAMPLES[0]), "directory": ""}


@pytest.mark.parametrize("name", ["run.yml", "run.yaml"])
def test_aws_keys_never_become_parameters(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("run: 'true'\naws: {aws_access_key_id: AKIA, aws_secret_access_key: hidden}\n")
    with pytest.raises(InvalidInput, match="AWS keys") as refused:
        parameters(tmp_path)
    assert "hidden" not in str(refused.value) and name in refused.value.message
    assert "`aws` of the flow" in (refused.value.hint or "") and "block" in (refused.value.hint or "")


def test_a_folder_without_files_is_an_error_for_people(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "deployments.parameters", tmp_path], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("error: ") and "run.yml" in done.stderr and "Traceback" not in done.stderr
