"""`trialflow cluster kubectl`."""

import copy
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from trialflow.cli.cluster.options import the_cluster
from trialflow.errors import InvalidInput, TrialflowError


class Raw(click.Command):
    """A command that gets its arguments as they were typed."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take all arguments, options among them, for the command."""
        ctx.params["arguments"] = tuple(args)
        return []


@click.command(cls=Raw, add_help_option=False)
def kubectl(arguments: tuple[str, ...]) -> int:
    """Call kubectl with the cluster's kubeconfig, in its namespace, as in `trialflow cluster kubectl get pods`. Its exit code is ours.

    Everything goes to kubectl, `--help` and `-n NAMESPACE` as well. Only `--cluster-name NAME` in the first place is ours, and names the cluster.
    """
    cluster_name, given = split_arguments(arguments)
    program = shutil.which("kubectl")
    if given and given[0] in ("-h", "--help") and program:
        return subprocess.run([program, *given], check=False).returncode
    cluster = the_cluster(cluster_name)
    if program is None:
        raise TrialflowError("there is no kubectl in PATH", hint="https://kubernetes.io/docs/tasks/tools/ says how to get it")
    if not cluster.kubeconfig:
        return subprocess.run([program, "--namespace", cluster.namespace, *given], check=False).returncode
    document = copy.deepcopy(dict(cluster.kubeconfig))
    document["contexts"][0]["context"]["namespace"] = cluster.namespace
    with tempfile.TemporaryDirectory(prefix="trialflow-") as folder:
        path = Path(folder) / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(document))
        process = subprocess.Popen([program, *given], env={**os.environ, "KUBECONFIG": str(path)})
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # kubectl got it as well, and ends as it sees fit: the file must outlive it


def split_arguments(arguments: tuple[str, ...]) -> tuple[str | None, tuple[str, ...]]:
    """The cluster's name, if the first argument gives one, and what is kubectl's. Raises `InvalidInput` for a name that is missing."""
    name, rest = None, arguments
    if rest and rest[0] == "--cluster-name":
        if len(rest) < 2:
            raise InvalidInput("`--cluster-name` needs the name of a cluster", hint="`trialflow cluster list` shows those that are connected")
        name, rest = rest[1], rest[2:]
    elif rest and rest[0].startswith("--cluster-name="):
        name, rest = rest[0].partition("=")[2], rest[1:]
    return name, rest[1:] if rest and rest[0] == "--" else rest
