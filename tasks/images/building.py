"""From a directory to an image in a registry, in steps that each look first for what an earlier try has done. No Prefect here."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

from tasks.images.buildkit import build_with, buildx, needs_buildkit
from tasks.images.context import Context, advice, read_context
from tasks.images.engine import Engine, open_engine
from tasks.images.errors import ImageMissing
from tasks.images.events import ImageEvent, OnEvent, tell
from tasks.images.login import Login
from tasks.images.references import Reference, parse
from tasks.images.registry import add_tag, find, look_up
from trialflow.errors import InvalidInput
from trialflow.home import Home

LABEL = "trialflow.dev/context"
"""The label of an image that holds the digest of what it was made of."""
OWN_TAG = re.compile(r"trialflow-[0-9a-f]{20}")
"""The form of the tags that are derived from that digest."""


@dataclass(frozen=True)
class BuildRequest:
    """What to make: an image of `directory` with its `dockerfile`, for `repository`.

    It is for a `platform` (by default the engine's), up to a stage `target` of the Dockerfile. `leave_out` are paths that do not belong into it.
    `fresh` builds even if the image is there, with the newest base image and no cache. `insecure` says that the registry has no TLS worth the name;
    None asks Docker. `tag` is one that the image gets in the registry besides the one that is derived from its contents.
    """

    directory: Path
    repository: str
    dockerfile: str | None = None
    platform: str | None = None
    target: str | None = None
    leave_out: tuple[Path, ...] = ()
    fresh: bool = False
    insecure: bool | None = None
    tag: str | None = None


@dataclass(frozen=True)
class BuildPlan:
    """An order with its files read: `digest` is that of everything that makes the image, `name` the repository with a tag derived from it."""

    order: BuildRequest
    context: Context
    digest: str
    name: Reference


async def plan(order: BuildRequest, *, home: Home | None = None, on_event: OnEvent = tell) -> BuildPlan:
    """Read the directory. Raises `InvalidInput` for what can be seen to be wrong before anything is built."""
    repository = parse(order.repository)
    if repository.tag or repository.digest:
        raise InvalidInput(f"{order.repository!r} names one image; give a repository, without tag or digest")
    leave_out = (*order.leave_out, (home or Home.from_environment()).root)
    context = await asyncio.to_thread(read_context, order.directory, order.dockerfile, leave_out=leave_out)
    digest = await asyncio.to_thread(context.digest, order.platform, order.target)
    on_event(ImageEvent("context", f"{len(context.sizes)} files", total=context.size))
    for path in context.withheld:
        on_event(ImageEvent("withheld", path))
    for size, path, line in advice(context):
        on_event(ImageEvent("heavy", path, total=size, layer=line))
    return BuildPlan(order, context, digest, repository.tagged(f"trialflow-{digest[:20]}"))


async def find_image(planned: BuildPlan, *, login: Login | None = None, on_event: OnEvent = tell) -> str | None:
    """`repository@sha256:...` of an image of the same contents in the registry, or None. Its label must say so: a tag can be moved."""
    if planned.order.fresh:
        return None
    try:
        facts = await look_up(str(planned.name), login=login, insecure=planned.order.insecure)
    except ImageMissing:
        return None
    if facts.labels.get(LABEL) != planned.digest:
        return None
    on_event(ImageEvent("found", facts.reference))
    return facts.reference


async def build_image(planned: BuildPlan, *, engine: Engine | None = None, on_event: OnEvent = tell) -> str:
    """Build the image, or find it among the engine's. Returns its local id."""
    engine = engine or open_engine()
    order, name = planned.order, str(planned.name)
    if not order.fresh and (await engine.labels(name) or {}).get(LABEL) == planned.digest:
        return str(await engine.image_id(name))
    platform = order.platform if order.platform and order.platform != (await engine.facts()).platform else None
    command = None
    if why := needs_buildkit(planned.context.text) or (f"it is for {platform}" if platform else None):
        command = await asyncio.to_thread(buildx)
        if command is None and not platform:
            raise InvalidInput(
                f"the Dockerfile needs BuildKit ({why}), and this machine has no `docker buildx` command",
                hint="install Docker's buildx plugin, or write that line without BuildKit's additions",
            )
    with await asyncio.to_thread(planned.context.archive) as archive:
        if command:
            await build_with(
                command, archive, address=engine.address, dockerfile=planned.context.dockerfile, name=name, labels={LABEL: planned.digest},
                platform=platform, target=order.target, fresh=order.fresh, on_event=on_event,
            )  # fmt: skip
            return str(await engine.image_id(name))
        return await engine.build(
            archive, dockerfile=planned.context.dockerfile, name=name, labels={LABEL: planned.digest},
            platform=platform, target=order.target, fresh=order.fresh, on_event=on_event,
        )  # fmt: skip


async def push_image(planned: BuildPlan, *, login: Login | None = None, engine: Engine | None = None, on_event: OnEvent = tell) -> str:
    """Push the built image; layers that the registry has are not sent again. Returns `repository@sha256:...`."""
    on_event(ImageEvent("pushing", str(planned.name)))
    digest = await (engine or open_engine()).push(planned.name, login=login, on_event=on_event)
    reference = str(planned.name.at(digest))
    on_event(ImageEvent("pushed", reference))
    return reference


async def tag_image(planned: BuildPlan, reference: str, *, login: Login | None = None, on_event: OnEvent = tell) -> None:
    """Have the registry call the image at `reference` by the tag that was asked for as well. Nothing to do if it does, or none was."""
    order = planned.order
    if order.tag is None:
        return
    named = planned.name.tagged(order.tag)
    if await find(str(named), login=login, insecure=order.insecure) != parse(reference).digest:
        await add_tag(reference, order.tag, login=login, insecure=order.insecure)
    on_event(ImageEvent("tagged", str(named)))


async def build_and_push(order: BuildRequest, *, login: Login | None = None, home: Home | None = None, on_event: OnEvent = tell) -> str:
    """All steps one after the other. Returns `repository@sha256:...`; nothing is built and nothing pushed if the registry has it."""
    planned = await plan(order, home=home, on_event=on_event)
    reference = await find_image(planned, login=login, on_event=on_event)
    if reference is None:
        engine = open_engine()
        await build_image(planned, engine=engine, on_event=on_event)
        reference = await push_image(planned, login=login, engine=engine, on_event=on_event)
    await tag_image(planned, reference, login=login, on_event=on_event)
    return reference
