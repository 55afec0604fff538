"""`trialflow cluster destroy`."""

import click

from trialflow.cli.cluster.on_aws import credentials_option, region_option, require_terminal, run_on_aws, signed_in
from trialflow.cli.terminal.messages import say
from trialflow.cli.terminal.output import output_option, show


@click.command()
@click.option("-n", "--cluster-name", metavar="NAME", required=True, help="The cluster on AWS.")
@region_option
@credentials_option
@click.option("--plan", "is_plan", is_flag=True, help="Only show what would be deleted.")
@click.option("--yes", is_flag=True, help="Do not ask for the name.")
@output_option
def destroy(cluster_name: str, region: str | None, credentials: str | None, is_plan: bool, yes: bool, output: str) -> int:
    """Delete a cluster on AWS that trialflow made, with all that runs on it, and prove that nothing is left.

    The same command again goes on where it stopped. Resources without the cluster's tag are never touched.
    """
    from tasks.aws.plan import lines
    from tasks.aws.preparing import prepare_destruction
    from tasks.kubernetes.cluster.saved import Clusters

    aws = signed_in(cluster_name, region, credentials)
    plan = prepare_destruction(aws, cluster_name)
    again = f"trialflow cluster destroy --cluster-name {cluster_name} --region {aws.region}" + (
        f" --credentials {credentials}" if credentials else ""
    )
    if is_plan or output != "table":
        show(plan.to_json(), output=output, names=[one.name for one in plan.changes], text="\n".join(lines(plan)))
    else:
        say("\n".join(lines(plan)))
    if not plan.changes:
        say(f"nothing in {aws.region} of account {aws.account} carries the tag of a cluster {cluster_name}")
    if is_plan:
        return 0
    if plan.changes and not yes:
        require_terminal(f"{again} --yes")
        if click.prompt(f"this deletes {len(plan.changes)} resources in {aws.region}; type the cluster's name", default="", err=True) != cluster_name:
            say("nothing was deleted")
            return 1
    from trialflow.api.session import flow_session

    with flow_session() as session:
        say(f"Prefect UI: {session.ui_url}" + ("  (to sign in, use the output of `trialflow token --prefect`)" if session.asks_token else ""))
        from trialflow.cli.running import quiet_prefect

        quiet_prefect(session.home)
        from flows.cluster_destroy import cluster_destroy

        result, interrupted = run_on_aws(lambda: cluster_destroy(cluster_name=cluster_name, region=aws.region), aws.keys, again)
    if interrupted or result is None:
        say(f"stopped; `{again}` goes on")
        return 130
    Clusters(session.home).delete(cluster_name)
    say(f"cluster {cluster_name} is gone: 0 resources in {aws.region} carry its tag")
    return 0
