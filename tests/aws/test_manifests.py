"""What is installed on a cluster of AWS, checked by a real API server where there is one."""

import pytest

from tasks.aws.manifests import AUTOSCALERS, autoscaler_release, manifests
from tasks.aws.setting_up import apply
from tasks.kubernetes.client.cluster import Cluster
from tasks.kubernetes.client.connection import open_cluster
from tasks.kubernetes.client.kubeconfig_files import load_kubeconfig
from tests import given


@pytest.mark.parametrize(("version", "minor"), [("1.34", "1.34"), ("1.36", "1.36"), ("1.99", "1.36"), ("1.20", "1.32")])
def test_the_autoscaler_has_the_minor_version_of_the_cluster_or_the_nearest_below(version: str, minor: str) -> None:
    assert autoscaler_release(version) == AUTOSCALERS[minor] and autoscaler_release(version).startswith(f"v{minor}.")


def test_no_image_is_latest_and_the_device_plugin_is_there_only_for_gpus() -> None:
    plain, gpus = (manifests("tiny", "eu-west-1", "1.35", has_gpus=has) for has in (False, True))
    assert [one["kind"] for one in gpus][len(plain) :] == ["DaemonSet"]
    images = [
        one["image"] for manifest in gpus if "template" in manifest.get("spec", {}) for one in manifest["spec"]["template"]["spec"]["containers"]
    ]
    assert len(images) == 2 and all(":v" in one and "latest" not in one for one in images)


@pytest.mark.cluster
async def test_the_api_server_accepts_the_manifests() -> None:
    document, _ = load_kubeconfig(given.kubeconfig(), None, environ={})
    async with open_cluster(Cluster(name="real", kubeconfig=document)) as connection:
        for manifest in manifests("tiny", "eu-west-1", "1.34", has_gpus=True):
            assert await apply(connection, manifest, dry=True) in ("made", "was there")
