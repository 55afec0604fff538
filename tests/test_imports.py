"""No import circles: what is imported when a module is loaded forms no circle, within any package or between them.

Imports for type checkers only do not count. Nor do imports inside functions, which run later; but the service, which was opened up, has none of those
in a circle either.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("trialflow", "flows", "tasks", "blocks")
EXCEPTIONS: dict[str, set[str]] = {}
"""Module -> the modules whose import by it is not counted, with the reason beside it."""


def modules() -> dict[str, Path]:
    """Every module of ours by its dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """What is executed when a module is loaded: no bodies of functions, nothing under `if TYPE_CHECKING`."""
    for one in body:
        yield one
        if isinstance(one, ast.If) and "TYPE_CHECKING" in ast.unparse(one.test):
            yield from statements(one.orelse)
        elif not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef):
            for field in ("body", "orelse", "finalbody"):
                yield from statements(getattr(one, field, []))
            for handler in getattr(one, "handlers", []):
                yield from statements(handler.body)


def imported(source: str, known: set[str]) -> set[str]:
    """The modules of ours that a module imports; a name from a package is the module of that name if there is one."""
    found: set[str] = set()
    for one in statements(ast.parse(source).body):
        if isinstance(one, ast.Import):
            found |= {alias.name for alias in one.names}
        elif isinstance(one, ast.ImportFrom) and one.module:
            found |= {name if (name := f"{one.module}.{alias.name}") in known else one.module for alias in one.names}
    return found & known


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """One circle of a graph, or None."""
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return error.args[1]
    return None


def graph() -> dict[str, set[str]]:
    """Module -> the modules that it imports, without itself and without exceptions."""
    paths = modules()
    return {name: imported(path.read_text(), set(paths)) - {name} - EXCEPTIONS.get(name, set()) for name, path in paths.items()}


@pytest.mark.parametrize("package", PACKAGES)
def test_no_package_has_an_import_circle(package: str) -> None:
    of_it = {name: {other for other in others if other.partition(".")[0] == package} for name, others in graph().items() if name.startswith(package)}
    assert circle(of_it) is None, " imports ".join(circle(of_it) or [])


def test_no_circle_goes_through_several_packages() -> None:
    assert circle(graph()) is None, " imports ".join(circle(graph()) or [])


def test_the_check_finds_circles_and_passes_over_what_is_loaded_later() -> None:
    known = {"a", "a.b", "a.c"}
    assert imported("from a import b\nimport a.c", known) == {"a.b", "a.c"}
    assert imported("if TYPE_CHECKING:\n    import a.b\nelse:\n    import a.c", known) == {"a.c"}
    assert imported("def f():\n    import a.b\nclass C:\n    import a.c", known) == {"a.c"}
    assert imported("try:\n    import a.b\nexcept ImportError:\n    import a.c", known) == {"a.b", "a.c"}
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) is not None and circle({"a": {"b"}, "b": {"c"}}) is None


def test_the_commands_of_the_client_find_what_they_need_in_our_environment() -> None:
    """They import `pkg_resources`, which the newest setuptools does not have any more."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", "import sigopt.cli.commands.init"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_executes_models_here_loads_no_client_of_kubernetes_docker_or_aws() -> None:
    """Half a second of every command."""
    code = "import sys, flows.optimize, flows.training_run, flows.worker; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert "prefect" in (loaded := done.stdout.split()) and not {"kubernetes_asyncio", "docker", "boto3", "botocore"} & set(loaded)
