"""Models of other people in pods: any Python from 3.6 on, with the client, without it, without any Python at all."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tasks.images.facts import ImageFacts
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.jobs.compute import KubernetesCompute
from tasks.kubernetes.jobs.pod_template import PodTemplate
from tests.contract.images import made_image
from tests.contract.pythons import NEWEST, OLDER_CLIENT, VERSIONS, copy_pythons, environment_of, found_pythons, newest_dockerfile, pythons_dockerfile
from tests.contract.training import SPEAKS, Field

pytestmark = [pytest.mark.cluster, pytest.mark.slow]
WHO = "import os, sys; print('%d.%d' % sys.version_info[:2], 'under', os.path.realpath('/proc/%d/exe' % os.getppid()))\n"
OLD_STYLE = WHO + "import sigopt\nsigopt.log_metric('y', 2 * sigopt.get_parameter('x'))\n"
PRINTING = WHO + "print('y=%s' % (2 * float(os.environ['TRIALFLOW_PARAM_X'])))\n"
SPEAKING = WHO + SPEAKS + "assert say('MERGE', {'values': {'y': {'value': 3}}})[0] == 204\n"
HAS_CLIENT = "import importlib.util, sys; sys.exit(importlib.util.find_spec('sigopt') is None)"
PRINTS = {"y": "y=(.*)"}
ONLY_NUMBERED = "FROM python:3.11-slim\nRUN rm -f /usr/bin/python3 /usr/bin/python /usr/local/bin/python3 /usr/local/bin/python\n"
WITHOUT_PYTHON = "FROM python:3.11-slim\nRUN rm -rf /usr/bin/python* /usr/local/bin/python*\n"


@pytest.fixture
async def field_of(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Callable]:
    """Where models of an image are executed."""
    async with AsyncExitStack() as opened:
        connection = await opened.enter_async_context(open_cluster(cluster))

        async def make(image: str) -> Field:
            recipe = PodTemplate(uid=f"experiment-{secrets.token_hex(5)}", image=ImageFacts(image))
            compute = await opened.enter_async_context(KubernetesCompute(connection, recipe, tmp_path))
            return Field(lambda: compute, patience=180)

        yield make


@pytest.fixture(scope="module")
def pythons() -> str:
    if not found_pythons():
        pytest.skip("pyenv has no Pythons here to put into an image")
    return made_image("pythons", pythons_dockerfile(), copy_pythons)


@pytest.fixture(scope="module")
def newest_python() -> str:
    return made_image("newest-python", newest_dockerfile())


@pytest.fixture(scope="module")
def only_numbered() -> str:
    return made_image("only-numbered", ONLY_NUMBERED)


@pytest.fixture(scope="module")
def without_python() -> str:
    return made_image("without-python", WITHOUT_PYTHON)


@pytest.mark.parametrize("version", [version for version in VERSIONS if version != NEWEST])
async def test_models_report_under_this_python_with_a_launcher_of_the_same(version: str, pythons: str, field_of: Callable) -> None:
    if version not in found_pythons():
        pytest.skip(f"pyenv has no Python {version} here to put into an image")
    has_client = await report_both_ways(await field_of(pythons), version, f"/opt/pythons/{version}/bin/python3")
    assert has_client or version not in ("3.8", "3.11", "3.13"), f"the client is to be had for Python {version}"


async def test_models_report_under_the_newest_python(newest_python: str, field_of: Callable) -> None:
    assert await report_both_ways(await field_of(newest_python), NEWEST, f"/usr/bin/python{NEWEST}")


async def test_a_model_with_the_client_before_8_is_tracked(pythons: str, field_of: Callable) -> None:
    program = (Path(__file__).parents[1] / "contract" / "older_client.py").read_text()
    field = await field_of(pythons)
    course = await field.execute("python3", "-c", program, "model", environment={"PYTHONPATH": OLDER_CLIENT}, assignments={"x": 0.5})
    assert course.exit.code == 0 and course.printed.endswith(b"done\n"), course.printed
    assert course.values("y") == [0.5]


async def report_both_ways(field: Field, version: str, program: str) -> bool:
    """A model that prints, and one that logs, with the client if it is there. Returns whether it is."""
    more = {"environment": environment_of(version), "assignments": {"x": 2.5}}
    expected = f"{version} under {program}\n"

    printing = await field.execute("python3", "-c", PRINTING, patterns=PRINTS, **more)
    assert printing.exit.code == 0 and printing.printed.decode().startswith(expected), printing.printed
    assert printing.values("y") == [5]

    has_client = (await field.execute("python3", "-c", HAS_CLIENT, **more)).exit.code == 0
    logging = await field.execute("python3", "-c", OLD_STYLE if has_client else SPEAKING, **more)
    assert logging.exit.code == 0 and logging.printed.decode().startswith(expected), logging.printed
    assert logging.values("y") == [5 if has_client else 3]
    return has_client


async def test_a_python_that_has_only_its_numbered_name_is_found(only_numbered: str, field_of: Callable) -> None:
    field = await field_of(only_numbered)
    course = await field.execute("python3.11", "-c", SPEAKING)
    assert course.exit.code == 0 and course.values("y") == [3], course.printed
    assert b"under /usr/bin/python3.11" in course.printed


async def test_without_any_python_printed_metrics_count(without_python: str, field_of: Callable) -> None:
    field = await field_of(without_python)
    course = await field.execute("sh", "-c", "echo y=$TRIALFLOW_PARAM_X", patterns=PRINTS, assignments={"x": 2.5})
    assert course.exit.code == 0 and course.values("y") == [2.5] and course.printed == b"y=2.5\n"
    late = await field.execute("sh", "-c", "echo begun; sleep 100", timeout=2)
    assert late.exit.timed_out and late.printed == b"begun\n"
    own = await field.execute("sh", "-c", "exit 124", timeout=60)
    assert own.exit.code == 124 and not own.exit.timed_out
    stubborn = await field.execute("sh", "-c", "trap '' TERM; sleep 2; sleep 100", timeout=2)
    assert stubborn.exit.timed_out
