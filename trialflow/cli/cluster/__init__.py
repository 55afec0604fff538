"""`trialflow cluster`: connect Kubernetes clusters, look after them, and work on them. No logic of its own."""

import click

from trialflow.cli.lazy import Commands, Table

COMMANDS: Table = {
    "create": ("trialflow.cli.cluster.create:create", "Make a cluster on AWS, connect it and test it."),
    "update": ("trialflow.cli.cluster.update:update", "Change a cluster on AWS to what cluster.yml says."),
    "destroy": ("trialflow.cli.cluster.destroy:destroy", "Delete a cluster on AWS that was made by `create`."),
    "share": ("trialflow.cli.cluster.share:share", "Let others use a cluster on AWS, or list who may."),
    "connect": ("trialflow.cli.cluster.connect:connect", "Connect a cluster, and set up what trialflow needs on it."),
    "test": ("trialflow.cli.cluster.test:test", "Find out whether a cluster is fit to work on, with the fix for what is not."),
    "run": ("trialflow.cli.cluster.launch:run", "Execute one training run on the cluster."),
    "test-run": ("trialflow.cli.cluster.launch:run", "Execute one training run and show what it prints."),
    "optimize": ("trialflow.cli.cluster.launch:optimize", "Work on the experiment of experiment.yml on the cluster."),
    "status": ("trialflow.cli.cluster.status:status", "Show what runs on the cluster, and what room there is."),
    "stop": ("trialflow.cli.cluster.stop:stop", "Stop experiments or training runs."),
    "stop-all": ("trialflow.cli.cluster.stop:stop_all", "Stop all experiments and training runs on the cluster."),
    "clean": ("trialflow.cli.cluster.clean:clean", "Delete what is left over on the cluster."),
    "list": ("trialflow.cli.cluster.connect:list_", "List the clusters that are connected."),
    "disconnect": ("trialflow.cli.cluster.connect:disconnect", "Forget a cluster. Nothing on it is touched."),
    "server": ("trialflow.cli.cluster.server:server", "Open the way to the server that `install-plugins --server` has put there."),
    "token": ("trialflow.cli.cluster.token:token", "Print a token for a cluster on AWS: kubectl calls this by itself."),
    "kubectl": ("trialflow.cli.cluster.kubectl:kubectl", "Call kubectl with the cluster's kubeconfig and namespace."),
    "install-plugins": ("trialflow.cli.cluster.plugins:install_plugins", "Set up again what trialflow needs on the cluster, or a server there."),
}


@click.group(cls=Commands, table=COMMANDS)
def cluster() -> None:
    """Make or connect Kubernetes clusters, and run and optimize models on them.

    Start with `trialflow cluster connect`, or `trialflow cluster create` for one on AWS, then `trialflow cluster test`.
    """
