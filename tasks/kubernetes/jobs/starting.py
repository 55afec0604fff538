"""What a pod that has not started says: whether it ever will, and whether its image has to be started in another way. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tasks.kubernetes.jobs.ending import container_status, start_problem
from tasks.kubernetes.jobs.pending import pending_reason
from trialflow.errors import InvalidInput

DEFINITE = re.compile(
    r"does not have it|refuses access|name is not valid|does not trust|plain HTTP|not made for|host name",
)
"""Causes of `pending_reason` that do not go away by themselves."""
PULL_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
NO_PROGRAM = re.compile(r"executable file not found|no such file or directory", re.IGNORECASE)


class CannotStart(InvalidInput):
    """A pod that Kubernetes cannot start as it is asked for: no unit of budget is spent, and the others would fare no better."""


@dataclass(frozen=True)
class Problem:
    """Why a pod will never start, and what to do."""

    message: str
    hint: str


def hopeless(pod: Mapping[str, Any]) -> Problem | None:
    """Why the pod will never start; None if it may."""
    waiting = (container_status(pod).get("state") or {}).get("waiting") or {}
    reason = pending_reason(pod) or ""
    if waiting.get("reason") in PULL_REASONS and DEFINITE.search(reason):
        return Problem(f"{reason} (the node was told: {_told(waiting)})", "check `image:` in run.yml, and that the nodes may pull it")
    if waiting.get("reason") == "CreateContainerConfigError":
        return Problem(reason, "make what is missing in the cluster's namespace, or take it out of run.yml")
    return None


def wants_next_mode(pod: Mapping[str, Any], mode: str) -> bool:
    """Whether the image lacks the program that this way of starting begins with."""
    problem = start_problem(pod)
    first = {"shell": "sh", "python": "python3"}.get(mode)
    return bool(first and problem and NO_PROGRAM.search(problem) and re.search(rf'"{first}"', problem))


def _told(waiting: Mapping[str, Any]) -> str:
    text = " ".join(str(waiting.get("message") or waiting.get("reason")).split())
    return text if len(text) <= 300 else text[:297] + "..."
