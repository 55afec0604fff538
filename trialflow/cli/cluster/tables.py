"""How what is on a cluster is shown: rows and lines from facts. Pure."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from trialflow.api_types import Experiment, TrainingRun
from trialflow.results import facts
from trialflow.results.spending import dollars, price_of, spent_on
from trialflow.results.text import duration
from trialflow.specs.resources import GPU

if TYPE_CHECKING:
    from tasks.kubernetes.cluster.nodes import Node
    from tasks.kubernetes.jobs.workload import AttemptStatus
    from tasks.operations.workers import Worker

Json = Mapping[str, Any]
NODE_COLUMNS = ("NODE", "STATE", "GROUP", "CPU", "MEMORY", "GPU", "PODS")
NODE_LEGEND = "requested/allocatable (of it by training runs); memory in GiB"
EXPERIMENT_COLUMNS = ("ID", "NAME", "DONE/BUDGET", "RUNNING", "PENDING", "LOST", "FAILED", "STOPPED", "COST", "BEST", "STATUS")
ATTEMPT_COLUMNS = ("RUN", "NAME", "STATE", "ATTEMPT", "POD", "NODE", "AGE", "REASON")


def node_row(node: "Node") -> list[Any]:
    """NODE, STATE, GROUP, CPU, MEMORY, GPU, PODS."""
    state = ("ready" if node.ready else "not ready") + (", cordoned" if node.cordoned else "")
    return [node.name, state, node.group, *(_amounts(node, resource) for resource in ("cpu", "memory", GPU, "pods"))]


def _amounts(node: "Node", resource: str) -> str | None:
    from tasks.kubernetes.cluster.quantities import figure

    has = node.allocatable.get(resource)
    if not has:
        return None
    ours = node.ours.get(resource)
    asked = node.requested.get(resource, has * 0)
    return f"{figure(resource, asked)}/{figure(resource, has)}" + (f" ({figure(resource, ours)})" if ours else "")


def node_fact(node: "Node") -> dict[str, Any]:
    """A node for programs; amounts are CPUs, bytes or pieces."""
    amounts = {kind: {name: float(amount) for name, amount in sorted(getattr(node, kind).items())} for kind in ("allocatable", "requested", "ours")}
    return {"name": node.name, "ready": node.ready, "cordoned": node.cordoned, "group": node.group, **amounts, "taints": list(node.taints)}


def price_line(nodes: "Sequence[Node]", prices: Mapping[str, float]) -> str | None:
    """What the nodes that are there cost an hour; None if the cluster has no prices."""
    if not prices or not nodes:
        return None
    known = [price for node in nodes if (price := price_of(node.labels, prices)) is not None]
    if not known:
        return "what these nodes cost is not known"
    unknown = len(nodes) - len(known)
    return f"these nodes cost ${sum(known):.2f} an hour" + (f", and {unknown} of unknown price" if unknown else "")


def experiment_row(
    experiment: Experiment, *, runs: Sequence[TrainingRun], best: Sequence[TrainingRun], attempts: "Sequence[AttemptStatus]", worker: "Worker | None"
) -> list[Any]:
    """One row of `EXPERIMENT_COLUMNS`: RUNNING and PENDING are what the cluster says, the rest what the service does."""
    row = facts.experiment_row(experiment, runs=runs, best=best, owner=str(worker) if worker else None)
    phases = [one.phase for one in attempts]
    cost = dollars(spent_on(runs))
    return [*row[:3], phases.count("Running"), phases.count("Pending"), *row[4:7], cost, *row[7:]]


def stranger_row(work: str, attempts: "Sequence[AttemptStatus]") -> list[Any]:
    """The row of an experiment that this service does not know."""
    phases = [one.phase for one in attempts]
    return [None, work, None, phases.count("Running"), phases.count("Pending"), None, None, None, None, None, "not of this service"]


def attempt_row(attempt: "AttemptStatus", run: TrainingRun | None, *, now: float) -> list[Any]:
    """One row of `ATTEMPT_COLUMNS`. `run` is the training run as the service has it, None if it does not know it."""
    age = duration(now - attempt.since) if attempt.since is not None else None
    identifier = int(run["id"]) if run is not None else None
    name = attempt.training_run_name or attempt.job
    state = facts.state_of(run) if run is not None else "not of this service"
    return [identifier, name, state, attempt.number, attempt.phase, attempt.node, age, attempt.reason]


def absent_row(run: TrainingRun) -> list[Any]:
    """The row of an active training run that has nothing on the cluster."""
    fact = facts.run_fact(run)
    return [int(fact["id"]), fact["name"], fact["state"], fact["attempt"], None, None, None, fact["reason"]]


def attempt_fact(attempt: "AttemptStatus", run: TrainingRun | None) -> dict[str, Any]:
    """An attempt for programs."""
    return {
        "training_run": attempt.training_run,
        "name": attempt.training_run_name or attempt.job,
        "experiment": attempt.experiment,
        "state": run["state"] if run is not None else None,
        "attempt": attempt.number,
        "job": attempt.job,
        "pod": attempt.pod,
        "phase": attempt.phase,
        "node": attempt.node,
        "since": attempt.since,
        "reason": attempt.reason,
        "work": attempt.work,
    }
