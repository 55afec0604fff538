"""`trialflow cluster status`."""

import asyncio
import time
from collections import defaultdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import click

from trialflow.api.session import service_session
from trialflow.cli.cluster import tables
from trialflow.cli.cluster.options import cluster_option, cluster_session, tell_failure, the_cluster, width
from trialflow.cli.options import project_here, project_option
from trialflow.cli.reaching import here_option, server_if_any
from trialflow.cli.terminal.messages import warn
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import TrialflowError
from trialflow.results.spending import price_of
from trialflow.results.text import table

if TYPE_CHECKING:
    from tasks.aws.health import Health
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.cluster.nodes import NodeReport
    from tasks.kubernetes.jobs.workload import AttemptStatus


@click.command()
@click.argument("identifiers", metavar="[ID]...", nargs=-1)
@cluster_option
@here_option
@project_option
@output_option
def status(identifiers: tuple[str, ...], cluster_name: str | None, here: bool, project: str | None, output: str) -> int:
    """Show what runs on the cluster, and what room there is.

    ID is an experiment (12, experiment/12) or a training run (run/34, suggestion/34, or its name): that is shown then, with every reason to wait.
    """
    cluster = the_cluster(cluster_name)
    with server_if_any(cluster, here=here):
        return asyncio.run(_some(cluster, identifiers, project_here(project), output) if identifiers else _all(cluster, output))


async def _all(cluster: "Cluster", output: str) -> int:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.cluster.nodes import read_nodes
    from tasks.kubernetes.jobs.workload import read_workload

    asked = asyncio.ensure_future(asyncio.to_thread(_health, cluster))
    async with open_cluster(cluster) as connection:
        seen = await read_nodes(connection)
        attempts = await read_workload(connection, silent=[node.name for node in seen.nodes if not node.ready])
    health = await asked
    works: dict[str, list[AttemptStatus]] = defaultdict(list)
    lone = []
    for one in attempts:
        works[one.work].append(one) if one.experiment and one.work else lone.append(one)
    experiments, rows, states = await _experiments(works, lone) if attempts else ([], [], {})
    names = [f"experiment/{one['id']}" for one in experiments if one["id"]]
    data = {
        "cluster": {"name": cluster.name, "provider": cluster.provider, "server": cluster.server, "namespace": cluster.namespace},
        "nodes": [{**tables.node_fact(node), "price": price_of(node.labels, cluster.prices)} for node in seen.nodes] if seen.known else None,
        "note": seen.note,
        "aws": health.to_json() if health else None,
        "experiments": experiments,
        "training_runs": [tables.attempt_fact(one, states.get(one.training_run_name or "")) for one in attempts],
    }
    names += [f"run/{one.training_run}" for one in lone if one.training_run_name in states]
    show(data, output=output, names=names, text=_text(cluster, seen, health, rows, lone, states))
    return 0


async def _experiments(
    works: "dict[str, list[AttemptStatus]]", lone: "list[AttemptStatus]"
) -> tuple[list[dict[str, Any]], list[list[Any]], dict[str, Any]]:
    """The experiments on the cluster for programs and as rows, and the training runs by name. Without the service only what the cluster says."""
    from tasks.operations.targets import KnownWork, known_work

    data, rows, known = [], [], KnownWork()
    everything = [one for some in works.values() for one in some] + lone
    try:
        async with service_session() as (home, client):
            from tasks.operations.workers import who_works

            known = await known_work(client, everything)
            for work, experiment in sorted(known.experiments.items(), key=lambda one: -int(one[1]["id"])):
                runs = [run for run in known.runs.values() if str(run.get("experiment")) == str(experiment["id"])]
                best = await client.best_runs(experiment["id"])
                worker = await who_works(home, client, experiment)
                rows.append(tables.experiment_row(experiment, runs=runs, best=best, attempts=works[work], worker=worker))
                fields = dict(zip((name.lower() for name in tables.EXPERIMENT_COLUMNS), rows[-1], strict=True))
                data.append({**fields, "id": str(experiment["id"]), "project": experiment["project"], "work": work})
    except TrialflowError as problem:
        warn(f"what the service knows of it is not shown: {problem.message}")
    for work, attempts in works.items():
        if work not in known.experiments:
            rows.append(tables.stranger_row(work, attempts))
            data.append(dict(zip((name.lower() for name in tables.EXPERIMENT_COLUMNS), rows[-1], strict=True)) | {"project": None, "work": work})
    return data, rows, known.runs


def _health(cluster: "Cluster") -> "Health | None":
    """What AWS says of its cluster; None for other clusters, and, with a warning, if it cannot be asked."""
    if cluster.provider != "aws":
        return None
    from tasks.aws.health import read_health
    from trialflow.cli.cluster.on_aws import signed_in

    try:
        return read_health(signed_in(cluster.name, None, None), cluster.name, now=datetime.now(UTC))
    except TrialflowError as problem:
        warn(f"what AWS knows of it is not shown: {problem.message}")
        return None


def _text(
    cluster: "Cluster",
    seen: "NodeReport",
    health: "Health | None",
    experiments: list[list[Any]],
    lone: "list[AttemptStatus]",
    states: dict[str, Any],
) -> str:
    place = f"cluster {cluster.name} at {cluster.server or 'this pod'}, namespace {cluster.namespace}"
    parts = ["\n".join([place, *(health.lines(datetime.now(UTC).date()) if health else [])])]
    if seen.nodes:
        nodes = table(tables.NODE_COLUMNS, [tables.node_row(node) for node in seen.nodes], width=None)
        price = tables.price_line(seen.nodes, cluster.prices)
        parts.append(f"{nodes}\n{tables.NODE_LEGEND}" + (f"\n{price}" if price else ""))
    if seen.note:
        parts.append(seen.note)
    if experiments:
        parts.append(table(tables.EXPERIMENT_COLUMNS, experiments, width=width()))
    if lone:
        now = time.time()
        rows = [tables.attempt_row(one, states.get(one.training_run_name or ""), now=now) for one in lone]
        parts.append(("training runs of no experiment\n" if experiments else "") + table(tables.ATTEMPT_COLUMNS, rows, width=width()))
    if not experiments and not lone:
        parts.append("nothing of trialflow's runs here")
    return "\n\n".join(parts)


async def _some(cluster: "Cluster", identifiers: tuple[str, ...], project: str, output: str) -> int:
    from tasks.kubernetes.cluster.nodes import read_nodes
    from tasks.kubernetes.jobs.workload import read_workload
    from tasks.operations.results import Failure
    from tasks.operations.targets import find_target
    from trialflow.cli.cluster.details import experiment_details, run_details

    data, names, texts, code = [], [], [], 0
    async with cluster_session(cluster) as session:
        home, client, connection = session.home, session.client, session.connection
        seen = await read_nodes(connection)
        attempts = await read_workload(connection, silent=[node.name for node in seen.nodes if not node.ready])
        for text in dict.fromkeys(identifiers):
            try:
                target = await find_target(client, text, project, attempts)
                if target.experiment is not None:
                    facts, lines, found = await experiment_details(home, client, target, width())
                else:
                    facts, lines, found = await run_details(client, connection, target, width())
            except TrialflowError as problem:
                code = max(code, tell_failure(Failure.of(problem)))
                continue
            data.append(facts)
            texts.append(lines)
            names += found
    if data:
        show(data, output=output, names=names, text="\n\n".join(texts))
    return code
