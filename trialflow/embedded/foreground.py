"""A server in the foreground that other commands on this machine use while it runs, and that never shares its database with a second one."""

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from trialflow.embedded.host import listen_on_path, publish
from trialflow.embedded.lease import running_url
from trialflow.embedded.servers import Server
from trialflow.errors import TrialflowError


@contextmanager
def in_foreground(server: Server, url: str) -> Iterator[list[socket.socket]]:
    """Be the host of `server` in this process, at `url`. Yields the listening Unix socket that it has to serve as well, if there can be one.

    Raises `TrialflowError` if there is a host already.
    """
    server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(server.folder / "start.lock", "ab") as starting, open(server.folder / "host.lock", "ab") as host:
        fcntl.flock(starting, fcntl.LOCK_EX)
        try:
            fcntl.flock(host, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrialflowError(
                f"{server.title} is running already, at {running_url(server.folder) or 'another process'}",
                hint="it belongs to a command in progress, or to another `trialflow service`; use that address, or wait until it ends",
            ) from None
        host.truncate(0)
        host.write(str(os.getpid()).encode())
        host.flush()
        listener = listen_on_path(server.folder / "socket")
        publish(server.folder, url, os.getpid(), has_socket=listener is not None)
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield [listener] if listener else []
        finally:
            for name in ("endpoint.json", "socket"):
                (server.folder / name).unlink(missing_ok=True)
            if listener:
                listener.close()
