"""The Docker engine, through its SDK: build an image from a context, push it. A thread reads what the engine says; the event loop goes on."""

import asyncio
import contextlib
import os
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

import docker
import docker.context
import docker.errors
import docker.tls
import requests
from docker.utils import kwargs_from_env

from tasks.images.errors import EngineUnavailable, PushFailed
from tasks.images.events import OnEvent
from tasks.images.explaining import build_error, engine_error, push_error
from tasks.images.following import BuildFollower, PushFollower
from tasks.images.login import Login
from tasks.images.references import Reference
from trialflow.errors import TrialflowError

NOTHING_IN_A_MINUTE = 60
"""Seconds that the engine may take to answer a question."""
TROUBLE = (docker.errors.DockerException, requests.RequestException, OSError)


@dataclass(frozen=True)
class EngineFacts:
    """A Docker engine: its address, version, platform (`linux/amd64`), free for use, and the registries it is told are insecure."""

    address: str
    version: str
    platform: str
    insecure: tuple[str, ...] = ()


@dataclass(frozen=True)
class LocalImage:
    """An image of the engine: its id, its names, and its size in bytes."""

    id: str
    names: tuple[str, ...]
    size: int


class Engine:
    """A Docker engine. Made by `open_engine`; close it. Its methods are for one event loop; several may be under way at once."""

    def __init__(self, make_client: Callable[[], docker.APIClient], address: str) -> None:
        self._make_client = make_client
        self.address = address

    async def facts(self) -> EngineFacts:
        """What the engine is. Raises `EngineUnavailable`."""

        def ask() -> EngineFacts:
            with contextlib.closing(self._make_client()) as client:
                version, info = client.version(), client.info()
            registries = info.get("RegistryConfig") or {}
            named = [name for name, entry in (registries.get("IndexConfigs") or {}).items() if not entry.get("Secure", True)]
            return EngineFacts(
                self.address,
                str(version.get("Version")),
                f"{version.get('Os')}/{version.get('Arch')}",
                (*named, *(registries.get("InsecureRegistryCIDRs") or ())),
            )

        return await self._ask(ask)

    async def image_id(self, name: str) -> str | None:
        """The id of a local image, or None."""
        seen = await self._inspect(name)
        return seen["Id"] if seen else None

    async def labels(self, name: str) -> Mapping[str, str] | None:
        """The labels of a local image, or None if there is no such image."""
        seen = await self._inspect(name)
        return (seen.get("Config") or {}).get("Labels") or {} if seen else None

    async def build(
        self,
        archive: IO[bytes],
        *,
        dockerfile: str,
        name: str,
        labels: Mapping[str, str],
        platform: str | None = None,
        arguments: Mapping[str, str] | None = None,
        target: str | None = None,
        fresh: bool = False,
        on_event: OnEvent,
    ) -> str:
        """Build `name` (repository:tag) with the classic builder and return the image's id. `fresh` pulls the base and uses no cache.

        Raises `EngineUnavailable`, `BuildFailed`, `InvalidInput` for a Dockerfile that cannot be, `RegistryUnavailable` for a base image.
        """
        follower = BuildFollower(on_event)

        def begin(client: docker.APIClient) -> Iterator[Any]:
            return client.build(
                fileobj=archive, custom_context=True, dockerfile=dockerfile, tag=name, labels=dict(labels), platform=platform,
                buildargs=dict(arguments or {}), target=target, pull=fresh, nocache=fresh, rm=True, forcerm=True, decode=True, timeout=None,
            )  # fmt: skip

        try:
            async for message in self._stream(begin):
                follower.take(message)
        except docker.errors.APIError as error:
            raise build_error(str(error.explanation or error)) from error
        except docker.errors.DockerException as error:
            raise engine_error(error, self.address) from error
        built = follower.image_id or await self.image_id(name)
        if built is None:
            raise EngineUnavailable(f"the Docker engine at {self.address} ended the build without a word", hint="start the same command again")
        return built

    async def images_labelled(self, label: str) -> tuple[LocalImage, ...]:
        """The local images that have a label, newest first. Raises `EngineUnavailable`."""

        def ask() -> tuple[LocalImage, ...]:
            with contextlib.closing(self._make_client()) as client:
                found = sorted(client.images(filters={"label": label}), key=lambda one: -int(one.get("Created") or 0))
            return tuple(LocalImage(one["Id"], tuple(one.get("RepoTags") or ()), int(one.get("Size") or 0)) for one in found)

        return await self._ask(ask)

    async def remove(self, name: str) -> None:
        """Take a name (or, by its id, the whole image) off the engine. Raises `EngineUnavailable`, `TrialflowError` if a container uses it."""

        def ask() -> None:
            with contextlib.closing(self._make_client()) as client, contextlib.suppress(docker.errors.NotFound):
                try:
                    client.remove_image(name)
                except docker.errors.APIError as error:
                    raise TrialflowError(f"the image {name} could not be removed: {error.explanation or error}") from error

        await self._ask(ask)

    async def push(self, name: Reference, *, login: Login | None, on_event: OnEvent) -> str:
        """Push a local image to the registry of its name; returns its digest there.

        `login` is by default what Docker knows. Raises `RegistryRefused`, `RegistryUnavailable`, `PushFailed`, `EngineUnavailable`.
        """
        follower = PushFollower(str(name), on_event)

        def begin(client: docker.APIClient) -> Iterator[Any]:
            given = login.for_engine() if login else None
            return client.push(name.name, tag=name.tag, stream=True, decode=True, auth_config=given)

        try:
            async for message in self._stream(begin):
                follower.take(message)
        except docker.errors.APIError as error:
            raise push_error(str(error.explanation or error), str(name)) from error
        except docker.errors.DockerException as error:
            raise push_error(str(error), str(name)) from error
        if not follower.digest:
            raise PushFailed(f"the Docker engine did not say under which digest it pushed {name}", hint="start the same command again")
        return follower.digest

    async def _inspect(self, name: str) -> dict[str, Any] | None:
        def ask() -> dict[str, Any] | None:
            with contextlib.closing(self._make_client()) as client:
                try:
                    return client.inspect_image(name)
                except docker.errors.NotFound:
                    return None

        return await self._ask(ask)

    async def _ask(self, question: Callable[[], Any]) -> Any:
        try:
            return await asyncio.to_thread(question)
        except TROUBLE as error:
            raise engine_error(error, self.address) from error

    async def _stream(self, begin: Callable[[docker.APIClient], Iterator[Any]]) -> AsyncIterator[dict[str, Any]]:
        """What the engine says, message by message. A cancellation hangs up, at which the engine gives up what it was doing."""
        loop, messages = asyncio.get_running_loop(), asyncio.Queue[Any]()
        held: list[Any] = []
        hung_up = threading.Event()

        def put(message: Any) -> None:
            with contextlib.suppress(RuntimeError):  # the loop is gone, and with it whoever wanted to know
                loop.call_soon_threadsafe(messages.put_nowait, message)

        def keep(response: Any, *_: Any, **__: Any) -> None:
            held.append(response)

        def read() -> None:
            try:
                client = self._make_client()
                held.append(client)
                # The SDK keeps the response to itself; requests shows it to hooks.
                client.hooks["response"].append(keep)
                for message in begin(client):
                    if hung_up.is_set():
                        return
                    put(message)
                put(None)
            except BaseException as error:  # noqa: BLE001 - raised again where the messages are awaited
                put(error)

        # A thread of its own: asyncio waits for those of its pool when a command ends, and a build step may be silent for an hour.
        threading.Thread(target=read, name="docker-engine", daemon=True).start()
        try:
            while (message := await messages.get()) is not None:
                if isinstance(message, TROUBLE) and not isinstance(message, docker.errors.DockerException):
                    raise engine_error(message, self.address) from message
                if isinstance(message, BaseException):
                    raise message
                yield message
        finally:
            hung_up.set()
            _hang_up(held)


