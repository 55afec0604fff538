"""Files written for one test, and what is said about them."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from trialflow.specs import SpecError, load_cluster, load_experiment, load_run

LOADERS: dict[str, Callable[[Path], Any]] = {"run": load_run, "experiment": load_experiment, "cluster": load_cluster}


@pytest.fixture
def load(tmp_path: Path) -> Callable[[str, str], Any]:
    """(kind, text) -> the spec that a file with this text loads to."""

    def loaded(kind: str, text: str) -> Any:
        file = tmp_path / f"{kind}.yml"
        file.write_text(dedent(text))
        return LOADERS[kind](file)

    return loaded


@pytest.fixture
def problems(load: Callable[[str, str], Any]) -> Callable[[str, str], list[str]]:
    """(kind, text) -> everything that is wrong in such a file, as `line:column: field: what`."""

    def told(kind: str, text: str) -> list[str]:
        with pytest.raises(SpecError) as raised:
            load(kind, text)
        return [str(problem).removeprefix(f"{problem.file}:") for problem in raised.value.problems]

    return told
