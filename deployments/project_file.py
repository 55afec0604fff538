"""`prefect.yaml`, for `prefect deploy`: written from the declared deployments, never by hand."""

from typing import Any

import yaml

from deployments.declared import DEPLOYMENTS, POOL, TAG, Deployment

HEAD = """\
# Written by `python -m deployments`; change deployments/declared.py instead.
#
# `trialflow deploy` registers the same deployments from an installed trialflow. With Prefect's own command, in this folder:
#
#   prefect work-pool create trialflow --type process
#   prefect --no-prompt deploy --all
#   prefect worker start --pool trialflow
#   python -m deployments.parameters ~/my-project | prefect deployment run optimize/optimize --params - --watch
#
# For a work pool of type kubernetes: `trialflow deploy --work-pool NAME --image REF`, see docs/prefect.md.
#
# All parameters are typed: the UI shows a form for them, and the server rejects invalid values before it creates a flow run.
"""


def project_file() -> str:
    """The text of prefect.yaml."""
    body = {
        "name": "trialflow",
        "prefect-version": ">=3.8,<3.9",
        # Nothing is pulled: flows are imported from the trialflow that the worker has.
        "pull": [],
        "deployments": [_entry(one) for one in DEPLOYMENTS],
    }
    return HEAD + yaml.safe_dump(body, sort_keys=False, width=150, allow_unicode=True)


def _entry(one: Deployment) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": one.name,
        "entrypoint": one.entrypoint,
        "description": one.description,
        "tags": [TAG],
        "work_pool": {"name": POOL},
    }
    if one.limit is not None:
        entry["concurrency_limit"] = {"limit": one.limit, "collision_strategy": "CANCEL_NEW"}
    if one.cron is not None:
        entry["schedules"] = [{"cron": one.cron, "slug": one.name}]
    return entry
