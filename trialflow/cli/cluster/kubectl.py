"""`trialflow cluster kubectl`."""

import copy
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import click

from trialflow.cli.cluster.options import cluster_option, the_cluster
from trialflow.errors import TrialflowError


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@cluster_option
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def kubectl(cluster_name: str | None, arguments: tuple[str, ...]) -> int:
    """Call kubectl with the cluster's kubeconfig, in its namespace, as in `trialflow cluster kubectl -- get pods`. Its exit code is ours."""
    cluster = the_cluster(cluster_name)
    program = shutil.which("kubectl")
    if program is None:
        raise TrialflowError("there is no kubectl in PATH", hint="https://kubernetes.io/docs/tasks/tools/ says how to get it")
    if not cluster.kubeconfig:
        return subprocess.run([program, "--namespace", cluster.namespace, *arguments], check=False).returncode
    document = copy.deepcopy(dict(cluster.kubeconfig))
    document["contexts"][0]["context"]["namespace"] = cluster.namespace
    with tempfile.TemporaryDirectory(prefix="trialflow-") as folder:
        path = Path(folder) / "kubeconfig"
        path.touch(mode=0o600)
        path.write_text(json.dumps(document))
        process = subprocess.Popen([program, *arguments], env={**os.environ, "KUBECONFIG": str(path)})
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:
                continue  # kubectl got it as well, and ends as it sees fit: the file must outlive it
