"""`trialflow cluster create` and `trialflow cluster update`: a plan, a question, a flow, and a cluster that is connected."""

from collections.abc import Callable
from typing import Any, Literal

import click

from trialflow.cli.cluster.on_aws import credentials_option, given_keys, require_terminal, run_on_aws
from trialflow.cli.terminal.messages import next_commands, say, warn
from trialflow.cli.terminal.output import output_option, show
from trialflow.home import Home

file_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "-f", "--filename", metavar="FILE", default="cluster.yml", show_default=True, help="The file that describes the cluster."
)
plan_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option(
    "--plan", "is_plan", is_flag=True, help="Only show what would be done, and what the cluster costs then."
)
yes_option: Callable[[Callable[..., Any]], Callable[..., Any]] = click.option("--yes", is_flag=True, help="Do not ask.")


@click.command()
@file_option
@plan_option
@yes_option
@credentials_option
@output_option
def create(filename: str, is_plan: bool, yes: bool, credentials: str | None, output: str) -> int:
    """Make a cluster on AWS, and connect it. It costs money from the moment it runs.

    Shows first what is made and what it costs an hour. The same command again goes on where it stopped.
    """
    return apply("create", filename, is_plan, yes, credentials, output)


def apply(operation: Literal["create", "update"], filename: str, is_plan: bool, yes: bool, credentials: str | None, output: str) -> int:
    """Plan, ask, do, connect. Returns the exit code."""
    from datetime import UTC, datetime

    from tasks.aws import preparing
    from tasks.aws.plan import lines
    from tasks.aws.session import Aws
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.specs import load_cluster

    spec = load_cluster(filename)
    again = f"trialflow cluster {operation} -f {filename}" + (f" --credentials {credentials}" if credentials else "")
    Clusters(Home.from_environment()).check_new(spec.cluster_name)
    keys = preparing.keys_of(spec) or given_keys(credentials)
    aws = Aws(keys, region=spec.region)
    prepare = preparing.prepare_creation if operation == "create" else preparing.prepare_update
    _, plan = prepare(aws, spec, today=datetime.now(UTC).date())
    for warning in plan.warnings:
        warn(warning)
    say(f"cluster {plan.cluster} in {plan.region}, as {aws.principal}")
    if is_plan or output != "table":
        show(plan.to_json(), output=output, names=[one.name for one in plan.changes if one.action != "keep"], text="\n".join(lines(plan)))
    else:
        say("\n".join(lines(plan)))
    if is_plan:
        return 0
    if not yes:
        require_terminal(f"{again} --yes")
        if not click.confirm(_question(plan), default=False, err=True):
            return 1
    from trialflow.api.session import flow_session

    with flow_session() as session:
        say(f"Prefect UI: {session.ui_url}" + ("  (to sign in, use the output of `trialflow token --prefect`)" if session.asks_token else ""))
        from trialflow.cli.running import quiet_prefect

        quiet_prefect(session.home)
        from flows.cluster_create import cluster_create
        from flows.cluster_update import cluster_update

        flow = cluster_create if operation == "create" else cluster_update
        config = preparing.without_keys(spec).model_copy(update={"region": aws.region})
        result, interrupted = run_on_aws(lambda: flow(config=config), keys, again)
    if interrupted or result is None:
        say(f"stopped; `{again}` goes on")
        return 130
    from tasks.aws.setting_up import connection_facts

    clusters = Clusters(session.home)
    clusters.check_new(spec.cluster_name)
    clusters.save(connection_facts(aws, spec.cluster_name, namespace=spec.namespace, registry=spec.registry, api_url=spec.api_url))
    say(f"connected cluster {spec.cluster_name}; it is the current one")
    next_commands(["trialflow cluster test", "trialflow cluster optimize", f"trialflow cluster destroy --cluster-name {spec.cluster_name}"])
    return 0


def _question(plan: Any) -> str:
    words = {"create": "make", "change": "change", "delete": "delete"}
    counts = [f"{word} {len(found)}" for action, word in words.items() if (found := plan.of(action))]
    return f"{', '.join(counts) or 'change nothing'} of its resources?"
