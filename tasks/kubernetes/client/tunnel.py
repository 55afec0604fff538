"""Ports of a pod on this machine's loopback for as long as a command needs them, whatever its own event loops do."""

import asyncio
import contextlib
import threading
from collections.abc import Mapping
from types import TracebackType

from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.client.errors import ClusterError
from tasks.kubernetes.client.port_forward import forwarded


class Tunnel:
    """Forwards ports of a pod from a thread with an event loop of its own: commands begin and end several of theirs.

    `ports` are those of the pod -> those here (0 is any free one). `trouble` is the last thing that went wrong with a connection.
    """

    def __init__(self, cluster: Cluster, pod: str, ports: Mapping[int, int]) -> None:
        self.trouble: ClusterError | None = None
        self._cluster, self._pod, self._wanted = cluster, pod, ports
        self._ports: dict[int, int] = {}
        self._problem: BaseException | None = None
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name=f"tunnel to {pod}")

    def __enter__(self) -> dict[int, int]:
        """Listen. Returns where each port of the pod is found here. Raises `ClusterError`, `InvalidInput`, and `OSError` if a port is taken."""
        self._thread.start()
        self._ready.wait()
        if self._problem is not None:
            raise self._problem
        return self._ports

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._forward())
        except BaseException as error:  # noqa: BLE001 - raised in the thread that waits for it
            self._problem = error
        finally:
            self._ready.set()

    async def _forward(self) -> None:
        def note(error: ClusterError) -> None:
            self.trouble = error

        self._loop = asyncio.get_running_loop()
        async with open_cluster(self._cluster) as connection, forwarded(connection, self._pod, self._wanted, on_trouble=note) as ports:
            self._ports = ports
            self._ready.set()
            await self._end.wait()
