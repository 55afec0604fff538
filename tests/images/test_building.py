import asyncio
import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.images.building import LABEL, BuildRequest, build_and_push, build_image, plan
from tasks.images.engine import Engine, check_engine, open_engine
from tasks.images.errors import BuildFailed, EngineUnavailable, RegistryRefused, RegistryUnavailable
from tasks.images.events import ImageEvent
from tasks.images.login import Login
from tasks.images.registry import find, look_up
from tests.images.conftest import PASSWORD, USER, logged_in
from tests.waiting import free_port
from trialflow.errors import InvalidInput

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("home", "engine")]


@pytest.fixture(scope="module")
def engine() -> Engine:
    if subprocess.run(["docker", "version"], capture_output=True).returncode:
        pytest.skip("no Docker engine answers")
    return open_engine()


async def made(order: BuildRequest, **more) -> tuple[str, list[ImageEvent]]:
    events: list[ImageEvent] = []
    return await build_and_push(order, on_event=events.append, **more), events


def kinds(events: list[ImageEvent]) -> set[str]:
    return {event.kind for event in events}


async def test_a_directory_becomes_an_image_that_is_named_by_its_digest_and_does_what_the_dockerfile_says(model: Path, repository: str) -> None:
    (model / ".env").write_text("TOKEN=s3cret")
    reference, events = await made(BuildRequest(model, repository, tag="v1"))
    facts = await look_up(reference)
    assert f"{repository}@{await find(f'{repository}:v1')}" == reference and "tagged" in kinds(events)
    assert facts.reference == reference and reference.startswith(f"{repository}@sha256:")
    assert (facts.entrypoint, facts.command, facts.working_dir, facts.environment["DEPTH"]) == (("python",), ("model.py",), "/model", "3")
    assert len(facts.labels[LABEL]) == 64
    assert {"context", "step", "pushing", "layer", "pushed"} <= kinds(events)
    listed = subprocess.check_output(["docker", "run", "--rm", "--entrypoint", "ls", reference, "-A", "/model"], text=True).split()
    assert listed == ["Dockerfile", "model.py"]


