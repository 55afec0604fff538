"""The call `optimize`, executed in trialflow's own process: what `trialflow optimize` does, with events for the process that asked."""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trialflow.api import running
from trialflow.api.inputs import experiment_spec, read_source, ready_run, run_spec
from trialflow.api.session import flow_session, service_session
from trialflow.errors import InvalidInput
from trialflow.events import Event, notices, watcher
from trialflow.home import Home

if TYPE_CHECKING:
    from trialflow.api.cluster_place import ClusterPlace
    from trialflow.specs import ExperimentSpec, RunSpec

Send = Callable[[Mapping[str, Any]], None]
RUNNER = Path(__file__).with_name("function_runner.py")
NOTHING_TO_RUN = "give `run=`: a command, a run.yml or a Python function"


def optimize(asked: Mapping[str, Any], send: Send) -> Mapping[str, Any]:
    """Work on an experiment until its budget is spent. Returns the flow's `summary` and how it was `resumed`; without a summary it was stopped.

    Raises what a command would end with: `ExperimentFailed`, if no training run completed.
    """
    directory = Path.cwd()
    spec = experiment_spec(asked["experiment"])
    run = ready(asked, spec, directory)
    for note in run.notes:
        send({"say": f"note: {note}"})
    place = _place(asked, run)
    source = read_source(asked.get("source"), directory)
    notices.set(lambda text: send({"say": text}))
    with flow_session() as session:
        send({"say": f"Prefect UI: {session.ui_url}" + ("  (sign in: `trialflow token --prefect`)" if session.asks_token else "")})
        running.quiet_prefect(session.home)
        from flows.optimize import Options
        from flows.optimize import optimize as flow

        ended: dict[str, Any] = {}

        def watch(event: Event) -> None:
            if event.kind == "ended":
                ended.update(event.facts)
            send({"event": {"kind": event.kind, "run": event.run, "text": event.text, "facts": dict(event.facts)}})
            if event.kind == "experiment" and (flow_run := event.facts.get("flow_run")):
                send({"say": f"watch: {session.ui_url}/runs/flow-run/{flow_run}"})

        watcher.set(watch)
        options = Options(**asked["options"], when_finished="report")
        cluster = place.prepared() if place else None
        running.run_flow(
            lambda: flow(
                experiment=spec, run=run, project=asked.get("project"), directory=str(directory), source=source, cluster=cluster, options=options
            ),
            on_interrupt=lambda: send({"say": "stopping the training runs in flight; they are launched again later"}),
            on_second_interrupt=lambda: os._exit(130),
        )
    if ended and not ended["summary"]["best"]:
        asyncio.run(_raise_no_best(ended["summary"]["experiment"]))
    return ended


def ready(asked: Mapping[str, Any], spec: "ExperimentSpec", directory: Path) -> "RunSpec":
    """How the model is run, checked: a command, or the runner of a function."""
    is_local = asked.get("cluster") is None
    function = asked.get("function")
    if function is None:
        if asked["run"].get("memory") is not None and is_local:
            hint = "as in `ulimit -v 4000000; python model.py`"
            raise InvalidInput("`memory` limits a Python function here; a command can limit itself", hint=hint)
        return ready_run(run_spec(asked["run"]), (), directory, needs_command=is_local, hint=NOTHING_TO_RUN)
    if not is_local:
        raise InvalidInput("a Python function runs on this machine only", hint="for a cluster give a command, and an image or a Dockerfile")
    run = run_spec(asked["run"])
    command = [function["python"], "-P", str(RUNNER), function["file"], *([str(limit)] if (limit := memory_limit(run)) else [])]
    names = [metric.name for metric in spec.metrics]
    one_metric = {"TRIALFLOW_FUNCTION_METRIC": names[0]} if len(names) == 1 else {}
    run = run.model_copy(update={"env": {**run.env, **one_metric}})
    return ready_run(run, command, directory, needs_command=True, hint=NOTHING_TO_RUN)


def memory_limit(run: "RunSpec") -> int | None:
    """The bytes of memory that a training run may use, if `resources` has a limit."""
    limit = run.resources.limits.get("memory") if run.resources else None
    if limit is None:
        return None
    from tasks.kubernetes.cluster.quantities import exact

    return int(exact(limit))


def _place(asked: Mapping[str, Any], run: "RunSpec") -> "ClusterPlace | None":
    if (name := asked.get("cluster")) is None:
        return None
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.api.cluster_place import place_on

    files = [name for name in (asked["experiment"], asked["run"].get("file") or "run.yml") if isinstance(name, str) and Path(name).exists()]
    cluster = Clusters(Home.from_environment()).load(name)
    return place_on(
        cluster, run, asked.get("dockerfile"), leave_out=files, build=asked.get("build", True), say=lambda text: print(text, file=sys.stderr)
    )


async def _raise_no_best(identifier: str) -> None:
    from trialflow.api.calls import no_best

    async with service_session() as (_, client):
        raise await no_best(client, await client.experiment(identifier))
