"""The deployments that trialflow has, as typed objects. Nothing of Prefect is imported here."""

from dataclasses import dataclass

POOL = "trialflow"
"""The work pool of all of them: of type `process`, so a worker of it executes flows on its own machine."""
TAG = "trialflow"


@dataclass(frozen=True)
class Deployment:
    """A flow that can be triggered. `entrypoint` is a module path, so it is found wherever trialflow is installed.

    At most `limit` flow runs execute at the same time, without a limit if None; one more is cancelled, or waits if `queues`. `cron` is when it runs
    by itself.
    """

    name: str
    entrypoint: str
    description: str
    limit: int | None = None
    cron: str | None = None
    queues: bool = False

    @property
    def full_name(self) -> str:
        """As Prefect names it: the flow's name and the deployment's, which are the same."""
        return f"{self.name}/{self.name}"


OPTIMIZE = Deployment(
    "optimize",
    "flows.optimize.optimize",
    "Run an experiment until its budget is spent. An unfinished experiment resumes where it stopped.",
)
JANITOR = Deployment(
    "janitor",
    "flows.janitor.janitor",
    "Close what killed processes left open in Prefect: task runs of flow runs that have ended, and cancellations that never came to an end.",
    limit=1,
    cron="*/15 * * * *",
)
DEPLOYMENTS: tuple[Deployment, ...] = (
    OPTIMIZE,
    Deployment("worker", "flows.worker.worker", "Join the work on an experiment, from this machine or another, within its one budget."),
    Deployment("training-run", "flows.training_run.training_run", "Run the model once and track it, with or without given assignments."),
    Deployment(
        "image",
        "flows.image.image",
        "Build the image of a folder and push it. If nothing has changed since the last push, only return its reference.",
    ),
    Deployment(
        "cluster-connect",
        "flows.cluster_connect.cluster_connect",
        "Connect a Kubernetes cluster: make what trialflow needs on it, and keep it as a block. It can be run again at any time.",
    ),
    Deployment(
        "cluster-test",
        "flows.cluster_test.cluster_test",
        "Find out whether a cluster is fit to work on, with a fix for what is not.",
    ),
    Deployment(
        "cluster-create",
        "flows.cluster_create.cluster_create",
        "Create a cluster on AWS. If an earlier run stopped half-way, finish its work.",
    ),
    Deployment(
        "cluster-update",
        "flows.cluster_update.cluster_update",
        "Change a cluster on AWS to what a cluster.yml says, as far as that can be done in place.",
    ),
    Deployment(
        "cluster-destroy",
        "flows.cluster_destroy.cluster_destroy",
        "Delete a cluster on AWS that trialflow created, and check that nothing is left.",
    ),
    Deployment(
        "cluster-stop",
        "flows.cluster_stop.cluster_stop",
        "Stop experiments and training runs on a cluster, and delete what they have there.",
    ),
    Deployment(
        "cluster-clean",
        "flows.cluster_clean.cluster_clean",
        "Delete what is left over on a cluster: Jobs that have ended, and what experiments had that nobody works on.",
    ),
    JANITOR,
)
