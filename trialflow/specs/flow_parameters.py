"""The specs as types of flow parameters, which Prefect keeps and shows in clear: keys in them are refused, by the server before it keeps anything."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from trialflow.specs.cluster import ClusterSpec
from trialflow.specs.run import RunSpec
from trialflow.specs.strict import Hidden

RAW_KEYS = "flow parameters are shown and kept in clear: make an AWS credentials block (`prefect block create aws-credentials`) and give its name "
RUN_KEYS = f"{RAW_KEYS}to the flow: `aws`, for a model on a cluster `cluster.aws`"
CLUSTER_KEYS = f"{RAW_KEYS}as `credentials` of the flow"
POLICIES = {"type": "array", "items": {"type": "string"}, "title": "Additional policies", "description": "ARNs of policies."}


def _refused(text: str) -> PydanticCustomError:
    return PydanticCustomError("aws", "{text}", {"text": text})


def _run_without_keys(run: RunSpec) -> RunSpec:
    if run.aws is not None:
        raise _refused(RUN_KEYS)
    return run


def _cluster_without_keys(spec: ClusterSpec) -> ClusterSpec:
    if spec.aws is not None and any((spec.aws.aws_access_key_id, spec.aws.aws_secret_access_key, spec.aws.aws_session_token)):
        raise _refused(CLUSTER_KEYS)
    return spec


class _AwsField:
    """Has the JSON schema of a spec say something else of its field `aws`: Prefect's server validates by it."""

    def __init__(self, field: Mapping[str, Any]) -> None:
        self._field = field

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        schema = dict(handler.resolve_ref_schema(handler(core)))
        schema["properties"] = {**schema["properties"], "aws": dict(self._field)}
        return schema


_NO_KEYS = {"type": "null", "title": "AWS keys", "description": RUN_KEYS}
_POLICIES_ALONE = {
    "title": "AWS",
    "description": CLUSTER_KEYS,
    "anyOf": [{"type": "object", "title": "AWS", "properties": {"additional_policies": POLICIES}, "additionalProperties": False}, {"type": "null"}],
    "default": None,
}

FlowRunSpec = Annotated[RunSpec, AfterValidator(_run_without_keys), Hidden, _AwsField(_NO_KEYS)]
"""`RunSpec` as the type of a flow's parameter."""
FlowClusterSpec = Annotated[ClusterSpec, AfterValidator(_cluster_without_keys), Hidden, _AwsField(_POLICIES_ALONE)]
"""`ClusterSpec` as the type of a flow's parameter."""
