"""`run.yml`: how the model is run."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, SecretStr, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from trialflow.specs.strict import Count, Name, Number, Strict, Text, Violation, refuse

DURATION = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)?\s*$")
SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
GPU = "nvidia.com/gpu"
IMAGE = re.compile(
    r"^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?(?::\d+)?/)?"  # registry
    r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*)*"  # repository
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[a-f0-9]{64})?$"  # tag, digest
)


def _command(value: Any) -> Any:
    if isinstance(value, str):
        return ["sh", "-c", value]
    return value


def _seconds(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("duration", 'expected seconds, or a text such as "90s", "15m", "2h" or "1d"')
    match = DURATION.match(str(value))
    if not match or float(match[1]) <= 0:
        raise PydanticCustomError("duration", 'expected seconds above 0, or a text such as "90s", "15m", "2h" or "1d"')
    return float(match[1]) * SECONDS[match[2]]


def _variable(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        raise PydanticCustomError("variable", 'expected text or a number; put it in quotes, as in "true"')
    return str(value) if isinstance(value, int | float) else value


Command = Annotated[
    list[Annotated[str, Field(min_length=1)]],
    BeforeValidator(_command),
    Field(min_length=1),
    WithJsonSchema({"oneOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"oneOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": DURATION.pattern}]}),
]
Variable = Annotated[str, BeforeValidator(_variable), WithJsonSchema({"type": ["string", "number"]})]


class AwsKeys(Strict):
    """AWS credentials that the model gets. They are kept out of logs and messages."""

    aws_access_key_id: SecretStr = Field(description="The access key's id.")
    aws_secret_access_key: SecretStr = Field(description="The secret access key.")


class Resources(Strict):
    """What a training run needs of a node; Kubernetes quantities such as `500m` or `2Gi`."""

    requests: dict[str, Number | str] = Field(default_factory=dict, description="What is reserved: cpu, memory, ephemeral-storage.")
    limits: dict[str, Number | str] = Field(default_factory=dict, description="What it may use at most.")
    gpus: Count | None = Field(default=None, description="How many NVIDIA GPUs.")

    @model_validator(mode="after")
    def _rules(self) -> "Resources":
        if self.gpus is not None and GPU in self.limits:
            refuse([Violation(("gpus",), f"limits has {GPU} as well; give one of the two")])
        return self


class RunSpec(Strict):
    """How the model is run: its command, what it needs, and how its metrics are read."""

    name: Name | None = Field(default=None, description="The training run's name.")
    run: Command | None = Field(default=None, description="The command: a text for the shell, or a list of words.")
    image: str | None = Field(default=None, min_length=1, description="The container image, for clusters.")
    resources: Resources | None = Field(default=None, description="What a training run needs, for clusters.")
    aws: AwsKeys | None = Field(default=None, description="AWS credentials that the model gets, for clusters.")
    env: dict[str, Variable] = Field(default_factory=dict, description="Environment variables of the model. No secrets: they are shown in the UI.")
    metrics: dict[str, str] = Field(
        default_factory=dict,
        description="Metric -> regular expression with one group, searched in every line that the model prints; the last match counts.",
        examples=[{"accuracy": "accuracy=([0-9.]+)"}],
    )
    timeout: Seconds | None = Field(default=None, description='After so long a training run has failed: seconds, or "90s", "15m", "2h", "1d".')
    max_relaunches: Count = Field(default=5, description="How often a training run that was lost may be launched again.")
    assignments: dict[str, Number | Text] = Field(default_factory=dict, description="Parameter values for `trialflow run`.")

    @model_validator(mode="after")
    def _rules(self) -> "RunSpec":
        refuse(list(_rules(self)))
        return self


def _rules(spec: RunSpec) -> Iterator[Violation]:
    if spec.image is not None and not IMAGE.match(spec.image):
        yield Violation(("image",), f"{spec.image!r} is no image reference such as registry:5000/team/model:tag")
    for name in spec.env:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            yield Violation(("env", name), f"{name!r} cannot be the name of an environment variable")
    for name, pattern in spec.metrics.items():
        try:
            groups = re.compile(pattern).groups
        except re.error as error:
            yield Violation(("metrics", name), f"{pattern!r} is no regular expression: {error}")
            continue
        if groups != 1:
            yield Violation(("metrics", name), f"{pattern!r} has {groups} groups; exactly one, around the number, as in 'accuracy=([0-9.]+)'")
