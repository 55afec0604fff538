"""Which experiment a command works on: the same file in the same folder resumes where it stopped."""

import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

from trialflow.metadata_keys import FLOW_RUNS, FOLDER, PREFECT_UI, SAME
from trialflow.results.links import plain_address

FREE_FIELDS = ("budget", "parallel_bandwidth", "metadata")
"""Fields that may change between two invocations that mean the same experiment."""


def new_uid() -> str:
    """A unique name for an experiment, fit for Kubernetes."""
    return f"experiment-{secrets.token_hex(5)}"


MOST_FLOW_RUNS = 12
"""Flow runs that are remembered: a value in metadata has 500 characters."""
WhenFinished = Literal["new", "report"]


def experiment_key(body: Mapping[str, Any]) -> str:
    """What tells experiments of one project apart: a digest of all their fields but the budget and what does not change the search."""
    kept = {name: value for name, value in body.items() if name not in FREE_FIELDS and value is not None}
    return sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:24]


@dataclass(frozen=True)
class ResumePlan:
    """What to do: `create` a new experiment, go on with (`resume`) or just `report` the one with `experiment_id`; `update` to its fields first."""

    action: Literal["create", "resume", "report"]
    experiment_id: str | None = None
    update: Mapping[str, Any] | None = None


def is_of_another_folder(kept: object, folder: str | None, exists: Callable[[str], bool] = os.path.isdir) -> bool:
    """Whether an experiment that was started in the folder `kept` is none of `folder`'s. Both are `HOST:PATH`.

    A folder that is gone was moved, so its experiments follow; other machines, and experiments of earlier versions, are not told apart.
    """
    if not isinstance(kept, str) or folder is None or kept == folder:
        return False
    (host, _, path), (here, _, _) = kept.partition(":"), folder.partition(":")
    return host == here and exists(path)


def plan(
    body: Mapping[str, Any],
    existing: Sequence[Mapping[str, Any]],
    *,
    when_finished: WhenFinished,
    always_new: bool = False,
    flow_run_id: str | None = None,
    folder: str | None = None,
) -> ResumePlan:
    """Decide from the experiment asked for and the project's experiments, newest first.

    A flow run that has worked on an experiment before, for example one that is retried, resumes or reports that one: it spends no second budget.
    Otherwise the newest with the same key that is not another folder's is resumed if budget is left or the file gives it more. A finished one is
    reported, or a new one is created.
    """
    key = experiment_key(body)
    found = next((one for one in existing if flow_run_id is not None and flow_run_id in flow_runs_of(one)), None)
    if found is not None:
        when_finished, always_new = "report", False
    else:
        known = [(one, one.get("metadata") or {}) for one in existing]
        found = next((one for one, kept in known if kept.get(SAME) == key and not is_of_another_folder(kept.get(FOLDER), folder)), None)
    if always_new or found is None:
        return ResumePlan("create")
    progress = found.get("progress") or {}
    spent = int(progress.get("finished_run_count") or 0)
    active = int(progress.get("active_run_count") or 0)
    budget = body.get("budget")
    update = {name: body.get(name) for name in ("budget", "parallel_bandwidth") if body.get(name) != found.get(name)}
    if budget is None or spent < budget or active:
        return ResumePlan("resume", str(found["id"]), update)
    return ResumePlan("create") if when_finished == "new" else ResumePlan("report", str(found["id"]), None)


def predecessor(name: str, existing: Sequence[Mapping[str, Any]], folder: str | None) -> str | None:
    """The id of the newest experiment of the same name, not of another folder, with training runs that have ended: what it knows is worth learning.

    `existing` are the project's experiments, newest first. The files may differ.
    """
    for one in existing:
        is_other = is_of_another_folder((one.get("metadata") or {}).get(FOLDER), folder)
        if one["name"] == name and not is_other and (one.get("progress") or {}).get("finished_run_count"):
            return str(one["id"])
    return None


def flow_runs_of(kept: Mapping[str, Any]) -> list[str]:
    """The ids of the flow runs that worked on an experiment, or on a training run by itself, latest first."""
    metadata = {**(kept.get("dev_metadata") or {}), **(kept.get("metadata") or {})}
    return str(metadata.get(FLOW_RUNS) or "").split()


def with_flow_run(kept: Mapping[str, Any], flow_run_id: str | None, ui_url: str | None = None) -> dict[str, str]:
    """The metadata that remembers the flow run with those before it, and where Prefect's UI shows it; empty outside of a flow run."""
    if flow_run_id is None:
        return {}
    before = [one for one in flow_runs_of(kept) if one != flow_run_id]
    # An address that is not known any more is taken back: it would show the flow run at the wrong server.
    address = plain_address(ui_url) or ""
    is_told = address or (kept.get("metadata") or {}).get(PREFECT_UI)
    return {FLOW_RUNS: " ".join([flow_run_id, *before][:MOST_FLOW_RUNS]), **({PREFECT_UI: address} if is_told else {})}
