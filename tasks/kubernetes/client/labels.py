"""The labels that tell whose something on a cluster is, and the selectors made of them."""

from collections.abc import Mapping

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


def selector(labels: Mapping[str, str] | None = None) -> str:
    """A label selector for what trialflow made and has all `labels` as well."""
    wanted = {MANAGED_BY: TRIALFLOW, **(labels or {})}
    return ",".join(f"{name}={value}" for name, value in wanted.items())
