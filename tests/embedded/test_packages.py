"""trialflow finds its own packages wherever it is installed, whatever the user's folders hold."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import trialflow
from trialflow import packages

ROOT = Path(trialflow.__file__).parents[1]


@pytest.mark.parametrize("name", packages.TOP_LEVEL)
def test_a_package_of_the_user_with_our_name_is_not_taken_for_ours(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')")
    code = f"from trialflow.packages import prefer_own_packages; prefer_own_packages(); import {name}; print({name}.__file__)"
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout.strip() == str(ROOT / name / "__init__.py"), done.stderr


PLACES = [
    ("installed as usual", "", ["/opt/site"], {}),
    ("in a folder of PYTHONPATH", "/home/me/lib:/opt/site:relative", [], {"PYTHONPATH": "/opt/site:/home/me/lib"}),
    ("in a folder that only this process knows", "/home/me/lib", [], {"PYTHONPATH": "/opt/site"}),
]


@pytest.mark.parametrize(("what", "given", "usual", "expected"), PLACES, ids=[place[0] for place in PLACES])
def test_a_process_of_ours_gets_the_path_it_needs_and_no_more(
    monkeypatch: pytest.MonkeyPatch, what: str, given: str, usual: list[str], expected: dict[str, str]
) -> None:
    monkeypatch.setattr(packages, "ROOT", "/opt/site")
    monkeypatch.setenv("PYTHONPATH", given)
    monkeypatch.setattr("site.getsitepackages", lambda: usual)
    assert packages.python_path() == expected
