"""What is around a command and has nothing to do with it: proxies, settings of Prefect in the folder, how trialflow was installed."""

import json
import os
import site
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.users import User

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
CLIENT = ROOT / "tests" / "contract" / "current_client.py"
IN_THE_WAY = {
    "http_proxy": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "ALL_PROXY": "socks5://127.0.0.1:9",
    "SSL_CERT_FILE": "/nonexistent.pem",
}
LOGS = "import sigopt; sigopt.log_metric('y', sigopt.params.x)"


def test_neither_proxies_nor_settings_of_prefect_in_the_folder_are_in_the_way(user: User) -> None:
    user.write("")
    (user.folder / "model.py").write_text(LOGS)
    (user.folder / ".env").write_text("PREFECT_API_URL=http://127.0.0.1:9/api\n")
    (user.folder / "prefect.toml").write_text("[server\nbroken")
    (user.folder / "pyproject.toml").write_text("[tool.prefect\nbroken")
    user.variables |= IN_THE_WAY
    code, out, said = user.type("optimize", "-o", "json", "--", sys.executable, "model.py")
    assert code == 0 and json.loads(out)["done"] == 6, said

    # With a server of the user's own, these settings may be about it.
    user.variables["PREFECT_API_URL"] = "http://127.0.0.1:9/api"
    code, _, said = user.type("optimize", "--", sys.executable, "model.py")
    assert code == 1 and "Prefect cannot read its settings" in said and "prefect.toml and pyproject.toml in this folder" in said, said
    assert "Traceback" not in said


def test_what_is_about_more_than_its_training_run_is_refused_to_a_model_in_one_sentence(user: User) -> None:
    code, out, said = user.type("run", "--", sys.executable, str(CLIENT), "service")
    *wishes, own, last = [line for line in out.splitlines() if line.startswith("done") or ": " in line]
    assert code == 0 and last.endswith("done"), said
    assert len(wishes) == 13 and all("is good for training run" in wish and "alone" in wish for wish in wishes), out
    assert "cannot archive its own training run" in own


def test_an_installation_that_is_only_in_the_path_of_modules_works(user: User, tmp_path: Path, migrated: Callable[[Path], Path]) -> None:
    base = Path(sys.base_prefix) / "bin" / f"python{sysconfig.get_python_version()}"
    packages = [str(ROOT), *(path for path in site.getsitepackages() if path.startswith(sys.prefix))]
    elsewhere = User(user.folder, tmp_path / "home", {"PYTHONPATH": os.pathsep.join(packages)}, python=str(base))
    migrated(elsewhere.home / "prefect")
    process = elsewhere.start("run", "-o", "json", "--", "sh", "-c", "echo hello")
    out, said = process.communicate(timeout=400)  # both servers start anew, which takes minutes on a busy machine
    assert process.returncode == 0 and json.loads(out)["state"] == "completed", said
