"""How requests reach a service on this machine: the embedded one by its Unix socket, any other without a proxy.

A port proves nothing: after the service has died another user may listen there. The socket is in a folder that only the user can enter.
"""

import socket
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from requests import Session
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection
from urllib3.connectionpool import HTTPConnectionPool
from urllib3.exceptions import NewConnectionError

from trialflow.embedded.host import short_path
from trialflow.embedded.lease import socket_of
from trialflow.home import Home
from trialflow.network import LOOPBACK


def reach_directly(session: Session, url: str) -> None:
    """Have `session` reach a service on loopback directly, and the embedded one by its socket. A service elsewhere is reached as ever."""
    address = urlsplit(url)
    if address.scheme != "http" or address.hostname not in LOOPBACK:
        return
    session.trust_env = False
    if path := socket_of(Home.from_environment(), url):
        session.mount("http://", socket_adapter(path))


def socket_adapter(path: Path) -> HTTPAdapter:
    """An adapter that connects to a Unix socket, whatever host a URL names."""

    class SocketConnection(HTTPConnection):
        def _new_conn(self) -> Any:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                if isinstance(self.timeout, int | float):
                    connection.settimeout(self.timeout)
                with short_path(path) as name:
                    connection.connect(name)
            except OSError as error:
                connection.close()
                raise NewConnectionError(self, f"nobody listens at {path}: {error.strerror or error}") from error  # type: ignore[arg-type]
            return connection

    class SocketPool(HTTPConnectionPool):
        ConnectionCls = SocketConnection  # type: ignore[assignment] - its stubs name a protocol without `timeout`

    adapter = HTTPAdapter()
    adapter.poolmanager.pool_classes_by_scheme = {"http": SocketPool}
    return adapter
