import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, Log, TaskRun

from blocks.registry import ImageRegistry
from flows.image import image
from flows.on_cluster import ImageSource
from tasks.images.events import ImageEvent, image_watcher
from tasks.images.login import Login
from tasks.images.registry import look_up
from tests.images.conftest import PASSWORD, USER
from trialflow.errors import InvalidInput

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("home", "prefect_server", "shared_registry")]

PATIENCE = 120.0


class Kept(NamedTuple):
    """What Prefect has kept of all flow runs."""

    flow_runs: list[FlowRun]
    task_runs: list[TaskRun]
    logs: list[Log]


async def kept_by_prefect(until: Callable[[Kept], bool]) -> Kept:
    """What Prefect has kept, as soon as `until` says so: it learns of task runs and of the log a while after the flow has ended."""
    deadline = time.monotonic() + PATIENCE
    async with get_client() as client:
        while not until(kept := Kept(await client.read_flow_runs(), await client.read_task_runs(), await client.read_logs())):
            assert time.monotonic() < deadline, kept
            await asyncio.sleep(0.2)
    return kept


async def test_the_flow_pushes_with_the_login_of_a_block_and_shows_it_nowhere(model: Path, locked_registry: str) -> None:
    await ImageRegistry(registry=f"{locked_registry}/team", username=USER, password=PASSWORD).save("ours", overwrite=True)  # type: ignore[arg-type]
    events: list[ImageEvent] = []
    token = image_watcher.set(events.append)
    reference = await image(ImageSource(directory=str(model), name="my-model"), registry="ours")
    again = await image(ImageSource(directory=str(model), name="my-model"), registry="ours")
    image_watcher.reset(token)
    assert reference.startswith(f"{locked_registry}/team/my-model@sha256:") and again == reference
    assert (await look_up(reference, login=Login(USER, PASSWORD))).command == ("model.py",)
    assert [event.kind for event in events if event.kind in ("pushed", "found")] == ["pushed", "found"]
    kept = await kept_by_prefect(
        until=lambda kept: len(kept.task_runs) == 2 and {"pushed", "unchanged:"} <= {log.message.split()[0] for log in kept.logs}
    )
    assert sorted(run.name.partition(" ")[0] for run in kept.task_runs) == ["build", "push"]
    assert {run.name for run in kept.flow_runs} == {"image my-model"}
    everything = json.dumps([one.model_dump(mode="json") for one in (*kept.flow_runs, *kept.task_runs, *kept.logs)], default=str)
    assert PASSWORD not in everything


async def test_a_block_that_is_not_there_is_said(model: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere"):
        await image(ImageSource(directory=str(model)), registry="nowhere")


async def test_without_a_registry_and_a_login_it_is_said_how_to_name_one(model: Path, docker_config) -> None:
    with pytest.raises(InvalidInput, match="no registry to push"):
        await image(ImageSource(directory=str(model)))
