"""`trialflow cluster share`."""

import click

from trialflow.cli.cluster.on_aws import credentials_option, region_option, signed_in
from trialflow.cli.terminal.messages import next_commands, say
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import InvalidInput


@click.command()
@click.option("-n", "--cluster-name", metavar="NAME", required=True, help="The cluster on AWS.")
@click.option("--principal", metavar="ARN", help="The IAM user or role; without one those with access are listed.")
@click.option("--policy", type=click.Choice(["admin", "edit", "view"]), default="admin", show_default=True, help="What they may do.")
@click.option("--remove", is_flag=True, help="Take the access away.")
@region_option
@credentials_option
@output_option
def share(cluster_name: str, principal: str | None, policy: str, remove: bool, region: str | None, credentials: str | None, output: str) -> None:
    """Let another user or role of AWS use a cluster that trialflow made, or list who may."""
    from tasks.aws.access_entries import check_principal, ensure_access, read_access, remove_access
    from tasks.aws.control_plane import read_cluster, require_ours
    from tasks.aws.errors import AwsMissing
    from tasks.aws.waiting import Waiter

    if principal:
        check_principal(principal)
    elif remove:
        raise InvalidInput("whose access is to be removed?", hint="name it with `--principal`")
    aws = signed_in(cluster_name, region, credentials)
    found = read_cluster(aws, cluster_name)
    if found is None:
        raise AwsMissing(f"there is no cluster {cluster_name} in {aws.region} of account {aws.account}", hint="check the name and `--region`")
    if principal:
        require_ours(found, "share")
        if remove and principal == aws.principal:
            raise InvalidInput("this is your own access: nobody could give it back to you", hint="have another administrator remove it")
        if remove:
            had = remove_access(aws, cluster_name, principal)
            say(f"{principal} " + ("has no access any more" if had else "had no access"))
        else:
            ensure_access(aws, cluster_name, principal, Waiter(tell=say), policy=policy)
            say(f"{principal} may use cluster {cluster_name}; after some seconds they run:")
            next_commands([f"trialflow cluster connect --cluster-name {cluster_name} --provider aws --region {aws.region}"])
        return
    entries = read_access(aws, cluster_name)
    rows = [[one.principal, ", ".join(one.policies)] for one in entries]
    data = [{"principal": one.principal, "policies": list(one.policies)} for one in entries]
    show(data, output=output, names=[one.principal for one in entries], columns=["PRINCIPAL", "POLICIES"], rows=rows)
