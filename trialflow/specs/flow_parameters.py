"""The specs as types of flow parameters, which Prefect keeps and shows in clear: keys in them are refused, by the server before it keeps anything."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator
from pydantic_core import PydanticCustomError

from trialflow.specs.cluster import ClusterSpec
from trialflow.specs.command import command_of, text_of
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


class _Form:
    """Has the JSON schema of a spec say something else of some of its fields: Prefect's server validates by it, and the UI makes a form of it.

    A field that is None is left out, so the server refuses it by its name alone. `required` are those that have to be there.
    """

    def __init__(self, fields: Mapping[str, Mapping[str, Any] | None], required: tuple[str, ...] = ()) -> None:
        self._fields = fields
        self._required = required

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        schema = dict(handler.resolve_ref_schema(handler(core)))
        changed = {**schema["properties"], **self._fields}
        schema["properties"] = {name: dict(field) for name, field in changed.items() if field is not None}
        return {**schema, "required": [*schema.get("required", ()), *self._required]}


def parameter_of(run: RunSpec) -> dict[str, Any]:
    """A run as the JSON of a flow's parameter, without what is at its default. It always has `run`, as one text."""
    return {**run.model_dump(mode="json", exclude_defaults=True), "run": text_of(run.run)}


def _run_of_text(given: Any) -> Any:
    """Lists and null stay as they are: older flow runs have them, which are retried or taken up again."""
    if isinstance(given, dict) and isinstance(text := given.get("run"), str) and text.strip():
        return {**given, "run": command_of(text)}
    return given


_COMMAND = {
    "title": "Command",
    "description": (
        "How the model is started: a command for the shell, such as `python train.py`; a JSON list of words, such as "
        '`["python", "train.py"]`, which no shell reads; or `[]` for an image on a cluster: as the image says.'
    ),
    "type": "string",
    "minLength": 1,
    "examples": ["python train.py"],
}
_POLICIES_ALONE = {
    "title": "AWS",
    "description": CLUSTER_KEYS,
    "anyOf": [{"type": "object", "title": "AWS", "properties": {"additional_policies": POLICIES}, "additionalProperties": False}, {"type": "null"}],
    "default": None,
}

FlowRunSpec = Annotated[
    RunSpec, BeforeValidator(_run_of_text), AfterValidator(_run_without_keys), Hidden, _Form({"run": _COMMAND, "aws": None}, ("run",))
]
"""`RunSpec` as the type of a flow's parameter, whose command is one text."""
FlowClusterSpec = Annotated[ClusterSpec, AfterValidator(_cluster_without_keys), Hidden, _Form({"aws": _POLICIES_ALONE})]
"""`ClusterSpec` as the type of a flow's parameter."""
