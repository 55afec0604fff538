"""The service in the foreground of a process: its socket, its signals, its database opened and closed."""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable

from trialflow.errors import TrialflowError
from trialflow.home import Home
from trialflow.network import announce
from trialflow.postgres import SCHEMA, for_service
from trialflow.service.app import create_app
from trialflow.service.connections import BoundedLog, bounded_protocol
from trialflow.service.file_store import FileStore
from trialflow.service.origins import HOSTS_VARIABLE, Origins
from trialflow.service.service import Service
from trialflow.service.store import Database, StoreThread
from trialflow.service.store.database import make_schema, sqlite_url
from trialflow.service.store.projects import ensure_default_project


def serve(home: Home, host: str, port: int, *, database_url: str | None = None) -> None:
    """Serve until SIGINT or SIGTERM. Port 0 is any free one.

    When the variable TRIALFLOW_READY_FD names a descriptor, `{"url": ...}` and a newline are written to it once it answers. Raises
    `TrialflowError` if the port is taken or the database cannot be used.
    """
    listener = listen(host, port)
    url = f"http://{host}:{listener.getsockname()[1]}"
    service = open_service(home, database_url)
    try:
        run(service, listener, url)
    finally:
        service.close()
        listener.close()


def open_service(home: Home, database_url: str | None = None) -> Service:
    """The service over its database, with a default project: the one that is named, else that of the home, else SQLite in the home."""
    home.make(home.service)
    if database_url is None and (named := home.database_url()):
        database_url = for_service(named)
        make_schema(database_url, SCHEMA)
    store = StoreThread(Database(database_url or sqlite_url(home.service / "trialflow.db")))
    store.submit(ensure_default_project).result()
    token = home.token()
    return Service(store=store, files=FileStore(home.service / "files", token), token=token, home=home)


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `TrialflowError` if the address is not available."""
    # The protocol is named because asyncio switches off Nagle's algorithm only then; with it every answer that has a body takes 40 ms.
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        hint = "stop what listens there, or choose another --port" if error.errno == errno.EADDRINUSE else None
        raise TrialflowError(f"cannot listen on {host}:{port}: {error.strerror}", hint=hint) from error
    listener.listen(256)
    return listener


def run(service: Service, listener: socket.socket, url: str, *others: socket.socket, on_ready: Callable[[], None] | None = None) -> None:
    """Answer requests on `listener` and `others` until SIGINT or SIGTERM. `on_ready` is called, in a thread, once it does."""
    import uvicorn

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # What a stranger can cause by sending anything at all is not worth a line each.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
    service.url = url
    origins = Origins.of(str(listener.getsockname()[0]), os.environ.get(HOSTS_VARIABLE))
    settings = uvicorn.Config(
        create_app(service, origins),
        http=bounded_protocol(),
        ws="none",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=5,
        lifespan="off",
    )
    server = uvicorn.Server(settings)
    started = server.startup

    async def startup(sockets: list[socket.socket] | None = None) -> None:
        asyncio.get_running_loop().set_exception_handler(BoundedLog())
        await started(sockets)
        announce(url)
        if on_ready is not None:
            asyncio.get_running_loop().run_in_executor(None, on_ready)
        service.suggester.start()

    server.startup = startup
    server.run(sockets=[listener, *others])
