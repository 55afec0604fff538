"""What the model's `sigopt` is given when it is imported: a word about clients that are too old, and nothing that could break a model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import trialflow.launcher

SHIM = Path(trialflow.launcher.__file__).parent / "shim"


def said(folder: Path, version: str) -> str:
    """What a model that imports a client of this version has in its log."""
    (folder / "sigopt").mkdir()
    (folder / "sigopt" / "__init__.py").write_text("class Params(dict):\n    setdefaults = dict.update\nparams = Params()\n")
    (folder / "sigopt" / "version.py").write_text(f"VERSION = {version!r}\n")
    environment = {**os.environ, "PYTHONPATH": f"{SHIM}{os.pathsep}{folder}"}
    model = [sys.executable, "-c", "import sigopt; print(sigopt.params); sigopt.get_parameter('x', 1)"]
    done = subprocess.run(model, env=environment, cwd=folder, capture_output=True, text=True, check=True)
    assert done.stdout == "{}\n"
    return done.stderr


@pytest.mark.parametrize("version", ["7.4.2", "5.9.0"])
def test_a_client_that_is_too_old_is_told_with_the_one_to_install(version: str, tmp_path: Path) -> None:
    text = said(tmp_path, version)
    assert version in text and "install sigopt 7.5 or later" in text


@pytest.mark.parametrize("version", ["7.5.0", "8.8.4", "10.0", "of nobody's"])
def test_other_clients_have_nothing_said_about_them(version: str, tmp_path: Path) -> None:
    assert said(tmp_path, version) == ""
