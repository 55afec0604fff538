"""The image of trialflow itself: what it is made of."""

import csv
import io
import subprocess
import sys
import zipfile
from pathlib import Path

from tasks.images.context import read_context
from tasks.images.own import WHEEL, pins, wheel, write_context
from trialflow.packages import ROOT, TOP_LEVEL


def test_the_same_trialflow_gives_the_same_image(tmp_path: Path) -> None:
    folders = [tmp_path / "a", tmp_path / "b"]
    for folder in folders:
        folder.mkdir()
        write_context(folder)
    first, second = (read_context(folder) for folder in folders)
    assert first.digest() == second.digest()
    assert set(first.paths) == {"Dockerfile", "requirements.txt", WHEEL} and not first.withheld


def test_every_dependency_is_pinned_to_the_version_of_this_machine_and_test_tools_are_not_in_it() -> None:
    found = pins()
    loose = [one for one in found if "==" not in one]
    assert loose in ([], ["async-timeout>=4.0.3"])  # needed by the first releases of Python 3.11 alone
    names = {one.partition("==")[0] for one in found}
    assert {"prefect", "kubernetes-asyncio", "psycopg", "psycopg-binary", "sigopt", "urllib3"} <= names
    assert not {"pytest", "ruff", "trialflow", "pandas"} & names


def test_dependencies_of_other_systems_are_left_out_and_one_that_is_not_installed_keeps_its_bounds() -> None:
    known = {
        "ours": ["pydantic>=2", "pywin32>=300 ; sys_platform == 'win32'", "not-here-at-all>=1.5 ; sys_platform == 'linux'", "dev ; extra == 'dev'"]
    }
    found = pins("ours", lambda name: known.get(name))
    assert [one.partition("==")[0] for one in found] == ["not-here-at-all>=1.5", "pydantic"]


def test_the_wheel_holds_all_our_packages_can_be_installed_and_has_the_command(tmp_path: Path) -> None:
    made = tmp_path / WHEEL
    made.write_bytes(wheel(Path(ROOT)))
    archive = zipfile.ZipFile(made)
    names = archive.namelist()
    recorded = [row[0] for row in csv.reader(io.StringIO(archive.read(next(name for name in names if name.endswith("RECORD"))).decode()))]
    assert sorted(recorded) == sorted(names)
    assert {name.partition("/")[0] for name in names} >= {"trialflow", *TOP_LEVEL}
    assert "trialflow/cli/templates/experiment.yml" in names and not [name for name in names if "__pycache__" in name or "tests/" in name]
    target = tmp_path / "installed"
    archive.extractall(target)
    code = f"import sys; sys.path.insert(0, {str(target)!r}); import trialflow; print(trialflow.__file__)"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, cwd="/")
    assert done.stdout.strip().startswith(str(target))
