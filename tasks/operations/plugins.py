"""Set up again what trialflow needs on a cluster, and on request what GPUs need."""

from dataclasses import dataclass

from tasks.kubernetes.client.connection import Connection
from tasks.kubernetes.client.errors import ClusterRefused
from tasks.kubernetes.cluster.access import missing_rights
from tasks.kubernetes.cluster.gpus import GpuSupport, device_plugin, gpu_support
from tasks.kubernetes.cluster.installation import Installed, PlannedObject, ensure, install, plan_installation, plan_object, refuse_without
from tasks.kubernetes.cluster.nodes import list_nodes


@dataclass(frozen=True)
class PluginPlan:
    """What would be made or changed. `gpus` is what the nodes offer, None if this user may not see them; `note` says why."""

    cluster: str
    objects: tuple[PlannedObject, ...]
    gpus: GpuSupport | None
    note: str | None = None
    with_gpu: bool = False


async def plan_plugins(connection: Connection, *, gpu: bool = False) -> PluginPlan:
    """What is missing on the cluster; with `gpu` also NVIDIA's device plugin. Raises `ClusterError`."""
    objects = await plan_installation(connection)
    support, note = None, None
    try:
        support = gpu_support(await list_nodes(connection))
    except ClusterRefused as error:
        note = f"whether there are GPUs is not known: {error.message}"
    if gpu and not (support and support.is_offered):
        objects.append(await plan_object(connection, device_plugin()))
    return PluginPlan(connection.cluster.name, tuple(objects), support, note, with_gpu=gpu)


async def apply_plugins(plan: PluginPlan, connection: Connection) -> list[Installed]:
    """Make what is missing, put right what differs. Raises `ClusterRefused` if training runs could not do with what there is then."""
    installed = await install(connection)
    refuse_without(await missing_rights(connection), installed, connection.namespace)
    manifest = device_plugin()
    if any((one.kind, one.name) == (manifest["kind"], manifest["metadata"]["name"]) for one in plan.objects):
        installed.append(await ensure(connection, manifest))
    return installed
