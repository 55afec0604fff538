"""Which hosts and web origins requests may come with. Pure.

A web page can make the browser of whoever looks at it send requests to this machine. It cannot choose the headers `Host` and `Origin`.
"""

from dataclasses import dataclass

from trialflow.network import LOOPBACK_NAMES, is_loopback

HOSTS_VARIABLE = "TRIALFLOW_SERVICE_HOSTS"


@dataclass(frozen=True)
class Origins:
    """The names under which the service may be addressed; `hosts` None means any, for a service that other machines reach under names of theirs."""

    hosts: frozenset[str] | None

    @classmethod
    def of(cls, listening: str, configured: str | None) -> "Origins":
        """For the address it listens on, and the names in TRIALFLOW_SERVICE_HOSTS, separated by commas.

        On loopback only loopback's own names are accepted, and those configured; elsewhere any, unless names are configured.
        """
        names = frozenset(name.strip().lower() for name in (configured or "").split(",") if name.strip())
        if names or is_loopback(listening):
            return cls(names | LOOPBACK_NAMES | {listening.lower()})
        return cls(None)

    def refusal_of(self, host: str, origin: str | None) -> str | None:
        """Why a request with these headers is refused; None if it is not."""
        name = host_name(host)
        if self.hosts is not None and name not in self.hosts and not is_loopback(name):
            return f"This service is not addressed as {host[:100]!r}; if it should be, add the name to {HOSTS_VARIABLE}"
        if origin is not None and origin.lower().partition("://")[2] != host.lower():
            return f"Requests from web pages of {origin[:100]!r} are not accepted"
        return None


def host_name(authority: str) -> str:
    """The name or address in `name:port` or `[address]:port`, in lower case."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0].lower()
    return authority.rpartition(":")[0].lower() if authority.count(":") == 1 else authority.lower()
