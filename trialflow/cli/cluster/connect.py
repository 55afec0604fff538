"""`trialflow cluster connect`."""

import asyncio
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from trialflow.cli.terminal.messages import next_commands, say, warn
from trialflow.errors import InvalidInput
from trialflow.home import Home

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster


@click.command()
@click.option("-n", "--cluster-name", metavar="NAME", help="The name it gets here.")
@click.option("--provider", type=click.Choice(["custom", "aws"]), help="Where it is; custom is any cluster with a kubeconfig.")
@click.option("--kubeconfig", metavar="FILE", help="Its kubeconfig; by default KUBECONFIG, else ~/.kube/config.")
@click.option("--region", metavar="NAME", help="The AWS region of a cluster of provider aws; by default that of the credentials.")
@click.option("--context", metavar="NAME", help="The context of the kubeconfig; by default its current one.")
@click.option("--registry", metavar="HOST:PORT/PATH", help="Where images for it go.")
@click.option("--namespace", metavar="NAME", help="The namespace of training runs; by default orchestrate, in a pod its own.")
@click.option("--api-url", metavar="URL", help="A service that pods can reach; without one they need none.")
@click.option("-f", "--filename", metavar="FILE", help="A cluster.yml with all this; options come before what it says.")
@click.option("--no-install", is_flag=True, help="Make nothing on the cluster.")
def connect(filename: str | None, no_install: bool, **options: str | None) -> None:
    """Get to know a cluster and make it the current one. Once more is the same as once.

    Makes a namespace, two service accounts and the rights of one of them, unless told not to; says what it may not make.
    """
    wanted = _wanted(filename, options)
    if not wanted["cluster_name"]:
        raise InvalidInput("the cluster needs a name", hint="give it with `--cluster-name`, or a cluster.yml with `-f`")
    cluster = _described_by_aws(wanted, filename) if wanted["provider"] == "aws" else _described(wanted)
    asyncio.run(_set_up(cluster, install_too=not no_install))
    _keep(cluster)
    say(f"connected cluster {cluster.name}; it is the current one")
    next_commands(["trialflow cluster test", "trialflow cluster optimize"])


def _wanted(filename: str | None, options: dict[str, str | None]) -> dict[str, Any]:
    wanted: dict[str, Any] = dict(options)
    if filename is None:
        return wanted | {"provider": wanted["provider"] or "custom"}
    from trialflow.specs import load_cluster

    spec = load_cluster(filename)
    if spec.provider == "local":
        raise InvalidInput("the provider of this file is local: this machine needs no connection", hint="`trialflow optimize` works on it")
    found = {name: wanted[name] or getattr(spec, name) for name in wanted}
    if not options["kubeconfig"] and spec.kubeconfig:
        found["kubeconfig"] = str(Path(filename).absolute().parent / Path(spec.kubeconfig).expanduser())
    return found


def _described(wanted: dict[str, Any]) -> "Cluster":
    from tasks.kubernetes.client.cluster import DEFAULT_NAMESPACE, Cluster
    from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig, own_namespace

    document, context = load_kubeconfig(wanted["kubeconfig"], wanted["context"], environ=os.environ)
    return Cluster(
        name=wanted["cluster_name"],
        provider="custom",
        namespace=wanted["namespace"] or (None if document else own_namespace()) or DEFAULT_NAMESPACE,
        kubeconfig=document,
        context=context,
        registry=wanted["registry"].rstrip("/") if wanted["registry"] else None,
        api_url=wanted["api_url"],
    )


def _described_by_aws(wanted: dict[str, Any], filename: str | None) -> "Cluster":
    """A cluster of EKS, whoever made it. That it lets us in is asked here, where it is known who we are to AWS."""
    from tasks.aws.preparing import keys_of
    from tasks.aws.session import Aws
    from tasks.aws.setting_up import check, connection_facts
    from trialflow.specs import load_cluster

    if unwanted := [f"--{name}" for name in ("kubeconfig", "context") if wanted[name]]:
        raise InvalidInput(f"{' and '.join(unwanted)} cannot be used with provider aws: EKS tells where the cluster is", hint="leave it out")
    aws = Aws(keys_of(load_cluster(filename)) if filename else None, region=wanted["region"])
    cluster = connection_facts(aws, wanted["cluster_name"], namespace=wanted["namespace"], registry=wanted["registry"], api_url=wanted["api_url"])
    asyncio.run(check(cluster, aws.principal))
    return cluster


async def _set_up(cluster: "Cluster", *, install_too: bool) -> None:
    from tasks.kubernetes.client.connection import open_cluster
    from tasks.kubernetes.cluster.access import missing_rights
    from tasks.kubernetes.cluster.checks import api_server
    from tasks.kubernetes.cluster.installation import install, refuse_without

    async with open_cluster(cluster) as connection:
        version, _ = await api_server(connection)
        say(f"Kubernetes {version} answers at {connection.server}")
        installed = await install(connection) if install_too else []
        for one in installed:
            (say if one.outcome != "not allowed" else warn)(str(one))
        missing = await missing_rights(connection)
        refuse_without(missing, installed, cluster.namespace)
        if missing:
            warn(f"without the right to {', '.join(map(str, missing))} less can be told about what is pending or lost")


def _keep(cluster: "Cluster") -> None:
    """Keep it in Prefect first: if that fails nothing is kept. The file is written in one step."""
    from tasks.kubernetes.cluster.saved import Clusters, save_block
    from trialflow.cli.session import flow_session

    clusters = Clusters(Home.from_environment())
    clusters.check_new(cluster.name)
    with flow_session():
        asyncio.run(save_block(cluster))
        clusters.save(cluster)
