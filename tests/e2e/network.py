"""Between pods and this machine: the address that pods reach it at, and a rule that lets nothing out of them."""

import asyncio
import ipaddress
import json
import os
import secrets
import shutil
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest
import yaml

from tests.background_loop import BackgroundLoop
from tests.e2e.clusters import Tenant


def address_for_pods(kubeconfig: str) -> str:
    """The address of this machine that the cluster's nodes see, and their pods with them."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.connect((node_addresses(kubeconfig)[0], 9))  # sends nothing: only the way is looked up
        return str(asking.getsockname()[0])


def node_addresses(kubeconfig: str) -> list[str]:
    """The addresses of the nodes."""
    command = ["kubectl", "--kubeconfig", kubeconfig, "get", "nodes", "-o", "json"]
    nodes = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout)["items"]
    return [one["address"] for node in nodes for one in node["status"]["addresses"] if one["type"] == "InternalIP"]


@contextmanager
def forwarded(tenant: Tenant) -> Iterator[tuple[str, int]]:
    """An address of the API server that pods can reach: this machine passes on what comes to it, as many API servers listen on loopback alone."""
    with open(tenant.kubeconfig) as file:
        server = urlsplit(yaml.safe_load(file)["clusters"][0]["cluster"]["server"])

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        away_reader, away_writer = await asyncio.open_connection(server.hostname, server.port or 443)
        await asyncio.gather(_copy(reader, away_writer), _copy(away_reader, writer), return_exceptions=True)

    address = address_for_pods(tenant.kubeconfig)
    with BackgroundLoop().running() as background:
        listening = background.do(asyncio.start_server(pass_on, address, 0))
        try:
            yield address, listening.sockets[0].getsockname()[1]
        finally:
            background.loop.call_soon_threadsafe(listening.close)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(1 << 16):
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


@contextmanager
def denied_egress(tenant: Tenant, pods: Iterable[str]) -> Iterator[None]:
    """Nothing that pods send leaves them, as long as this is open. `pods` are addresses of some. Nodes go on speaking with the API server.

    Skips where that cannot be done: without the right to make rules, and where pods speak under the addresses of their nodes.
    """
    if os.geteuid() != 0 or shutil.which("iptables") is None:
        pytest.skip("only root with iptables can keep pods from sending")
    nodes = node_addresses(tenant.kubeconfig)
    if set(pods) & set(nodes):
        pytest.skip("pods speak under the addresses of their nodes here: a rule on this machine would cut the nodes off")
    networks = {str(ipaddress.ip_network(f"{pod}/16", strict=False)) for pod in pods}
    chain = f"TRIALFLOW-{secrets.token_hex(4)}"
    subprocess.run(["iptables", "-w", "-N", chain], check=True)
    try:
        for node in nodes:
            subprocess.run(["iptables", "-w", "-A", chain, "-s", node, "-j", "RETURN"], check=True)
        for network in networks:
            subprocess.run(["iptables", "-w", "-A", chain, "-s", network, "-j", "DROP"], check=True)
        for way in ("INPUT", "FORWARD"):
            subprocess.run(["iptables", "-w", "-I", way, "-j", chain], check=True)
        yield
    finally:
        for way in ("INPUT", "FORWARD"):
            subprocess.run(["iptables", "-w", "-D", way, "-j", chain], capture_output=True)
        for verb in ("-F", "-X"):
            subprocess.run(["iptables", "-w", verb, chain], check=True)
