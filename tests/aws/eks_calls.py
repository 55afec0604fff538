"""What moto's EKS lacks, or is too kind about, added to moto itself: the product under test is left as it is.

States take time: whatever is made or deleted is looked at `LOOKS` times before it is there or gone. A role that was just made is unknown to the
first call that names it. coredns is DEGRADED until a node group is active.
"""

import base64
import os
from datetime import UTC, datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

import moto.backends
import yaml
from moto.autoscaling.models import autoscaling_backends
from moto.backends import list_of_moto_modules
from moto.core.responses import ActionResult
from moto.ec2.models import ec2_backends
from moto.eks import urls
from moto.eks.exceptions import InvalidParameterException, InvalidRequestException, ResourceInUseException, ResourceNotFoundException
from moto.eks.models import EKSBackend
from moto.eks.responses import EKSResponse
from moto.iam.models import iam_backends

from tests.aws.eks_updates import PATHS as UPDATE_PATHS
from tests.aws.eks_updates import Updates

LOOKS = 2
VERSIONS = (
    ("1.32", "EXTENDED_SUPPORT", "2026-03-23", False),
    ("1.33", "EXTENDED_SUPPORT", "2026-07-29", False),
    ("1.34", "STANDARD_SUPPORT", "2026-12-02", False),
    ("1.35", "STANDARD_SUPPORT", "2027-03-27", False),
    ("1.36", "STANDARD_SUPPORT", "2027-08-02", True),
)
ONE = "{0}/clusters/(?P<name>[^/]+)"
PATHS = (
    f"{ONE}/access-entries$",
    f"{ONE}/access-entries/(?P<principalArn>.+)/access-policies/(?P<policyArn>.+)$",
    f"{ONE}/access-entries/(?P<principalArn>.+)/access-policies$",
    f"{ONE}/access-entries/(?P<principalArn>.+)$",
    f"{ONE}/addons$",
    f"{ONE}/addons/(?P<addonName>[^/]+)$",
    f"{ONE}/pod-identity-associations$",
    f"{ONE}/pod-identity-associations/(?P<associationId>[^/]+)$",
    "{0}/addons/supported-versions$",
    "{0}/cluster-versions$",
)


