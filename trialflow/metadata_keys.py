"""What trialflow itself keeps in the metadata of experiments and training runs: the keys, and the reasons that have a meaning.

An update over HTTP that does not name keys that begin with `PREFIX` leaves them as they are.
"""

import re
from collections.abc import Mapping
from typing import Any

PREFIX = "trialflow_"

# of an experiment
SAME = "trialflow_key"
"""What two experiments have in common that are the same one: a digest of the file."""
UID = "trialflow_uid"
"""Its unique name, which is the label of all that it has on a cluster: ids are of one service alone."""
FOLDER = "trialflow_folder"
"""`HOST:PATH` of the folder that it was started in, if its project is named after that folder and was not chosen by the user."""
OWNER = "trialflow_owner"
"""Who works on it, as JSON (see `tasks/experiments/ownership.py`); versions before wrote a sentence."""

EARLY_STOPPING = "trialflow_early_stopping"
"""Its `early_stopping` as JSON: the API has no field for it, and a SigOpt server refuses unknown ones."""

FLOW_RUNS = "trialflow_flow_runs"
"""The ids of the Prefect flow runs that worked on it, latest first, with spaces between: a flow run that is retried goes on with its experiment.
A training run that belongs to no experiment has it too."""

PREFECT_UI = "trialflow_prefect_ui"
"""The address of Prefect's UI in which the latest of these flow runs is shown, without any secret."""

MLFLOW = "trialflow_mlflow"
"""Its `mlflow` as JSON: where training runs are logged as they end."""

MAX_COST = "trialflow_max_cost"
"""Its `max_cost` in US dollars: the API has no field for it."""

LEARNS_FROM = "trialflow_learns_from"
"""The id of the experiment before it, whose results it starts from: that of a schedule that learns."""
VERDICT = "trialflow_verdict"
"""Whether its best is better than the last best, in a sentence."""
WINNER = "trialflow_winner"
"""The id of the training run with the assignments that were found to be the better ones."""

# of a training run
NODE_USE = "trialflow_node_use_"
"""With the number of an attempt: the node that it used, its price, and from when to when."""
ATTEMPT = "trialflow_attempt"
LOST = "trialflow_lost"
"""How often it was lost."""
EARLIER_CHECKPOINTS = "trialflow_earlier_checkpoints"
"""How many of its checkpoints are of attempts before the present one."""
STOPPED_EARLY = "trialflow_stopped_early"
"""Why it was stopped early, if it was."""
EXIT_CODE = "trialflow_exit_code"
PLACE = "trialflow_place"
"""Where its present attempt executes, as `CLUSTER/JOB`, if that is a cluster."""
REASON = "trialflow_reason"
"""Why it ended, or was lost, if not simply by itself."""
STOPPED_BY_USER = "stopped by the user"
"""The reason of one which somebody ended for good."""
KNOWN = "trialflow_known"
"""Where it was imported from. It is known without having been executed for the experiment, and has cost no budget."""
EARLIER = "trialflow_earlier"
"""Of one that is known from an earlier experiment on other data: how many experiments ago it was measured."""
KNOWN_NAME = "known-"
"""What the names of those begin with: the service looks into the metadata of no other."""

WORK_NAME = re.compile(r"(experiment|run)-[0-9a-z]{8,40}")
"""The form of the names that trialflow gives to an experiment, or to a training run by itself, on a cluster."""
EXPERIMENT_TAG = "experiment:"
"""How the tag of a flow run begins that names the experiment it works on."""


def uid_of(experiment: Mapping[str, Any]) -> str | None:
    """The experiment's unique name, None if it has none yet. Anybody can write metadata: a text of another form is no name of ours."""
    found = (experiment.get("metadata") or {}).get(UID)
    return found if isinstance(found, str) and WORK_NAME.fullmatch(found) else None
