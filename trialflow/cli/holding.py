"""What `trialflow up` holds: leases on the servers of this home, which their hosts keep running, and a worker, which this process keeps running."""

import asyncio
import fcntl
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from deployments.worker import SERVICE_URL
from trialflow.embedded import (
    Keeper,
    Lease,
    Program,
    Server,
    Standing,
    holder_of,
    lease_async,
    prefect_server,
    publish_standing,
    running_url,
    service_server,
)
from trialflow.embedded.servers import PREFECT_PORT, prefect_auth
from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.network import drop_unusable
from trialflow.packages import python_path
from trialflow.prefect_api import prefect_api_url, ui_of

WORKER_VARIABLES = {
    "PREFECT_FLOWS_HEARTBEAT_FREQUENCY": "30",
    # Between a trigger and the start of its flow run. Prefect's default is 10 s.
    "PREFECT_WORKER_QUERY_SECONDS": "2",
}
AGAIN_SECONDS = (1.0, 5.0, 30.0)


class Holding:
    """Holds everything up from `start` to `stop`; `held` is closed by the caller after that. `tell` gets what people should know."""

    def __init__(
        self, home: Home, port: int | None, queue: str, held: ExitStack, tell: Callable[[str], None], service_port: int | None = None
    ) -> None:
        self.home, self.port, self.queue, self.service_port = home, port, queue, service_port
        self._held, self._tell = held, tell
        self._keeper: Keeper | None = None
        self._beside: list[asyncio.Task[None]] = []

    async def start(self) -> Standing:
        """Start the servers and the worker, and write down where they are. Raises `TrialflowError`."""
        url, ui_url, owns = prefect_api_url(), os.environ.get("PREFECT_UI_URL"), False
        named = os.environ.get("SIGOPT_API_URL") if os.environ.get("SIGOPT_API_TOKEN") else None
        servers = [] if named else [service_server(self.home, self.service_port)]
        if not url:
            owns = True
            servers.append(self._prefect_server())
        leases = await asyncio.gather(*map(lease_async, servers))
        for server, one in zip(servers, leases, strict=True):
            self._keep(server, one)
        if owns:
            url, ui_url = f"{leases[-1].url}/api", ui_of(leases[-1].url)
        assert url is not None
        service_url = named or leases[0].url
        variables = self._variables(url, None if named or not owns else service_url, owns)
        worker = Program("the worker", self._command(), self.home.make(self.home.logs) / "worker.log", variables)
        self._keeper = Keeper(worker, self._tell)
        await self._keeper.start()
        self._beside.append(asyncio.create_task(self._keeper.keep()))
        facts = Standing(os.getpid(), url, ui_url or url.removesuffix("/api"), service_url, owns, self.queue, time.time())
        publish_standing(self.home, facts)
        return facts

    async def stop(self) -> None:
        """End the worker with its flow runs. The servers end when their leases are given back."""
        if self._keeper:
            await self._keeper.stop()
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)

    def _prefect_server(self) -> Server:
        server = prefect_server(self.home, self.port)
        running = running_url(server.folder)
        if running and self.port and urlsplit(running).port != self.port:
            message = f"the Prefect server of this home runs at {running} for a command in progress"
            raise TrialflowError(message, hint="wait for its end, or use that port")
        if running is None and (holder := holder_of(self.port or PREFECT_PORT)):
            if self.port:
                raise TrialflowError(f"port {self.port} is taken by {holder}", hint="choose another with --port, or leave it out to have one found")
            self._tell(f"port {PREFECT_PORT} is taken by {holder}, so another one is used")
        return server

    def _keep(self, server: Server, one: Lease) -> None:
        """Hold a lease, and take a new one at the same address whenever its host has ended: hosts restart servers, and nobody restarts hosts."""
        current = [one]
        self._held.callback(lambda: current[0].release())
        loop = asyncio.get_running_loop()

        async def renew() -> None:
            while True:
                await _host_ended(server.folder, loop)
                self._tell(f"{server.title} has ended; it is started again")
                same = replace(server, ports=(urlsplit(one.url).port or 0,))
                tries = 0
                while True:
                    try:
                        new = await lease_async(same)
                        break
                    except TrialflowError as error:
                        pause = AGAIN_SECONDS[min(tries, len(AGAIN_SECONDS) - 1)]
                        self._tell(f"{error.message}; tried again in {pause:.0f} s")
                        await asyncio.sleep(pause)
                        tries += 1
                current[0].release()
                current[0] = new
                self._tell(f"{server.title} runs again")

        self._beside.append(asyncio.create_task(renew()))

    def _command(self) -> tuple[str, ...]:
        # -P: no folder of the user's is searched for modules. It is not handed on to what the flow starts, unlike the variable.
        return (sys.executable, "-P", "-m", "deployments.worker", self.queue)

    def _variables(self, url: str, service_url: str | None, owns: bool) -> dict[str, str]:
        from trialflow.api.session import prefect_variables

        mine = prefect_variables(self.home, url, prefect_auth(self.home)) if owns else {}
        mine = {**mine, **({SERVICE_URL: service_url} if service_url else {})}
        inherited = dict(os.environ)
        if owns:  # then it asks nobody but loopback
            drop_unusable(inherited)
        return {**inherited, **WORKER_VARIABLES, **mine, "TRIALFLOW_HOME": str(self.home.root), **python_path()}


async def _host_ended(folder: Path, loop: asyncio.AbstractEventLoop) -> None:
    """Return when the host of a server has ended: it holds its lock for its life. The thread that waits ends with this process."""
    ended: asyncio.Future[None] = loop.create_future()

    def wait() -> None:
        with open(folder / "host.lock", "ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH)
        loop.call_soon_threadsafe(lambda: None if ended.done() else ended.set_result(None))

    threading.Thread(target=wait, daemon=True, name=f"host of {folder.name}").start()
    await ended