class Extended(EKSResponse):
    """The added calls. They are copied into moto's own class by `extend`."""

    def _cluster(self, name: str | None = None) -> Any:
        return self.eks_backend.describe_cluster(name=name or self._get_param("name") or self._get_param("clusterName"))

    def describe_cluster(self) -> ActionResult:
        cluster = self._cluster()
        if _step(cluster) and cluster.status == "DELETING":
            _bury_cluster(self.eks_backend, cluster)
            self._cluster(cluster.name)
        return ActionResult({"cluster": cluster})

    def create_cluster(self) -> ActionResult:
        name, wanted = self._get_param("name"), self._get_param("resourcesVpcConfig")
        if name in self.eks_backend.clusters:
            raise ResourceInUseException(message=f"Cluster already exists with name: {name}", clusterName=name)
        _check_role(self.eks_backend, self._get_param("roleArn"))
        ec2 = ec2_backends[self.current_account][self.region]
        subnets = ec2.describe_subnets(subnet_ids=wanted["subnetIds"])
        if len({one.availability_zone for one in subnets}) < 2:
            raise InvalidParameterException(message="Subnets specified must be in at least two different AZs", clusterName=name)
        cluster = self.eks_backend.create_cluster(
            name=name,
            version=self._get_param("version"),
            role_arn=self._get_param("roleArn"),
            resources_vpc_config=wanted,
            tags=self._get_param("tags"),
        )
        group = ec2.create_security_group(f"eks-cluster-sg-{name}-1", "EKS created security group", vpc_id=subnets[0].vpc_id)
        wanted |= {"vpcId": subnets[0].vpc_id, "clusterSecurityGroupId": group.id}
        cluster.access_config = self._get_param("accessConfig")
        cluster.upgrade_policy = self._get_param("upgradePolicy")
        cluster.access, cluster.addon_facts, cluster.identities, cluster.updates = {}, {}, {}, {}
        cluster.status, cluster.looks = "CREATING", LOOKS
        if path := os.environ.get("TRIALFLOW_TEST_KUBECONFIG"):
            with open(path) as file:
                real = yaml.safe_load(file)["clusters"][0]["cluster"]
            authority = real.get("certificate-authority-data")
            if not authority:
                with open(real["certificate-authority"], "rb") as file:
                    authority = base64.b64encode(file.read()).decode()
            cluster.endpoint, cluster.certificate_authority = real["server"], {"data": authority}
        return ActionResult({"cluster": cluster})

    def delete_cluster(self) -> ActionResult:
        cluster = self._cluster()
        if cluster.status == "CREATING":
            raise ResourceInUseException(message="Cluster has creation in progress", clusterName=cluster.name)
        if cluster.nodegroups:
            raise ResourceInUseException(message="Cluster has nodegroups attached", clusterName=cluster.name)
        cluster.status, cluster.looks = "DELETING", LOOKS
        return ActionResult({"cluster": cluster})

    def describe_cluster_versions(self) -> ActionResult:
        found = [
            {
                "clusterVersion": version,
                "versionStatus": status,
                "defaultVersion": is_default,
                "endOfStandardSupportDate": datetime.fromisoformat(end).replace(tzinfo=UTC),
            }
            for version, status, end, is_default in VERSIONS
        ]
        return ActionResult({"clusterVersions": found})

    def create_nodegroup(self) -> ActionResult:
        cluster, name = self._cluster(), self._get_param("nodegroupName")
        if cluster.status != "ACTIVE":
            raise InvalidRequestException(message=f"Cluster '{cluster.name}' is not in ACTIVE status")
        _check_role(self.eks_backend, self._get_param("nodeRole"))
        sizes = self._get_param("scalingConfig")
        if sizes["minSize"] > sizes["desiredSize"]:
            raise InvalidParameterException(message=f"Minimum capacity {sizes['minSize']} can't be greater than desired size {sizes['desiredSize']}")
        for taint in self._get_param("taints") or []:
            if not taint.get("value"):
                raise InvalidParameterException(message="a taint without a value cannot be read by the autoscaler")
        group = self.eks_backend.create_nodegroup(
            cluster_name=cluster.name,
            nodegroup_name=name,
            node_role=self._get_param("nodeRole"),
            subnets=self._get_param("subnets"),
            scaling_config=sizes,
            ami_type=self._get_param("amiType"),
            capacity_type=self._get_param("capacityType"),
            labels=self._get_param("labels"),
            taints=self._get_param("taints"),
            tags=self._get_param("tags"),
            launch_template=self._get_param("launchTemplate"),
            version=cluster.version,
        )
        group.instance_types = self._get_param("instanceTypes") or []
        group.status, group.looks = "CREATING", LOOKS
        if "vpc-cni" not in cluster.addon_facts:
            group.status = "CREATE_FAILED"
            group.health = {
                "issues": [{"code": "NodeCreationFailure", "message": "Instances failed to join the kubernetes cluster", "resourceIds": []}]
            }
        _make_scaling_group(self.current_account, self.region, cluster, group)
        return ActionResult({"nodegroup": group})

    def list_nodegroups(self) -> ActionResult:
        return ActionResult({"nodegroups": list(self._cluster().nodegroups)})

    def describe_nodegroup(self) -> ActionResult:
        cluster = self._cluster()
        group = self.eks_backend.describe_nodegroup(cluster_name=cluster.name, nodegroup_name=self._get_param("nodegroupName"))
        if _step(group) and group.status == "DELETING":
            autoscaling_backends[self.current_account][self.region].autoscaling_groups.pop(group.resources["autoScalingGroups"][0]["name"], None)
            self.eks_backend.delete_nodegroup(cluster_name=cluster.name, nodegroup_name=group.nodegroup_name)
            self.eks_backend.describe_nodegroup(cluster_name=cluster.name, nodegroup_name=group.nodegroup_name)
        return ActionResult({"nodegroup": group})

    def delete_nodegroup(self) -> ActionResult:
        group = self.eks_backend.describe_nodegroup(cluster_name=self._get_param("name"), nodegroup_name=self._get_param("nodegroupName"))
        group.status, group.looks = "DELETING", LOOKS
        return ActionResult({"nodegroup": group})

    def create_access_entry(self) -> ActionResult:
        cluster, principal = self._cluster(), self._get_param("principalArn")
        if ":assumed-role/" in principal or ":iam::" not in principal:
            raise InvalidParameterException(message="The principalArn parameter format is not valid")
        if principal in cluster.access:
            raise ResourceInUseException(message="The specified access entry resource is already in use on this cluster.")
        entry = {"clusterName": cluster.name, "principalArn": principal, "type": self._get_param("type"), "tags": self._get_param("tags")}
        cluster.access[principal] = {**entry, "policies": []}
        return ActionResult({"accessEntry": entry})

    def _entry(self) -> Any:
        cluster, principal = self._cluster(), unquote(self._get_param("principalArn"))
        if principal not in cluster.access:
            raise ResourceNotFoundException(message=f"The specified principalArn could not be found: {principal}", clusterName=cluster.name)
        return cluster.access[principal]

    def describe_access_entry(self) -> ActionResult:
        return ActionResult({"accessEntry": {name: value for name, value in self._entry().items() if name != "policies"}})

    def list_access_entries(self) -> ActionResult:
        return ActionResult({"accessEntries": list(self._cluster().access)})

    def delete_access_entry(self) -> ActionResult:
        self._cluster().access.pop(self._entry()["principalArn"])
        return ActionResult({})

    def associate_access_policy(self) -> ActionResult:
        policy = {"policyArn": self._get_param("policyArn"), "accessScope": self._get_param("accessScope")}
        entry = self._entry()
        entry["policies"] = [one for one in entry["policies"] if one["policyArn"] != policy["policyArn"]] + [policy]
        return ActionResult({"clusterName": self._cluster().name, "principalArn": entry["principalArn"], "associatedAccessPolicy": policy})

    def disassociate_access_policy(self) -> ActionResult:
        entry, policy = self._entry(), unquote(self._get_param("policyArn"))
        entry["policies"] = [one for one in entry["policies"] if one["policyArn"] != policy]
        return ActionResult({})

    def list_associated_access_policies(self) -> ActionResult:
        return ActionResult({"associatedAccessPolicies": self._entry()["policies"]})

    def describe_addon_versions(self) -> ActionResult:
        name, version = self._get_param("addonName"), self._get_param("kubernetesVersion")
        fits = [{"clusterVersion": version, "defaultVersion": True}]
        return ActionResult(
            {"addons": [{"addonName": name, "addonVersions": [{"addonVersion": f"v{version}.7-eksbuild.1", "compatibilities": fits}]}]}
        )

    def create_addon(self) -> ActionResult:
        cluster, name = self._cluster(), self._get_param("addonName")
        if name in cluster.addon_facts:
            raise ResourceInUseException(message="Addon already exists.", clusterName=cluster.name, addonName=name)
        cluster.addon_facts[name] = {
            "addonName": name,
            "clusterName": cluster.name,
            "status": "CREATING",
            "addonVersion": self._get_param("addonVersion"),
            "tags": self._get_param("tags"),
            "looks": LOOKS,
        }
        return ActionResult({"addon": cluster.addon_facts[name]})

    def _addon(self) -> Any:
        cluster, name = self._cluster(), self._get_param("addonName")
        addon = cluster.addon_facts.get(name)
        if addon is not None:
            addon["looks"] = max(addon["looks"] - 1, 0)
            if addon["status"] == "DELETING" and not addon["looks"]:
                addon = cluster.addon_facts.pop(name, None) and None
        if addon is None:
            raise ResourceNotFoundException(message=f"No addon: {name} found in cluster: {cluster.name}", clusterName=cluster.name, addonName=name)
        if addon["status"] == "UPDATING" and not addon["looks"]:
            addon["done"]()
        elif addon["status"] != "DELETING" and not addon["looks"]:
            has_nodes = any(one.status == "ACTIVE" for one in cluster.nodegroups.values())
            addon["status"] = "ACTIVE" if has_nodes or name != "coredns" else "DEGRADED"
        return addon

    def describe_addon(self) -> ActionResult:
        return ActionResult({"addon": {name: value for name, value in self._addon().items() if name != "done"}})

    def list_addons(self) -> ActionResult:
        return ActionResult({"addons": list(self._cluster().addon_facts)})

    def delete_addon(self) -> ActionResult:
        addon = self._addon()
        addon["status"], addon["looks"] = "DELETING", LOOKS
        return ActionResult({"addon": addon})

    def create_pod_identity_association(self) -> ActionResult:
        cluster = self._cluster()
        _check_role(self.eks_backend, self._get_param("roleArn"))
        names = ("namespace", "serviceAccount", "roleArn", "tags")
        facts = {name: self._get_param(name) for name in names} | {"clusterName": cluster.name, "associationId": f"a-{len(cluster.identities):017x}"}
        if any((one["namespace"], one["serviceAccount"]) == (facts["namespace"], facts["serviceAccount"]) for one in cluster.identities.values()):
            raise ResourceInUseException(message="Association already exists", clusterName=cluster.name)
        cluster.identities[facts["associationId"]] = facts
        return ActionResult({"association": facts})

    def list_pod_identity_associations(self) -> ActionResult:
        return ActionResult({"associations": list(self._cluster().identities.values())})

    def delete_pod_identity_association(self) -> ActionResult:
        found = self._cluster().identities.pop(self._get_param("associationId"), None)
        if found is None:
            raise ResourceNotFoundException(message="No such association")
        return ActionResult({"association": found})


