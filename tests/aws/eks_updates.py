"""EKS's updates, added to moto: of versions, sizes and add-ons. They take time, and what is asked for is there when they are done."""

from typing import Any

from moto.core.responses import ActionResult
from moto.eks.exceptions import InvalidParameterException, ResourceInUseException
from moto.eks.responses import EKSResponse

ONE = "{0}/clusters/(?P<name>[^/]+)"
PATHS = (
    f"{ONE}/updates$",
    f"{ONE}/updates/(?P<updateId>[^/]+)$",
    f"{ONE}/node-groups/(?P<nodegroupName>[^/]+)/update-version$",
    f"{ONE}/addons/(?P<addonName>[^/]+)/update$",
    f"{ONE}/insights$",
)


class Updates(EKSResponse):
    """The calls. They are copied into moto's own class."""

    def update_cluster_version(self) -> ActionResult:
        cluster, version = self._cluster(), self._get_param("version")
        has, wanted = (int(one.split(".")[1]) for one in (cluster.version, version))
        if wanted != has + 1:
            raise InvalidParameterException(message=f"Unsupported Kubernetes minor version update from {cluster.version} to {version}")
        if old := [one.nodegroup_name for one in cluster.nodegroups.values() if one.version != cluster.version]:
            raise InvalidParameterException(message=f"Nodegroups {old} must be updated to match cluster version {cluster.version}")
        return self._begin(cluster, cluster, "VersionUpdate", lambda: setattr(cluster, "version", version))

    def update_cluster_config(self) -> ActionResult:
        cluster, policy = self._cluster(), self._get_param("upgradePolicy")
        return self._begin(cluster, cluster, "UpgradePolicyUpdate", lambda: setattr(cluster, "upgrade_policy", policy))

    def update_nodegroup_version(self) -> ActionResult:
        cluster = self._cluster()
        group = self._group(cluster)
        if self._get_param("version") != cluster.version:
            raise InvalidParameterException(message="Requested Nodegroup version is not the version of the cluster")
        return self._begin(cluster, group, "VersionUpdate", lambda: setattr(group, "version", cluster.version))

    def update_nodegroup_config(self) -> ActionResult:
        cluster = self._cluster()
        group = self._group(cluster)
        sizes = self._get_param("scalingConfig")
        if not sizes["minSize"] <= sizes["desiredSize"] <= sizes["maxSize"]:
            raise InvalidParameterException(message=f"Minimum capacity {sizes['minSize']} can't be greater than desired size {sizes['desiredSize']}")
        taints = self._get_param("taints") or {}
        changed = {one["key"] for kind in ("addOrUpdateTaints", "removeTaints") for one in taints.get(kind) or []}

        def done() -> None:
            group.scaling_config = sizes
            group.taints = [one for one in group.taints or [] if one["key"] not in changed] + (taints.get("addOrUpdateTaints") or [])

        return self._begin(cluster, group, "ConfigUpdate", done)

    def update_addon(self) -> ActionResult:
        from tests.aws import eks_calls

        cluster, version = self._cluster(), self._get_param("addonVersion")
        addon = self._addon()
        if addon["status"] == "UPDATING":
            raise ResourceInUseException(message="Addon update in progress", clusterName=cluster.name)
        addon["status"], addon["looks"] = "UPDATING", eks_calls.LOOKS
        answer = self._begin(cluster, None, "AddonUpdate", lambda: addon.update(addonVersion=version, status="ACTIVE"))
        addon["done"] = list(cluster.updates.values())[-1]["done"]
        return answer

    def list_insights(self) -> ActionResult:
        return ActionResult({"insights": getattr(self._cluster(), "insights", [])})

    def describe_update(self) -> ActionResult:
        update = self._cluster().updates[self._get_param("updateId")]
        update["looks"] = max(update["looks"] - 1, 0)
        if not update["looks"] and update["status"] == "InProgress":
            update["status"] = "Successful"
            update["done"]()
        return ActionResult({"update": {name: value for name, value in update.items() if name not in ("done", "thing")}})

    def _group(self, cluster: Any) -> Any:
        return self.eks_backend.describe_nodegroup(cluster_name=cluster.name, nodegroup_name=self._get_param("nodegroupName"))

    def _begin(self, cluster: Any, thing: Any, kind: str, done: Any) -> ActionResult:
        """Begin an update of a thing. It goes on whether or not anybody looks at it: other looks at the thing end it too."""
        from tests.aws import eks_calls

        if thing is not None:
            if thing.status != "ACTIVE":
                raise ResourceInUseException(message=f"{thing.status.lower()} in progress", clusterName=cluster.name)
            thing.status, thing.looks = "UPDATING", eks_calls.LOOKS
        update = {"id": f"update-{len(cluster.updates)}", "status": "InProgress", "type": kind, "looks": eks_calls.LOOKS}
        cluster.updates[update["id"]] = {**update, "done": _once(update, done, thing)}
        if thing is not None:
            thing.done = cluster.updates[update["id"]]["done"]
        return ActionResult({"update": update})


def _once(update: dict[str, Any], done: Any, thing: Any) -> Any:
    calls: list[int] = []

    def finish() -> None:
        if not calls:
            calls.append(1)
            done()
            if thing is not None:
                thing.status = "ACTIVE"

    return finish
