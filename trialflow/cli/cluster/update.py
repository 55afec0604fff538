"""`trialflow cluster update`."""

import click

from trialflow.cli.cluster.create import apply, file_option, plan_option, yes_option
from trialflow.cli.cluster.on_aws import credentials_option
from trialflow.cli.terminal.output import output_option


@click.command()
@file_option
@plan_option
@yes_option
@credentials_option
@output_option
def update(filename: str, is_plan: bool, yes: bool, credentials: str | None, output: str) -> int:
    """Change a cluster on AWS to what cluster.yml says.

    The version of Kubernetes goes up by one, sizes are changed in place, groups and policies added and removed. A group that is in use takes no
    new training runs, and goes with the same command once it is idle. What cannot be changed is refused before anything is.
    """
    return apply("update", filename, is_plan, yes, credentials, output)
