"""What the room needs: the command line loads it at every start."""

import subprocess
import sys


def test_it_needs_pydantic_and_yaml_and_nothing_heavier() -> None:
    code = "import sys, trialflow.specs; print(*{name.partition('.')[0] for name in sys.modules})"
    loaded = set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())
    assert {"pydantic", "yaml"} <= loaded
    assert not loaded & {"prefect", "sigopt", "numpy", "scipy", "fastapi", "sqlalchemy", "jsonschema", "click", "rich"}
