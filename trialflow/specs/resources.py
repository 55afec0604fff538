"""What a training run asks of a node, in Kubernetes' words."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from trialflow.specs.strict import Count, Strict, Violation, refuse

GPU = "nvidia.com/gpu"
QUANTITY = re.compile(r"(\d+\.?\d*|\.\d+)(m|u|n|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei|[eE][-+]?\d+)?")
"""https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/, without a sign."""
NO_UNITS = {"b": "", "kb": "k", "mb": "M", "gb": "G", "tb": "T", "kib": "Ki", "mib": "Mi", "gib": "Gi", "tib": "Ti", "g": "G", "gi": "Gi", "mi": "Mi"}
"""Units that people write and Kubernetes does not know, in lower case -> what it knows."""


def _quantity(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("quantity", "expected a quantity such as 2, 500m or 2Gi")
    if isinstance(value, int | float):
        if value < 0:
            raise PydanticCustomError("quantity", "expected a quantity of 0 or more")
        return value
    if QUANTITY.fullmatch(value):
        return value
    match = re.fullmatch(r"(\d+\.?\d*)\s*([A-Za-z]+)", value.strip())
    known = NO_UNITS.get(match[2].lower()) if match else None
    how = f'; did you mean "{match[1]}{known}"?' if match and known is not None else ""
    raise PydanticCustomError("quantity", "expected a quantity such as 2, 500m or 2Gi{how}", {"how": how})


def _count(value: Any) -> Any:
    """A number of things that is in quotes, as the quantities beside it often are."""
    return int(value) if isinstance(value, str) and re.fullmatch(r"\d{1,6}", value.strip()) else value


Quantity = Annotated[
    int | float | str,
    BeforeValidator(_quantity),
    WithJsonSchema({"oneOf": [{"type": "number", "minimum": 0}, {"type": "string", "pattern": f"^{QUANTITY.pattern}$"}]}),
]


class Resources(Strict):
    """What a training run needs of a node; Kubernetes quantities such as `500m` or `2Gi`."""

    requests: dict[str, Quantity] = Field(
        default_factory=dict, description="What is reserved: cpu, memory, ephemeral-storage.", examples=[{"cpu": "500m", "memory": "2Gi"}]
    )
    limits: dict[str, Quantity] = Field(default_factory=dict, description="What it may use at most.", examples=[{"cpu": 2, "memory": "4Gi"}])
    gpus: Annotated[Count, BeforeValidator(_count)] | None = Field(default=None, description="How many NVIDIA GPUs.")

    @model_validator(mode="after")
    def _rules(self) -> "Resources":
        if self.gpus is not None and GPU in self.limits:
            refuse([Violation(("gpus",), f"limits has {GPU} as well; give one of the two")])
        return self
