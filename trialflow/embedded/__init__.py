"""The servers that trialflow brings up by itself, a Prefect server and the service, shared by all commands on this machine that need them.

This room knows processes, locks and ports; it knows nothing of experiments, flows or the SigOpt API.
"""

from trialflow.embedded.foreground import in_foreground
from trialflow.embedded.lease import Lease, lease, running_url
from trialflow.embedded.servers import Server, prefect_server, service_server

__all__ = ["Lease", "Server", "in_foreground", "lease", "prefect_server", "running_url", "service_server"]