def extend() -> None:
    """Add all this to moto. Once, before its server answers its first request for EKS."""
    for name, method in (*vars(Extended).items(), *vars(Updates).items()):
        if callable(method):
            setattr(EKSResponse, name, method)
    added = {path: urls.response.dispatch for path in (*PATHS, *UPDATE_PATHS)}
    urls.url_paths = {**added, **urls.url_paths}
    # moto lists its own folder at every call.
    moto.backends.list_of_moto_modules = cache(lambda: tuple(list_of_moto_modules()))  # type: ignore[assignment]


def _step(thing: Any) -> bool:
    """One look at something that takes its time. Whether it has arrived where it was going."""
    thing.looks = max(getattr(thing, "looks", 0) - 1, 0)
    if thing.looks:
        return False
    if thing.status == "CREATING":
        thing.status = "ACTIVE"
    if thing.status == "UPDATING":
        thing.done()
    return True


def _bury_cluster(backend: EKSBackend, cluster: Any) -> None:
    ec2_backends[backend.account_id][backend.region_name].delete_security_group(group_id=cluster.resources_vpc_config["clusterSecurityGroupId"])
    backend.clusters.pop(cluster.name)


def _check_role(backend: EKSBackend, arn: str) -> None:
    """Refuse a role that does not exist, and one that exists the first time it is named, as IAM takes its time to tell."""
    roles = {role.arn for role in iam_backends[backend.account_id]["aws"].roles.values()}
    known = backend.__dict__.setdefault("known_roles", set())
    if arn not in roles or arn not in known:
        known.update(roles & {arn})
        raise InvalidParameterException(
            message=f"Role with arn: {arn}, could not be assumed because it does not exist or the trusted entity is not correct"
        )


def _make_scaling_group(account: str, region: str, cluster: Any, group: Any) -> None:
    name = group.resources["autoScalingGroups"][0]["name"]
    tags = {
        f"k8s.io/cluster-autoscaler/{cluster.name}": "owned",
        "k8s.io/cluster-autoscaler/enabled": "true",
        "eks:nodegroup-name": group.nodegroup_name,
    }
    autoscaling_backends[account][region].create_auto_scaling_group(
        name=name,
        availability_zones=[],
        desired_capacity=0,
        max_size=group.scaling_config["maxSize"],
        min_size=0,
        launch_config_name="",
        launch_template={"LaunchTemplateName": group.launch_template["name"], "Version": group.launch_template["version"]},
        vpc_zone_identifier=",".join(group.subnets),
        default_cooldown=None,
        health_check_period=None,
        health_check_type="EC2",
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=[],
        tags=[
            {"Key": key, "Value": value, "ResourceId": name, "ResourceType": "auto-scaling-group", "PropagateAtLaunch": "true"}
            for key, value in tags.items()
        ],
    )
