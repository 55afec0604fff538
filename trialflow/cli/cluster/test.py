"""`trialflow cluster test`."""

import asyncio
from collections.abc import Awaitable
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from trialflow.cli.cluster.options import cluster_option, the_cluster
from trialflow.cli.doctor import Check
from trialflow.cli.terminal.output import output_option, show
from trialflow.errors import TrialflowError

if TYPE_CHECKING:
    from tasks.kubernetes.client.cluster import Cluster
    from tasks.kubernetes.client.connection import Connection

INSTALL = "`trialflow cluster install-plugins`"


@click.command()
@cluster_option
@output_option
def test(cluster_name: str | None, output: str) -> int:
    """Find out whether a cluster is fit to work on. Exit code 1 if something is wrong that training runs cannot do without."""
    found = asyncio.run(_examine(the_cluster(cluster_name)))
    rows = [[one.state, one.what, one.found + (f"; {one.fix}" if one.fix else "")] for one in found]
    names = [one.what for one in found if one.state != "ok"]
    show([asdict(one) for one in found], output=output, names=names, columns=["", "WHAT", "FOUND"], rows=rows)
    return 1 if any(one.state == "fail" for one in found) else 0


async def _examine(cluster: "Cluster") -> list[Check]:
    from tasks.kubernetes.client.connection import open_cluster

    registry = asyncio.ensure_future(_told("registry", _registry(cluster.registry)))
    try:
        async with open_cluster(cluster) as connection:
            first = await _told("API server", _server(connection))
            found = [first]
            if first.state == "ok":
                checks = [
                    _told("nodes", _nodes(connection), state="warn"),
                    _told("namespace", _namespace(connection)),
                    _told("rights", _rights(connection)),
                    _told("accounts", _account(connection)),
                ]
                found += await asyncio.gather(*checks)
    except TrialflowError as error:
        found = [Check("API server", "fail", error.message, error.hint)]
    return [*found, await registry]


async def _told(what: str, check: Awaitable[Check], *, state: str = "fail") -> Check:
    try:
        return await check
    except TrialflowError as error:
        return Check(what, "warn" if state == "warn" else "fail", error.message, error.hint)


async def _server(connection: "Connection") -> Check:
    from tasks.kubernetes.cluster.checks import api_server

    version, seconds = await api_server(connection)
    return Check("API server", "ok", f"Kubernetes {version} at {connection.server}, answers in {seconds * 1000:.0f} ms")


async def _nodes(connection: "Connection") -> Check:
    from tasks.kubernetes.cluster.checks import nodes

    found = await nodes(connection)
    text = f"{found.ready} of {found.total} ready" + (f", {found.gpus} GPUs" if found.gpus else "")
    if found.ready == 0:
        return Check("nodes", "warn", text, "training runs wait until there is one; that is as it should be if an autoscaler starts them")
    return Check("nodes", "ok" if found.ready == found.total else "warn", text, None if found.ready == found.total else "`kubectl get nodes`")


async def _namespace(connection: "Connection") -> Check:
    from tasks.kubernetes.cluster.checks import has_namespace

    if await has_namespace(connection):
        return Check("namespace", "ok", connection.namespace)
    return Check("namespace", "fail", f"{connection.namespace} does not exist", INSTALL)


async def _rights(connection: "Connection") -> Check:
    from tasks.kubernetes.cluster.access import RIGHTS, missing_rights

    missing = await missing_rights(connection)
    told = ", ".join(map(str, missing))
    if any(right.is_needed for right in missing):
        return Check("rights", "fail", f"missing: {told}", "`trialflow cluster connect` prints the Role to ask an administrator for")
    if missing:
        return Check("rights", "warn", f"missing: {told}", "training runs work; less can be told about what is pending or lost")
    return Check("rights", "ok", f"all {len(RIGHTS)}")


async def _account(connection: "Connection") -> Check:
    from tasks.kubernetes.cluster.installation import has_model_account

    if await has_model_account(connection):
        return Check("accounts", "ok", "training runs have a service account without rights")
    return Check("accounts", "fail", "the service account of training runs is not there", INSTALL)


async def _registry(registry: str | None) -> Check:
    from tasks.kubernetes.cluster.checks import registry_answers

    if registry is None:
        return Check("registry", "warn", "none", "`trialflow cluster connect ... --registry HOST:PORT/PATH`, unless your images are made elsewhere")
    return Check("registry", "ok", f"{await registry_answers(registry)} answers from here")
