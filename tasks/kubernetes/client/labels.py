"""The labels that tell whose something on a cluster is, and the selectors made of them."""

import re
from collections.abc import Mapping
from typing import Any

from trialflow.errors import InvalidInput
from trialflow.metadata_keys import WORK_NAME

MANAGED_BY = "app.kubernetes.io/managed-by"
TRIALFLOW = "trialflow"
WORK = "trialflow.dev/work"
"""What a Job belongs to: the experiment's unique name, or the name of a training run that belongs to no experiment."""
EXPERIMENT = "trialflow.dev/experiment"
TRAINING_RUN = "trialflow.dev/training-run"
TRAINING_RUN_NAME = "trialflow.dev/training-run-name"
ATTEMPT = "trialflow.dev/attempt"
FLOW_RUN = "trialflow.dev/flow-run"
NODE_GROUPS = ("trialflow.dev/node-group", "orchestrate.sigopt.com/node-group-type")
"""Labels of nodes that say what a node is for: `system`, `cpu` or `gpu`. The second is SigOpt's."""

CONTAINER = "model"
"""The container of a training run's pod that the model runs in."""


VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
"""The form of a label's value: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/"""


def selector(labels: Mapping[str, str] | None = None) -> str:
    """A label selector for what trialflow made and has all `labels` as well. Raises `InvalidInput` for a value that no label can have."""
    wanted = {MANAGED_BY: TRIALFLOW, **(labels or {})}
    for name, value in wanted.items():
        if not VALUE.fullmatch(value):
            raise InvalidInput(f"{value!r} cannot be the value of the label {name}", hint="what is on a cluster is left as it is")
    return ",".join(f"{name}={value}" for name, value in wanted.items())


def check_work_name(name: str) -> str:
    """Return `name` if trialflow could have given it to what it makes on a cluster. Raises `InvalidInput`: metadata can be written by anybody."""
    if not WORK_NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} is no name that trialflow gives to an experiment on a cluster, so nothing of that name is touched",
            hint="take `trialflow_uid` out of the experiment's metadata: a new one is made",
        )
    return name


def is_ours(thing: Mapping[str, Any], work: str) -> bool:
    """Whether an object of the cluster says itself that trialflow made it for this work."""
    labels = (thing.get("metadata") or {}).get("labels") or {}
    return labels.get(MANAGED_BY) == TRIALFLOW and labels.get(WORK) == work
