"""Addresses that are linked to: outside of the service by its pages, and the pages by what others show. Pure.

Anybody can write metadata, so only what is an address of its kind becomes a link.
"""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from trialflow.metadata_keys import FLOW_RUNS, PREFECT_UI
from trialflow.network import is_loopback

FLOW_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
MOST_FLOW_RUNS = 3
PLACE_FORM = re.compile(r"(?P<cluster>[A-Za-z0-9][A-Za-z0-9_.-]{0,99})/(?P<job>[a-z0-9][a-z0-9-]{0,62})")


def flow_runs(metadata: Mapping[str, Any], *, is_in_progress: bool) -> list[dict[str, Any]]:
    """The Prefect flow runs that worked on something, latest first: each its `id`, and its `address` if that is known.

    The address is the latest one's. A Prefect server on the machine itself may be there for the work alone: it counts only while that goes on.
    """
    ids = str(metadata.get(FLOW_RUNS) or "").split()[:MOST_FLOW_RUNS]
    base = plain_address(metadata.get(PREFECT_UI))
    is_known = base is not None and (is_in_progress or not _is_loopback(base))
    return [
        {"id": one, "address": f"{base}/runs/flow-run/{one}" if is_known and place == 0 and FLOW_RUN.fullmatch(one) else None}
        for place, one in enumerate(ids)
    ]


def place_of(kept: Any) -> dict[str, str] | None:
    """The `cluster` and the `job` of a training run, and the `command` that tells of it. None for what names no such place."""
    match = PLACE_FORM.fullmatch(kept) if isinstance(kept, str) else None
    if match is None:
        return None
    return {**match.groupdict(), "command": f"trialflow cluster kubectl --cluster-name {match['cluster']} describe job {match['job']}"}


def experiment_page(service: str, experiment_id: str) -> str | None:
    """The address of an experiment's page on the `service` at an address, without anything secret. None if that is no address."""
    base = plain_address(service)
    return base and f"{base}/experiments/{experiment_id}"


def plain_address(text: Any) -> str | None:
    """An HTTP address without anything in it that could be a secret: no user, password, query or fragment. None for what is none."""
    if not isinstance(text, str) or not text.isprintable() or " " in text:
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{f':{port}' if port else ''}{parts.path.rstrip('/')}"


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    return is_loopback(host) or host.endswith(".localhost")
