"""Which of this machine's images trialflow takes away: those that it built, by the names that it gave them."""

import pytest

from tasks.images.engine import LocalImage
from tasks.images.errors import EngineUnavailable
from tasks.operations import cleaning
from trialflow.errors import TrialflowError


class Engine:
    """A Docker engine that has `images` with the label, and remembers what was removed."""

    def __init__(self, *images: LocalImage, is_there: bool = True) -> None:
        self.images, self.is_there = images, is_there
        self.removed: list[str] = []

    async def images_labelled(self, label: str) -> tuple[LocalImage, ...]:
        if not self.is_there:
            raise EngineUnavailable("no engine")
        assert label == cleaning.LABEL
        return self.images

    async def remove(self, name: str) -> None:
        if name == "sha256:used":
            raise TrialflowError("a container uses it")
        self.removed.append(name)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    one = Engine(
        LocalImage("sha256:a", ("registry/model:trialflow-0123456789abcdef0123", "registry/model:mine"), 1),
        LocalImage("sha256:b", ("registry/model:kept",), 1),
        LocalImage("sha256:c", (), 1),
        LocalImage("sha256:used", (), 1),
    )
    monkeypatch.setattr(cleaning, "open_engine", lambda: one)
    return one


async def test_only_names_that_trialflow_gave_go_and_images_without_any(engine: Engine) -> None:
    planned = await cleaning.plan_image_removal()
    assert [one.id for one in planned] == ["sha256:a", "sha256:c", "sha256:used"]
    results = [one async for one in cleaning.apply_image_removal(planned)]
    assert engine.removed == ["registry/model:trialflow-0123456789abcdef0123", "sha256:c"]
    assert [one.text for one in results] == ["removed", "removed", "not removed"] and results[-1].failure is not None


async def test_without_an_engine_nothing_is_left_over(engine: Engine) -> None:
    engine.is_there = False
    assert await cleaning.plan_image_removal() == ()
