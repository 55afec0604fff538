"""Files become specs: read, parsed, validated, with everything that is wrong told at once."""

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from trialflow.specs.cluster import ClusterSpec
from trialflow.specs.experiment import ExperimentSpec
from trialflow.specs.explain import dotted, findings
from trialflow.specs.marks import Marked, read
from trialflow.specs.problem import Problem, SpecError
from trialflow.specs.run import RunSpec

Spec = TypeVar("Spec", bound=BaseModel)
SECRET_FIELDS = ("aws_access_key_id", "aws_secret_access_key")


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
    marked = _parse(path)
    if not isinstance(marked.data, dict):
        found = "the file is empty" if marked.data is None else f"a {'list' if isinstance(marked.data, list) else 'single value'} at the top"
        raise SpecError([Problem(str(path), 1, 1, "", found, "expected keys and values, such as `name: ...`")], hint=_schema_hint(model))
    problems = [_problem(path, marked, place, "this key is there twice") for place in marked.duplicates]
    try:
        spec = model.model_validate(marked.data)
    except ValidationError as error:
        for finding in findings(error, model):
            found = "this value" if finding.place and finding.place[-1] in SECRET_FIELDS else finding.found
            problems.append(_problem(path, marked, finding.place, found, finding.allowed, finding.suggestion))
    else:
        if not problems:
            return spec
    raise SpecError(sorted(problems, key=lambda one: (one.line, one.column)), hint=_schema_hint(model))


def _parse(path: Path) -> Marked:
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        hint = "`trialflow init` writes one to start from" if path.name in ("run.yml", "experiment.yml", "cluster.yml") else None
        raise SpecError([Problem(str(path), 1, 1, "", f"there is no such file in {path.absolute().parent}")], hint=hint) from None
    except UnicodeDecodeError as error:
        raise SpecError([Problem(str(path), 1, 1, "", f"it is not UTF-8 text: {error.reason} at byte {error.start}")]) from error
    except OSError as error:
        raise SpecError([Problem(str(path), 1, 1, "", f"it cannot be read: {error.strerror}")]) from error
    try:
        return read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        found = f"this is not YAML: {error.problem or error}"
        if "\t" in text.splitlines()[line - 1 : line][0] if mark and line <= len(text.splitlines()) else False:
            found += "; YAML is indented with spaces, and this line has a tab"
        raise SpecError([Problem(str(path), line, column, "", found)]) from error
    except yaml.YAMLError as error:
        raise SpecError([Problem(str(path), 1, 1, "", f"this is not YAML: {error}")]) from error


def _problem(path: Path, marked: Marked, place: tuple, found: str, allowed: str = "", suggestion: str | None = None) -> Problem:
    line, column = marked.mark(place)
    return Problem(str(path), line, column, dotted(place), found, allowed, suggestion)


def _schema_hint(model: type[BaseModel]) -> str:
    kind = {ExperimentSpec: "experiment", RunSpec: "run", ClusterSpec: "cluster"}[model]
    return f"`trialflow schema {kind}` prints what editors need to check the file as you type"
