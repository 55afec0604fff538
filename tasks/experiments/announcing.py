"""What happens in a flow as events of Prefect's: for automations, and for whoever follows the flow run from elsewhere.

| event | of | payload |
|---|---|---|
| `trialflow.experiment.started` | the experiment | the experiment, how it was found, its best so far |
| `trialflow.experiment.improved` | the experiment | the training run that is the best now, and its values |
| `trialflow.experiment.waiting` | the experiment | what is away |
| `trialflow.experiment.finished` | the experiment | the summary |
| `trialflow.schedule.verdict` | the experiment | whether its best is better than the last best, with both and where the winner's run file is |
| `trialflow.training-run.launched` | the training run | its assignments, its experiment |
| `trialflow.training-run.completed`, `.failed`, `.lost`, `.pending` | the training run | the same, and its values or the reason |
| `trialflow.flow-run.failed` | the flow run | the error as it is said to people, and the exit code of a command that follows |
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from trialflow.api_types import TrainingRun
from trialflow.errors import TrialflowError
from trialflow.events import Event, watcher
from trialflow.metrics import values_of
from trialflow.results.best import is_better
from trialflow.results.ranking import optimized

NAMES = {
    "experiment": "trialflow.experiment.started",
    "waiting": "trialflow.experiment.waiting",
    "warning": "trialflow.experiment.warning",
    "ended": "trialflow.experiment.finished",
    "verdict": "trialflow.schedule.verdict",
    **{kind: f"trialflow.training-run.{kind}" for kind in ("launched", "completed", "failed", "lost", "pending")},
}
KINDS = {name: kind for kind, name in NAMES.items()}
IMPROVED = "trialflow.experiment.improved"
FAILED = "trialflow.flow-run.failed"
RUN_FIELDS = ("id", "name", "assignments", "experiment")
EXPERIMENT_FIELDS = ("id", "name", "project", "budget", "parallel_bandwidth", "progress", "metrics", "metadata")
Emit = Callable[[str, Mapping[str, str], Mapping[str, Any]], None]


def payload_of(event: Event) -> dict[str, Any]:
    """What of an event goes over the wire: JSON, and no more than is shown."""
    payload: dict[str, Any] = {}
    if event.text is not None:
        payload["text"] = event.text
    if event.run is not None:
        payload["run"] = {name: event.run[name] for name in RUN_FIELDS if event.run.get(name) is not None}
    facts = dict(event.facts)
    if experiment := facts.get("experiment"):
        facts["experiment"] = {name: experiment[name] for name in EXPERIMENT_FIELDS if name in experiment}
    if "best" in facts:
        facts["best"] = [_measured(one) for one in facts["best"][:1]]
    return {**payload, **({"facts": facts} if facts else {})}


def event_of(name: str, payload: Mapping[str, Any]) -> Event | None:
    """The event that was sent under this name; None for one of another kind. What came over the wire may be anything."""
    kind = KINDS.get(name)
    facts = payload.get("facts") or {}
    run = payload.get("run")
    if kind is None or not isinstance(facts, dict) or not (run is None or isinstance(run, dict) and "id" in run):
        return None
    if (kind == "experiment" and "experiment" not in facts) or (kind == "ended" and "summary" not in facts):
        return None
    return Event(kind, run, payload.get("text"), facts)  # type: ignore[arg-type]


class Announcer:
    """Sends events on with `emit`, which gets a name, a resource and a payload, and tells when an experiment has a new best."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._experiment: Mapping[str, Any] | None = None
        self._best: Mapping[str, float] | None = None

    def __call__(self, event: Event) -> None:
        """Send one event on."""
        if event.kind == "experiment":
            self._experiment = event.facts["experiment"]
            best = event.facts.get("best") or []
            self._best = values_of(best[0]) if best else None
        if event.kind == "ended" and self._experiment is None:  # finished before this flow run began
            summary = event.facts["summary"]
            self._experiment = {"id": summary["experiment"], "name": summary["name"]}
        payload = payload_of(event)
        if self._experiment is not None:
            payload = {"experiment": {"id": str(self._experiment["id"]), "name": self._experiment["name"]}, **payload}
        if event.run is not None:
            resource = {"prefect.resource.id": f"trialflow.training-run.{event.run['id']}", "prefect.resource.name": str(event.run["name"])}
        elif self._experiment is not None:
            resource = self._experiment_resource()
        else:
            return
        self._emit(NAMES[event.kind], resource, payload)
        if event.kind == "completed":
            self._compare(event, payload)

    def _compare(self, event: Event, payload: Mapping[str, Any]) -> None:
        values = values_of(event.facts)
        metrics = (self._experiment or {}).get("metrics") or []
        if len(optimized(metrics)) == 1 and is_better(metrics, values, self._best):
            self._best = values
            self._emit(IMPROVED, self._experiment_resource(), {**payload, "values": values})

    def _experiment_resource(self) -> dict[str, str]:
        assert self._experiment is not None
        return {"prefect.resource.id": f"trialflow.experiment.{self._experiment['id']}", "prefect.resource.name": self._experiment["name"]}


@contextmanager
def announced(flow_run_id: str | None, emit: Emit | None = None) -> Iterator[None]:
    """Announce what the flow tells of, and the error that it ends with. Outside of a flow run nothing is announced."""
    if flow_run_id is None:
        yield
        return
    send = emit or _emitter(flow_run_id)
    announcer, before = Announcer(send), watcher.get()

    def both(event: Event) -> None:
        announcer(event)
        if before is not None:
            before(event)

    token = watcher.set(both)
    try:
        yield
    except TrialflowError as error:
        resource = {"prefect.resource.id": f"prefect.flow-run.{flow_run_id}"}
        send(FAILED, resource, {"message": error.message, "hint": error.hint, "exit_code": error.exit_code})
        raise
    finally:
        watcher.reset(token)


def _emitter(flow_run_id: str) -> Emit:
    """Sends events through Prefect's client, which does it beside the flow: none waits for the server, and none fails without it."""
    from prefect.events import emit_event

    related = [{"prefect.resource.id": f"prefect.flow-run.{flow_run_id}", "prefect.resource.role": "flow-run"}]

    def emit(name: str, resource: Mapping[str, str], payload: Mapping[str, Any]) -> None:
        is_own = resource["prefect.resource.id"] == related[0]["prefect.resource.id"]
        emit_event(event=name, resource=dict(resource), related=[] if is_own else list(related), payload=dict(payload))

    return emit


def _measured(run: TrainingRun) -> dict[str, Any]:
    return {name: run[name] for name in (*RUN_FIELDS, "values") if run.get(name) is not None}
