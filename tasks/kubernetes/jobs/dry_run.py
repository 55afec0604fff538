"""Whether the API server would take the Jobs of an experiment: asked once, with one that it does not keep, before there is an experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tasks.compute import Attempt
from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused, Exists
from tasks.kubernetes.client.objects import ask
from tasks.kubernetes.jobs.pod_template import PodTemplate, job

NAME = "trialflow-rehearsal"
RUN = {"id": "0", "name": NAME, "assignments": {}, "state": "active"}
WRONG = (400, 422)
"""The answers that speak of the manifest. A quota, say, may be used up by what runs already and is to be adopted."""


async def rehearse(
    connection: Connection, recipe: PodTemplate, *, command: Sequence[str], environment: Mapping[str, str], timeout: float | None
) -> None:
    """Raise `ClusterRefused` if a Job by this recipe is not valid, as with fields in `pod:` that there are none of. Nothing is made."""
    attempt = Attempt(RUN, 1, tuple(command), NAME, environment=environment, timeout=timeout)
    path = f"/apis/batch/v1/namespaces/{connection.namespace}/jobs"
    query = {"dryRun": "All", "fieldValidation": "Strict"}
    try:
        await ask(connection, "POST", path, what="have such a Job checked", query=query, body=job(attempt, replace(recipe, uid=NAME)))
    except Exists:
        return
    except ClusterRefused as error:
        if error.status not in WRONG:
            return
        error.hint = error.hint or "mend `pod`, `resources` or `env` in run.yml; `kubectl explain pod.spec` shows which fields there are"
        raise


def pod_spec(recipe: PodTemplate) -> dict[str, Any]:
    """The `spec` of pods by this recipe: what a node has to have room for."""
    return job(Attempt(RUN, 1, (), NAME), replace(recipe, uid=NAME))["spec"]["template"]["spec"]
