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

    Sizes of groups are changed in place, groups and policies added, groups without machines removed. What cannot be changed in place, such as
    the version of Kubernetes, is refused with the reason before anything is changed.
    """
    return apply("update", filename, is_plan, yes, credentials, output)
