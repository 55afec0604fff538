"""From a cluster.yml to the plan: ask AWS, decide, compare with what exists. Nothing is made."""

from dataclasses import replace
from datetime import date

from tasks.aws.control_plane import require_ours
from tasks.aws.design import Design, design_of
from tasks.aws.facts import read_facts
from tasks.aws.inventory import read_inventory
from tasks.aws.plan import Plan, plan_creation, plan_destruction
from tasks.aws.session import Aws, Keys
from tasks.aws.update_plan import plan_update
from tasks.aws.updating import read_present
from tasks.kubernetes.client.cluster import MODEL_ACCOUNT
from trialflow.errors import InvalidInput
from trialflow.specs import ClusterSpec


def prepare_creation(aws: Aws, spec: ClusterSpec, *, today: date) -> tuple[Design, Plan]:
    """What will be made. Raises errors for people for all that cannot be."""
    if spec.provider != "aws":
        raise InvalidInput(
            f"a cluster of provider {spec.provider} cannot be created, only connected to",
            hint="`trialflow cluster connect -f cluster.yml`" if spec.provider == "custom" else "`trialflow optimize` works on this machine",
        )
    found = read_inventory(aws, spec.cluster_name)
    if found.cluster is not None:
        require_ours(found.cluster, "change")
    design = design_of(spec, read_facts(aws, spec, is_new=not found.resources), today=today)
    return design, plan_creation(design, found, MODEL_ACCOUNT, limit=spec.max_cost_per_hour)


def prepare_update(aws: Aws, spec: ClusterSpec, *, today: date) -> tuple[Design, Plan]:
    """What will be changed. Raises errors for people for all that cannot be.

    Without a version in cluster.yml the cluster keeps the one that it has.
    """
    if spec.provider != "aws":
        raise InvalidInput(
            f"a cluster of provider {spec.provider} is not made by trialflow, and cannot be updated", hint="change it with your own tools"
        )
    found = read_inventory(aws, spec.cluster_name)
    if found.cluster is not None:
        require_ours(found.cluster, "change")
        if spec.kubernetes_version in (None, "latest"):
            spec = spec.model_copy(update={"kubernetes_version": found.cluster["version"]})
    design = design_of(spec, read_facts(aws, spec), today=today)
    denied: list[str] = []
    present = read_present(aws, design, found.groups or {}, denied)
    design = replace(design, warnings=(*design.warnings, *denied))
    return design, plan_update(design, found, present, MODEL_ACCOUNT, limit=spec.max_cost_per_hour)


def prepare_destruction(aws: Aws, name: str) -> Plan:
    """What will be deleted. Raises `AwsRefused` for a cluster that trialflow did not make."""
    found = read_inventory(aws, name)
    if found.cluster is not None:
        require_ours(found.cluster, "destroy")
    return plan_destruction(name, aws.region, found)


def keys_of(spec: ClusterSpec) -> Keys | None:
    """The keys in a cluster.yml, None if it has none."""
    if spec.aws is None or spec.aws.aws_access_key_id is None or spec.aws.aws_secret_access_key is None:
        return None
    token = spec.aws.aws_session_token
    return Keys(
        spec.aws.aws_access_key_id.get_secret_value(), spec.aws.aws_secret_access_key.get_secret_value(), token.get_secret_value() if token else None
    )


def without_keys(spec: ClusterSpec) -> ClusterSpec:
    """The same cluster without keys: for what is shown and kept."""
    if spec.aws is None:
        return spec
    return spec.model_copy(
        update={"aws": spec.aws.model_copy(update=dict.fromkeys(("aws_access_key_id", "aws_secret_access_key", "aws_session_token")))}
    )
