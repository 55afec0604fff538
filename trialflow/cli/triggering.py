"""`trialflow optimize` where `trialflow up` is at work: trigger the deployment, or join the flow run that is at work already."""

import fcntl
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialflow.cli.prefect_client import detail
from trialflow.errors import InvalidInput, TrialflowError
from trialflow.home import Home
from trialflow.prefect_api import prefect_api_url

if TYPE_CHECKING:
    from prefect.client.orchestration import PrefectClient
    from prefect.client.schemas.objects import FlowRun

    from trialflow.embedded import Standing
    from trialflow.specs import ExperimentSpec, RunSpec

UP = "`trialflow up --detach` first"


def standing_here() -> "Standing | None":
    """What `trialflow up` holds in this home, if this shell's Prefect server is that one."""
    from trialflow.embedded import standing

    found = standing(Home.from_environment())
    if found is None:
        return None
    named = prefect_api_url()
    is_same = named in (None, found.prefect_url) if found.owns_prefect else named == found.prefect_url
    return found if is_same else None


def triggers(*, detach: bool) -> "Standing | None":
    """Where a command triggers a deployment; None if it has to work in its own process. Raises `InvalidInput` if `detach` cannot be."""
    from tasks.model_secrets import model_secrets

    found = standing_here()
    if found is None:
        if detach:
            raise InvalidInput("there is nothing that the experiment could be left to: trialflow is not up", hint=UP)
        return None
    if model_secrets.get():
        if detach:
            hint = "make a block (`prefect block create aws-credentials`), or leave --detach out"
            raise InvalidInput("run.yml has AWS keys, which are given to no deployment: parameters are shown", hint=hint)
        return None
    return found


@dataclass(frozen=True)
class Order:
    """An experiment to work on, as the deployment takes it."""

    experiment: "ExperimentSpec"
    run: "RunSpec"
    project: str | None
    directory: Path
    source: Mapping[str, str] | None = None
    cluster: Any = None
    options: Mapping[str, Any] | None = None

    def parameters(self) -> dict[str, Any]:
        """The parameters of the flow run: JSON, without what is at its default."""
        from trialflow.specs import parameter_of

        found: dict[str, Any] = {
            "experiment": self.experiment.model_dump(mode="json", exclude_defaults=True),
            "run": parameter_of(self.run),
            "directory": str(self.directory),
            "project": self.project or os.environ.get("SIGOPT_PROJECT") or None,
            "source": dict(self.source) if self.source else None,
            "cluster": self.cluster.model_dump(mode="json", exclude_defaults=True) if self.cluster else None,
            "options": dict(self.options) if self.options else None,
        }
        return {name: value for name, value in found.items() if value is not None}

    def tag(self) -> str:
        """What flow runs of the same command have in common: the same experiment, of the same folder and project, at the same place."""
        from tasks.experiments.resume import experiment_key

        parameters = self.parameters()
        where = [parameters.get("project"), os.path.realpath(self.directory), (parameters.get("cluster") or {}).get("name")]
        return "same:" + sha256(json.dumps([*where, experiment_key(self.experiment.to_api())]).encode()).hexdigest()[:24]


async def trigger(client: "PrefectClient", order: Order, queue: str | None, *, always_new: bool, is_here: bool = True) -> tuple["FlowRun", bool]:
    """The flow run that works on it, and whether it was there already. `is_here` says that the worker is on this machine, and wants its shell.

    Raises `TrialflowError` if the server refuses it.
    """
    from prefect.exceptions import PrefectHTTPStatusError

    from tasks.local.shell import keep_shell
    from trialflow.cli.environment import SHELL

    home = Home.from_environment()
    with _one_at_a_time(home):
        if not always_new and (same := await _open_flow_run(client, order.tag())):
            return same, True
        if is_here:
            keep_shell(home, SHELL, order.directory)
        try:
            return await _new_flow_run(client, order, queue), False
        except PrefectHTTPStatusError as error:
            raise TrialflowError(f"Prefect's server refused the flow run: {detail(error)}", hint="`trialflow doctor` checks this machine") from error


async def _new_flow_run(client: "PrefectClient", order: Order, queue: str | None) -> "FlowRun":
    from prefect.deployments import arun_deployment

    return await arun_deployment(
        "optimize/optimize",
        client=client,
        parameters=order.parameters(),
        tags=[order.tag()],
        timeout=0,
        as_subflow=False,
        work_queue_name=queue,
    )


async def _open_flow_run(client: "PrefectClient", tag: str) -> "FlowRun | None":
    """The newest flow run with this tag that has not ended."""
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
    from prefect.client.schemas.objects import TERMINAL_STATES, StateType
    from prefect.client.schemas.sorting import FlowRunSort

    at_work = FlowRunFilterState(type=FlowRunFilterStateType(any_=[one for one in StateType if one not in TERMINAL_STATES]))
    wanted = FlowRunFilter(tags=FlowRunFilterTags(all_=[tag]), state=at_work)
    runs = await client.read_flow_runs(flow_run_filter=wanted, sort=FlowRunSort.EXPECTED_START_TIME_DESC, limit=1)
    return runs[0] if runs else None


@contextmanager
def _one_at_a_time(home: Home) -> Iterator[None]:
    """Two commands that are typed at once do not trigger twice. Short, so waited for."""
    with open(home.make(home.servers) / "triggering.lock", "ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
