"""Whether the API server would take the Jobs of an experiment: asked once, with one that it does not keep, before there is an experiment."""

from typing import Any

from tasks.compute import Attempt
from tasks.images.facts import ImageFacts
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Exists
from tasks.kubernetes.client.requests import ask
from tasks.kubernetes.jobs.pod_template import job, pod_template
from trialflow.api_types import TrainingRun
from trialflow.specs import RunSpec

NAME = "trialflow-rehearsal"
TRAINING_RUN: TrainingRun = {
    "id": "0",
    "name": NAME,
    "project": NAME,
    "experiment": None,
    "state": "active",
    "assignments": {},
    "values": {},
    "metadata": {},
    "checkpoint_count": 0,
    "created": 0,
    "completed": None,
}
ABOUT_THE_MANIFEST = (400, 422)
"""Other answers do not count: a quota, say, may be used up by training runs that are about to be adopted."""


async def dry_run(connection: Connection, run: RunSpec, image: ImageFacts, cluster: Cluster) -> None:
    """Raise `ClusterRefused` if a Job for this run.yml and image is not valid, for example because `pod:` has an unknown field. Creates nothing."""
    attempt = Attempt(TRAINING_RUN, 1, tuple(run.run or ()), NAME, environment=run.env, timeout=run.timeout)
    path = f"/apis/batch/v1/namespaces/{connection.namespace}/jobs"
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        manifest = job(attempt, pod_template(run, image, cluster, uid=NAME))
        await ask(connection, "POST", path, what="have such a Job checked", query=query, body=manifest)
    except Exists:
        return
    except ClusterRefused as error:
        if error.status not in ABOUT_THE_MANIFEST:
            return
        error.hint = error.hint or "correct `pod`, `resources` or `env` in run.yml; `kubectl explain pod.spec` lists the fields of a pod"
        raise


def pod_spec(run: RunSpec, cluster: Cluster) -> dict[str, Any]:
    """The `spec` of the pods for this run.yml, whatever their image: what a node must have room for."""
    return job(Attempt(TRAINING_RUN, 1, (), NAME), pod_template(run, ImageFacts("any"), cluster, uid=NAME))["spec"]["template"]["spec"]
