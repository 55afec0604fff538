"""What trialflow itself keeps in the metadata of experiments and training runs: the keys, and the reasons that have a meaning.

An update over HTTP that does not name keys that begin with `PREFIX` leaves them as they are.
"""

PREFIX = "trialflow_"

# of an experiment
SAME = "trialflow_key"
"""What two experiments have in common that are the same one: a digest of the file."""
UID = "trialflow_uid"
"""Its unique name, which is the label of all that it has on a cluster: ids are of one service alone."""
OWNER = "trialflow_owner"
"""Who works on it, in words."""

EARLY_STOPPING = "trialflow_early_stopping"
"""Its `early_stopping` as JSON: the API has no field for it, and a SigOpt server refuses unknown ones."""

FLOW_RUNS = "trialflow_flow_runs"
"""The ids of the Prefect flow runs that worked on it, latest first, with spaces between: a flow run that is retried goes on with its experiment.
A training run that belongs to no experiment has it too."""

# of a training run
ATTEMPT = "trialflow_attempt"
LOST = "trialflow_lost"
"""How often it was lost."""
EARLIER_CHECKPOINTS = "trialflow_earlier_checkpoints"
"""How many of its checkpoints are of attempts before the present one."""
STOPPED_EARLY = "trialflow_stopped_early"
"""Why it was stopped early, if it was."""
EXIT_CODE = "trialflow_exit_code"
REASON = "trialflow_reason"
"""Why it ended, or was lost, if not simply by itself."""
STOPPED_BY_USER = "stopped by the user"
"""The reason of one which somebody ended for good."""