def open_engine(environment: Mapping[str, str] | None = None) -> Engine:
    """The Docker engine that the `docker` command would use: DOCKER_HOST, else the current Docker context. Nothing is asked of it yet."""
    env = dict(os.environ if environment is None else environment)
    if host := env.get("DOCKER_HOST"):
        return Engine(lambda: docker.APIClient(version="auto", timeout=NOTHING_IN_A_MINUTE, **kwargs_from_env(environment=env)), host)
    try:
        current = docker.context.ContextAPI.get_current_context()
    except (docker.errors.DockerException, OSError, ValueError) as error:
        raise EngineUnavailable(f"the current Docker context cannot be read: {error}", hint="`docker context ls` shows those there are") from error
    address = (current.Host if current else None) or "unix:///var/run/docker.sock"
    settings = current.TLSConfig if current else None
    return Engine(
        lambda: docker.APIClient(base_url=address, version="auto", timeout=NOTHING_IN_A_MINUTE, tls=settings or False),
        address.replace("http+unix", "unix"),
    )


async def check_engine() -> EngineFacts:
    """What the Docker engine is. Raises `EngineUnavailable` with what to do."""
    return await open_engine().facts()


def listed_insecure() -> tuple[str, ...]:
    """The registries that the Docker engine is told are insecure; empty if there is no engine to ask."""
    try:
        return asyncio.run(check_engine()).insecure
    except TrialflowError:
        return ()


def _hang_up(held: list[Any]) -> None:
    """Shut the socket of an answer that is still being read: closing it would wait for the reader."""
    for one in held:
        raw = getattr(getattr(one, "raw", None), "_fp", None)
        found = getattr(getattr(getattr(raw, "fp", None), "raw", None), "_sock", None)
        if isinstance(found, socket.socket):
            with contextlib.suppress(OSError):
                found.shutdown(socket.SHUT_RDWR)
    for one in held:
        if isinstance(one, docker.APIClient):
            threading.Thread(target=one.close, daemon=True).start()
