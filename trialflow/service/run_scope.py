"""What a model may ask of the service with the token of its training run, and what it may say. Pure."""

from collections.abc import Mapping
from typing import Any

from trialflow.launcher import reports
from trialflow.service.errors import Forbidden

OWN = frozenset(
    {
        ("GET", "/training_runs/{id}"),
        ("MERGE", "/training_runs/{id}"),
        ("PUT", "/training_runs/{id}"),
        ("GET", "/training_runs/{id}/checkpoints"),
        ("GET", "/training_runs/{id}/checkpoints/{checkpoint}"),
        ("POST", "/training_runs/{id}/checkpoints"),
        ("POST", "/training_runs/{id}/files"),
    }
)
"""What is allowed for the token's own training run: all that the `sigopt` client does inside a model."""
EXPERIMENTS = ("/experiments/{", "/aiexperiments/{")
"""How the routes begin that are about one experiment, which the token may read."""
WORKERS = "/workers"
"""Who works on the experiment is nothing for its models."""


def check_request(run: Mapping[str, Any], method: str, route: str, path: Mapping[str, str]) -> None:
    """Raise a 403 unless the model of training run `run` may send such a request; `route` is the path with its variables, `path` their values."""
    first = next(iter(path.values()), "")
    method = "GET" if method == "HEAD" else method
    if (method, route) == ("GET", "/tokens/self") or ((method, route) in OWN and first == str(run["id"])):
        return
    if method == "GET" and route.startswith(EXPERIMENTS) and not route.endswith(WORKERS) and first == str(run["experiment"]):
        return
    if (method, route) == ("GET", "/files/{id}") and first in (run["data"].get("files") or ()):
        return
    asked = route
    for name, value in path.items():
        asked = asked.replace(f"{{{name}}}", value[:40])
    raise Forbidden(f"This token is good for training run {run['id']} alone, and to read its experiment; {method} {asked} is neither")


def reported(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """What a model says of its training run, as its launcher would pass it on. Raises a 403 for what a model may not say.

    That it has completed is left out without a word, as there: how a model ended is judged by its exit.
    """
    kept, dropped = reports.checked(kind, body)
    if dropped:
        raise Forbidden(f"Nothing of this was kept: {dropped[0]}")
    return kept or {}
