"""A server in the foreground that other commands on this machine use while it runs, and that never shares its database with a second one."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from trialflow.embedded.lease import running_url
from trialflow.embedded.servers import Server
from trialflow.errors import TrialflowError


@contextmanager
def in_foreground(server: Server, url: str) -> Iterator[None]:
    """Be the host of `server` in this process, at `url`. Raises `TrialflowError` if there is one already."""
    server.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with open(server.folder / "start.lock", "ab") as starting, open(server.folder / "host.lock", "ab") as host:
        fcntl.flock(starting, fcntl.LOCK_EX)
        try:
            fcntl.flock(host, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise TrialflowError(
                f"{server.title} runs already, at {running_url(server.folder) or 'another process'}",
                hint="it belongs to a command that is under way, or to another `trialflow service`; use that address, or wait for its end",
            ) from None
        host.truncate(0)
        host.write(str(os.getpid()).encode())
        host.flush()
        endpoint = server.folder / "endpoint.json"
        endpoint.write_text(json.dumps({"url": url, "host_pid": os.getpid(), "pid": os.getpid()}))
        (server.folder / "port").write_text(url.rsplit(":", 1)[1])
        fcntl.flock(starting, fcntl.LOCK_UN)
        try:
            yield
        finally:
            endpoint.unlink(missing_ok=True)
