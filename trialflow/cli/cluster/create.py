"""`trialflow cluster create`."""

import click

from trialflow.cli.cluster.on_aws import credentials_option, given_keys, require_terminal, run_on_aws
from trialflow.cli.terminal.messages import next_commands, say, warn
from trialflow.cli.terminal.output import output_option, show
from trialflow.home import Home


@click.command()
@click.option("-f", "--filename", metavar="FILE", default="cluster.yml", show_default=True, help="The file that describes the cluster.")
@click.option("--plan", "is_plan", is_flag=True, help="Only show what would be made, and what it costs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@credentials_option
@output_option
def create(filename: str, is_plan: bool, yes: bool, credentials: str | None, output: str) -> int:
    """Make a cluster on AWS, connect it and test it. Costs money from the moment it runs.

    Shows first what is made and what it costs an hour. The same command again goes on where it stopped.
    """
    from datetime import UTC, datetime

    from tasks.aws.plan import lines
    from tasks.aws.preparing import keys_of, prepare_creation, without_keys
    from tasks.aws.session import Aws
    from tasks.kubernetes.cluster.saved import Clusters
    from trialflow.specs import load_cluster

    spec = load_cluster(filename)
    again = f"trialflow cluster create -f {filename}" + (f" --credentials {credentials}" if credentials else "")
    Clusters(Home.from_environment()).check_new(spec.cluster_name)
    keys = keys_of(spec) or given_keys(credentials)
    aws = Aws(keys, region=spec.region)
    _, plan = prepare_creation(aws, spec, today=datetime.now(UTC).date())
    for warning in plan.warnings:
        warn(warning)
    say(f"cluster {plan.cluster} in {plan.region}, as {aws.principal}")
    if is_plan or output != "table":
        show(plan.to_json(), output=output, names=[one.name for one in plan.of("create")], text="\n".join(lines(plan)))
    else:
        say("\n".join(lines(plan)))
    if is_plan:
        return 0
    if not yes:
        require_terminal(f"{again} --yes")
        if not click.confirm(f"make {len(plan.of('create'))} resources?", default=False, err=True):
            return 1
    from trialflow.cli.session import flow_session

    with flow_session() as session:
        say(f"Prefect UI: {session.ui_url}" + ("  (sign in with what `trialflow token --prefect` prints)" if session.asks_token else ""))
        from trialflow.cli.running import import_rooms, quiet_prefect

        import_rooms()
        quiet_prefect(session.home)
        from flows.cluster_create import cluster_create

        config = without_keys(spec).model_copy(update={"region": aws.region})
        result, interrupted = run_on_aws(lambda: cluster_create(config=config), keys, again)
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
