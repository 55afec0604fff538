import json
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client

from blocks.registry import ImageRegistry
from flows.image import image
from flows.on_cluster import ImageSource
from tasks.images.events import ImageEvent, image_watcher
from tasks.images.login import Login
from tasks.images.registry import look_up
from tests.images.conftest import PASSWORD, USER
from trialflow.errors import InvalidInput

pytestmark = [pytest.mark.cluster, pytest.mark.usefixtures("home", "prefect_server", "shared_registry")]


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
    async with get_client() as client:
        flows = await client.read_flow_runs()
        tasks = await client.read_task_runs()
        logs = await client.read_logs()
    assert sorted({run.name.partition(" ")[0] for run in tasks}) == ["build", "push"] and len(tasks) == 2
    assert {run.name for run in flows} == {"image my-model"}
    everything = json.dumps([one.model_dump(mode="json") for one in (*flows, *tasks, *logs)], default=str)
    assert PASSWORD not in everything


async def test_a_block_that_is_not_there_is_said(model: Path) -> None:
    with pytest.raises(InvalidInput, match="nowhere"):
        await image(ImageSource(directory=str(model)), registry="nowhere")


async def test_without_a_registry_and_a_login_it_is_said_how_to_name_one(model: Path, docker_config) -> None:
    with pytest.raises(InvalidInput, match="no registry to push"):
        await image(ImageSource(directory=str(model)))
