"""`trialflow schedule`: run an experiment again and again, by Prefect's schedules. No logic of its own."""

import click

from trialflow.cli.lazy import Commands, Table

COMMANDS: Table = {
    "add": ("trialflow.cli.schedule.add:add", "Schedule the experiment in experiment.yml, or change its schedule."),
    "list": ("trialflow.cli.schedule.show:list_", "List the schedules, with when each runs next and what became of the last run."),
    "show": ("trialflow.cli.schedule.show:show", "Show a schedule, its next runs and its last ones."),
    "pause": ("trialflow.cli.schedule.change:pause", "Have a schedule fire no more until it is resumed."),
    "resume": ("trialflow.cli.schedule.change:resume", "Have a paused schedule fire again."),
    "run": ("trialflow.cli.schedule.change:run", "Run a scheduled experiment now, beside its schedule."),
    "remove": ("trialflow.cli.schedule.change:remove", "Forget a schedule."),
}


@click.group(cls=Commands, table=COMMANDS)
def schedule() -> None:
    """Run an experiment again and again, with one flow run at a time.

    A schedule fires while a worker is there for it: that of `trialflow up` on this machine, that of a server in the cluster, or one of a work pool of
    your own.
    """
