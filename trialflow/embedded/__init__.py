"""The servers that trialflow starts by itself, a Prefect server and the service, shared by all commands on this machine that need them.

This room knows processes, locks, sockets and ports; it knows nothing of experiments, flows or the SigOpt API.
"""

from trialflow.embedded.foreground import in_foreground
from trialflow.embedded.host import short_path
from trialflow.embedded.lease import Lease, answers, lease, lease_async, running_url, socket_of
from trialflow.embedded.servers import Server, prefect_server, service_server

__all__ = [
    "Lease",
    "Server",
    "answers",
    "in_foreground",
    "lease",
    "lease_async",
    "prefect_server",
    "running_url",
    "service_server",
    "short_path",
    "socket_of",
]
