"""The servers that trialflow starts by itself, a Prefect server and the service, shared by all commands on this machine that need them.

This room knows processes, locks, sockets and ports; it knows nothing of experiments, flows or the SigOpt API.
"""

from trialflow.embedded.foreground import in_foreground
from trialflow.embedded.host import short_path
from trialflow.embedded.lease import Lease, answers, lease, lease_async, running_url, said_if_slow, socket_of
from trialflow.embedded.servers import Server, holder_of, prefect_server, service_server
from trialflow.embedded.standing import AlreadyUp, Standing, hold_up, is_rising, publish_standing, standing, take_down
from trialflow.embedded.supervision import Keeper, Program

__all__ = [
    "AlreadyUp",
    "Keeper",
    "Lease",
    "Program",
    "Server",
    "Standing",
    "answers",
    "hold_up",
    "holder_of",
    "in_foreground",
    "is_rising",
    "lease",
    "lease_async",
    "prefect_server",
    "publish_standing",
    "running_url",
    "said_if_slow",
    "service_server",
    "short_path",
    "socket_of",
    "standing",
    "take_down",
]
