"""Files become specs: read, parsed, validated, with everything that is wrong told at once."""

import re
from datetime import date
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from trialflow.specs.cluster import ClusterSpec
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.field_errors import FieldError
from trialflow.specs.parsing import parse
from trialflow.specs.paths import dotted, value_at
from trialflow.specs.problem import Problem, SpecError
from trialflow.specs.recovery import all_errors
from trialflow.specs.run import RunSpec
from trialflow.specs.strict import IN_FILE
from trialflow.specs.yaml_document import YamlDocument

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


def file_of(path: str | Path) -> Path:
    """The file, or the one of the same name that ends in `.yaml` where only that is there."""
    path, other = Path(path), Path(path).with_suffix(".yaml")
    return other if not path.exists() and other.is_file() else path


def is_empty(path: str | Path) -> bool:
    """Whether a file says nothing: it has comments at most."""
    return parse(Path(path)).data is None


def experiment_from(data: Any) -> ExperimentSpec:
    """The experiment that a dict with the contents of `experiment.yml` describes. Raises `SpecError` with all problems."""
    return _from(data, ExperimentSpec, "experiment")


def run_from(data: Any) -> RunSpec:
    """What a dict with the contents of `run.yml` says. Raises `SpecError` with all problems."""
    return _from(data, RunSpec, "run")


def _from(data: Any, model: type[Spec], name: str) -> Spec:
    if not isinstance(data, dict):
        raise SpecError([Problem(name, 0, 0, "", f"a {type(data).__name__}", 'expected a dict, such as `{"name": ...}`')])
    try:
        return model.model_validate(data, context=IN_FILE)
    except ValidationError as error:
        wrong = all_errors(error, model, data)
        raise SpecError([Problem(name, 0, 0, dotted(one.path), one.found, one.allowed, one.suggestion) for one in wrong]) from None


def _load(path: Path, model: type[Spec]) -> Spec:
    document = parse(path)
    if model is ClusterSpec:
        _keep_version_as_written(document)
    hint = f"`trialflow schema {KINDS[model]}` prints what editors need to check the file as you type"
    if not isinstance(document.data, dict):
        found = "the file is empty" if document.data is None else f"a {'list' if isinstance(document.data, list) else 'single value'} at the top"
        raise SpecError([Problem(str(path), 1, 1, "", found, "expected keys and values, such as `name: ...`")], hint=hint)
    if model is RunSpec:
        _restore_texts(document, "env")
    wrong = [FieldError(field_path, "this key is there twice") for field_path in document.duplicates]
    try:
        spec = model.model_validate(document.data, context=IN_FILE)
    except ValidationError as error:
        wrong += all_errors(error, model, document.data)
    else:
        if not wrong:
            return spec
    problems = [_problem(path, document, one) for one in wrong]
    # The cause is left out: pydantic's own words add nothing, and its error holds the file's values, secrets too.
    raise SpecError(sorted(problems, key=lambda one: (one.line, one.column)), hint=hint) from None


def _keep_version_as_written(document: YamlDocument) -> None:
    """Take the version as it stands in the file: to YAML an unquoted 1.30 is the number 1.3."""
    if isinstance(document.data, dict) and isinstance(document.data.get(VERSION_KEY), float):
        line, column = document.position((VERSION_KEY,))
        if written := UNQUOTED_VERSION.match(document.line(line), column - 1):
            document.data[VERSION_KEY] = written[1]


def _restore_texts(document: YamlDocument, field: str) -> None:
    """Give the values of a mapping of texts back as they are written: YAML reads 0755, 1.10, 22:22 and 2026-01-02 as something else."""
    values = document.data.get(field)
    for name, value in values.items() if isinstance(values, dict) else ():
        if isinstance(value, int | float | date) and not isinstance(value, bool) and (field, name) in document.texts:
            values[name] = document.texts[field, name]


def _problem(path: Path, document: YamlDocument, one: FieldError) -> Problem:
    line, column = document.position(one.path)
    found = one.found
    if value_at(document.data, one.path) is None and (placeholder := PLACEHOLDER.search(document.line(line))):
        found = f"the placeholder {placeholder[0]} is still here"
    return Problem(str(path), line, column, dotted(one.path), found, one.allowed, one.suggestion)