async def test_unchanged_contents_build_nothing_and_push_nothing(model: Path, repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = await made(BuildRequest(model, repository))
    (model / "experiment.yml").write_text("budget: 9")
    os.utime(model / "model.py", (1, 1))
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    second, events = await made(BuildRequest(model, repository))
    assert second == first and kinds(events) == {"context", "found"}
    for _ in range(2):  # a tag costs no build, and can be there
        assert (await made(BuildRequest(model, repository, tag="v2")))[0] == first
        assert f"{repository}@{await find(f'{repository}:v2')}" == first


async def test_a_change_makes_another_image(model: Path, repository: str) -> None:
    first, _ = await made(BuildRequest(model, repository))
    (model / "model.py").write_text("print(2)")
    assert (await made(BuildRequest(model, repository)))[0] != first


async def test_fresh_builds_although_nothing_has_changed(model: Path, repository: str) -> None:
    (model / "Dockerfile").write_text("FROM python:3.11-slim\nCOPY . .\n")
    await made(BuildRequest(model, repository))
    # The base image is only here, so pulling it anew must fail: that it is tried is what can be seen.
    with pytest.raises((RegistryUnavailable, BuildFailed)):
        await made(BuildRequest(model, repository, fresh=True))


async def test_a_tag_that_was_moved_to_another_image_is_not_believed(model: Path, repository: str) -> None:
    planned = await plan(BuildRequest(model, repository), on_event=lambda event: None)
    subprocess.run(["docker", "tag", "python:3.11-slim", str(planned.name)], check=True)
    subprocess.run(["docker", "push", "-q", str(planned.name)], check=True, capture_output=True)
    reference, events = await made(BuildRequest(model, repository))
    assert "pushed" in kinds(events) and (await look_up(reference)).labels[LABEL] == planned.digest


async def test_a_push_that_failed_is_tried_again_without_another_build(model: Path, unused_registry: str) -> None:
    order = BuildRequest(model, f"{unused_registry}/model")
    planned = await plan(order, on_event=lambda event: None)
    built = await build_image(planned, on_event=lambda event: None)
    events: list[ImageEvent] = []
    assert await build_image(planned, on_event=events.append) == built and events == []


async def test_a_dockerfile_outside_the_directory_is_used_and_not_copied(model: Path, repository: str, tmp_path: Path) -> None:
    outside = tmp_path / "Dockerfile.other"
    (model / "Dockerfile").rename(outside)
    reference, _ = await made(BuildRequest(model, repository, dockerfile=str(outside)))
    assert subprocess.check_output(["docker", "run", "--rm", "--entrypoint", "ls", reference, "/model"], text=True).split() == ["model.py"]


async def test_a_failing_step_is_named_with_what_it_printed(model: Path, repository: str) -> None:
    (model / "Dockerfile").write_text("FROM python:3.11-slim\nRUN echo before; seq 40; echo oh no; exit 7\n")
    with pytest.raises(BuildFailed) as caught:
        await made(BuildRequest(model, repository))
    lines = caught.value.message.splitlines()
    assert "step 2/3: RUN echo before" in lines[0] and "code: 7" in lines[0]
    assert len(lines) == 21 and lines[-1].endswith("oh no") and lines[1].endswith(" 22")


@pytest.mark.parametrize(
    ("dockerfile", "kind", "words"),
    [
        ("FROM python:3.11-slim\nCOPY run.yml .\n", InvalidInput, "a file that is not sent"),
        ("FROM python:3.11-slim\nRUNN x\n", InvalidInput, "RUNN"),
        ("", InvalidInput, ""),
        ("FROM 127.0.0.1:5000/nothing:1\n", BuildFailed, "base image"),
        ("FROM 127.0.0.1:1/nothing:1\n", RegistryUnavailable, "base image"),
        ("FROM python:3.11-slim\nRUN python -c \"raise OSError(28, 'No space left on device')\"\n", BuildFailed, "no space"),
    ],
)
async def test_what_is_wrong_with_a_dockerfile_is_said(model: Path, repository: str, dockerfile: str, kind: type, words: str) -> None:
    (model / "Dockerfile").write_text(dockerfile)
    (model / "run.yml").write_text("image: x")
    with pytest.raises(kind) as caught:
        await made(BuildRequest(model, repository))
    assert words in caught.value.message and caught.value.hint


async def test_a_login_that_is_given_or_docker_s_own_pushes_and_finds(
    model: Path, locked_registry: str, docker_config: Callable[[dict], Path]
) -> None:
    order = BuildRequest(model, f"{locked_registry}/model")
    with pytest.raises(RegistryRefused, match="401"):
        await made(order)
    reference, _ = await made(order, login=Login(USER, PASSWORD))
    docker_config(logged_in(locked_registry))
    assert (await made(order))[0] == reference
    (model / "model.py").write_text("print(3)")
    assert (await made(order))[0] != reference


async def test_the_engine_s_refusal_of_a_push_says_how_to_log_in(model: Path, locked_registry: str, docker_config: Callable[[dict], Path]) -> None:
    planned = await plan(BuildRequest(model, f"{locked_registry}/other"), on_event=lambda event: None)
    await build_image(planned, on_event=lambda event: None)
    with pytest.raises(RegistryRefused) as caught:
        await open_engine().push(planned.name, login=Login(USER, "wrong"), on_event=lambda event: None)
    assert f"docker login {locked_registry}" in (caught.value.hint or "") and "wrong" not in caught.value.message


async def test_a_push_to_nowhere_is_said(model: Path, unused_registry: str) -> None:
    planned = await plan(BuildRequest(model, f"{unused_registry}/model"), on_event=lambda event: None)
    await build_image(planned, on_event=lambda event: None)
    with pytest.raises(RegistryUnavailable, match="refused"):
        await open_engine().push(planned.name, login=None, on_event=lambda event: None)


async def test_a_registry_with_tls_takes_the_image(model: Path, start_registry: Callable[..., str], certificate: tuple[Path, Path]) -> None:
    registry = start_registry(tls=certificate)
    reference, _ = await made(BuildRequest(model, f"{registry}/model"))
    assert (await look_up(reference)).reference == reference


async def test_an_engine_that_expects_tls_is_said_what_to_be_told(model: Path, start_registry: Callable[..., str], gateway: str) -> None:
    registry = start_registry(host=gateway)
    with pytest.raises(RegistryUnavailable, match="plain http") as caught:
        await made(BuildRequest(model, f"{registry}/model"))
    assert "insecure-registries" in (caught.value.hint or "")


async def test_an_engine_that_does_not_know_the_authority_is_said_where_to_put_it(
    model: Path, start_registry: Callable[..., str], gateway: str, certificate: tuple[Path, Path]
) -> None:
    registry = start_registry(host=gateway, tls=certificate)
    with pytest.raises(RegistryUnavailable, match="TLS") as caught:
        await made(BuildRequest(model, f"{registry}/model"))
    assert f"certs.d/{registry}/ca.crt" in (caught.value.hint or "")


async def test_without_an_engine_it_is_said_where_one_was_looked_for(model: Path, repository: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    with pytest.raises(EngineUnavailable, match="unix:///nowhere/docker.sock") as caught:
        await made(BuildRequest(model, repository))
    assert "start Docker" in (caught.value.hint or "")
    with pytest.raises(EngineUnavailable):
        await check_engine()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
def test_a_user_who_may_not_speak_to_the_engine_is_told_so() -> None:
    code = (
        "import os, asyncio\nfrom tasks.images.engine import check_engine\nfrom trialflow.errors import TrialflowError\n"
        "asyncio.run(check_engine())\n"  # as root it answers, and every module that is needed is imported
        "os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: asyncio.run(check_engine())\nexcept TrialflowError as error: print(error.message, '|', error.hint)"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "DOCKER_CONFIG": "/nonexistent"}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True).stdout
    assert "may not speak to the Docker engine" in said and "usermod" in said


async def test_a_cancelled_build_leaves_no_container_behind(model: Path, repository: str) -> None:
    mark = f"sleep 6{os.getpid()}"
    (model / "Dockerfile").write_text(f"FROM python:3.11-slim\nRUN echo begun; {mark}\n")
    begun = asyncio.Event()
    order = BuildRequest(model, repository)
    work = asyncio.ensure_future(build_and_push(order, on_event=lambda event: begun.set() if event.text == "begun" else None))
    await asyncio.wait_for(begun.wait(), 60)
    work.cancel()
    before = time.monotonic()
    with contextlib.suppress(asyncio.CancelledError):
        await work
    assert time.monotonic() - before < 2
    for _ in range(100):
        running = subprocess.check_output(["docker", "ps", "-q", "--no-trunc", "--format", "{{.Command}}"], text=True)
        if mark not in running:
            return
        await asyncio.sleep(0.1)
    raise AssertionError(running)


async def test_a_dockerfile_for_buildkit_is_built_by_buildx_or_refused_with_the_line(model: Path, repository: str) -> None:
    (model / "Dockerfile").write_text("FROM python:3.11-slim\nRUN --mount=type=cache,target=/cache echo 1 > /one\nCOPY . .\n")
    if subprocess.run(["docker", "buildx", "version"], capture_output=True).returncode:
        with pytest.raises(InvalidInput, match="line 2: RUN --mount"):
            await made(BuildRequest(model, repository))
        return
    reference, events = await made(BuildRequest(model, repository))
    assert [event.text for event in events if event.kind == "step"][1].startswith("RUN --mount")
    assert (await look_up(reference)).labels[LABEL]


async def test_a_large_context_is_told_before_it_is_sent(model: Path, repository: str) -> None:
    (model / "big.bin").write_bytes(b"\0" * 50_000_001)
    events: list[ImageEvent] = []
    await plan(BuildRequest(model, repository), on_event=events.append)
    assert [(event.text, event.layer) for event in events if event.kind == "heavy"][0] == ("big.bin", "big.bin")


@pytest.mark.parametrize("wrong", ["127.0.0.1:5000/m:1", "M"])
async def test_a_repository_is_named_without_tag(model: Path, wrong: str) -> None:
    with pytest.raises(InvalidInput):
        await plan(replace(BuildRequest(model, "m"), repository=wrong))


@pytest.fixture
def unused_registry(tmp_path: Path) -> str:
    return f"127.0.0.1:{free_port()}"


@pytest.fixture
def gateway() -> str:
    addresses = subprocess.run(["ip", "-j", "addr"], capture_output=True, text=True).stdout
    for link in json.loads(addresses or "[]"):
        for address in link["addr_info"]:
            if address["local"].startswith("10."):
                return address["local"]
    pytest.skip("this machine has no private address beside loopback")
