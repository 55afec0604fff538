"""Files become specs: read, parsed, validated, with everything that is wrong told at once."""

import re
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from trialflow.specs.cluster import ClusterSpec
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.explain import Finding
from trialflow.specs.mending import all_findings
from trialflow.specs.place import dotted, value_at
from trialflow.specs.positions import Marked
from trialflow.specs.problem import Problem, SpecError
from trialflow.specs.run import RunSpec
from trialflow.specs.source import parse

Spec = TypeVar("Spec", bound=BaseModel)
KINDS: dict[type[BaseModel], str] = {ExperimentSpec: "experiment", RunSpec: "run", ClusterSpec: "cluster"}
VERSION_KEY = "kubernetes_version"
UNQUOTED_VERSION = re.compile(rf"[\"']?{VERSION_KEY}[\"']?\s*:\s*(\d+\.\d+)(?![\w.])")
PLACEHOLDER = re.compile(r"#\[[^\]]*\]?")
"""What SigOpt's templates have where something is to be filled in. To YAML it is a comment: nothing is there."""


def load_experiment(path: str | Path) -> ExperimentSpec:
    """Read `experiment.yml`. Raises `SpecError` with all problems."""
    return _load(Path(path), ExperimentSpec)


def load_run(path: str | Path) -> RunSpec:
    """Read `run.yml`. Raises `SpecError` with all problems."""
    return _load(Path(path), RunSpec)


def load_cluster(path: str | Path) -> ClusterSpec:
    """Read `cluster.yml`. Raises `SpecError` with all problems."""
    return _load(Path(path), ClusterSpec)


def _load(path: Path, model: type[Spec]) -> Spec:
    marked = parse(path)
    if model is ClusterSpec:
        _keep_version_as_written(marked)
    hint = f"`trialflow schema {KINDS[model]}` prints what editors need to check the file as you type"
    if not isinstance(marked.data, dict):
        found = "the file is empty" if marked.data is None else f"a {'list' if isinstance(marked.data, list) else 'single value'} at the top"
        raise SpecError([Problem(str(path), 1, 1, "", found, "expected keys and values, such as `name: ...`")], hint=hint)
    wrong = [Finding(place, "this key is there twice") for place in marked.duplicates]
    try:
        spec = model.model_validate(marked.data)
    except ValidationError as error:
        wrong += all_findings(error, model, marked.data)
    else:
        if not wrong:
            return spec
    problems = [_problem(path, marked, one) for one in wrong]
    # The cause is left out: pydantic's own words add nothing, and its error holds the file's values, secrets too.
    raise SpecError(sorted(problems, key=lambda one: (one.line, one.column)), hint=hint) from None


def _keep_version_as_written(marked: Marked) -> None:
    """Take the version as it stands in the file: to YAML an unquoted 1.30 is the number 1.3."""
    if isinstance(marked.data, dict) and isinstance(marked.data.get(VERSION_KEY), float):
        line, column = marked.mark((VERSION_KEY,))
        if written := UNQUOTED_VERSION.match(marked.line(line), column - 1):
            marked.data[VERSION_KEY] = written[1]


def _problem(path: Path, marked: Marked, one: Finding) -> Problem:
    line, column = marked.mark(one.place)
    found = one.found
    if value_at(marked.data, one.place) is None and (placeholder := PLACEHOLDER.search(marked.line(line))):
        found = f"the placeholder {placeholder[0]} is still here"
    return Problem(str(path), line, column, dotted(one.place), found, one.allowed, one.suggestion)
