"""What all models of files share: no unknown keys, numbers that are numbers, and rules that say where they are broken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError


class Strict(BaseModel):
    """A mapping whose keys are all known. The key `object`, which API clients echo back, is passed over."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=False)

    @model_validator(mode="before")
    @classmethod
    def _without_object_tag(cls, data: Any) -> Any:
        if isinstance(data, dict) and isinstance(data.get("object"), str) and "object" not in cls.model_fields:
            return {key: value for key, value in data.items() if key != "object"}
        return data


@dataclass(frozen=True)
class Violation:
    """A rule between fields that is broken: `at` is the path of the field that should change, `text` says found and allowed."""

    at: tuple[str | int, ...]
    text: str


def refuse(violations: Sequence[Violation]) -> None:
    """Raise one pydantic error that carries all `violations`, if there are any."""
    if violations:
        details = [(list(one.at), one.text) for one in violations]
        raise PydanticCustomError("rules", "{text}", {"text": "; ".join(one.text for one in violations), "violations": details})


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "expected a number")
    return value


def _integer(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("integer", "expected a whole number")
    return value


def _string(value: Any) -> Any:
    if isinstance(value, bool | int | float):
        raise PydanticCustomError("string", "expected text; put it in quotes")
    return value


Number = Annotated[int | float, BeforeValidator(_number)]
"""A finite number; whole ones stay whole. Truth values and quoted numbers are refused."""
Integer = Annotated[int, BeforeValidator(_integer)]
"""A whole number; `60.0` is one."""
Positive = Annotated[int, Field(gt=0), BeforeValidator(_integer)]
"""A whole number above 0."""
Count = Annotated[int, Field(ge=0), BeforeValidator(_integer)]
"""A whole number, 0 or more."""
Text = Annotated[str, BeforeValidator(_string)]
"""A string; numbers and truth values are refused with the advice to quote them."""
Name = Annotated[str, Field(min_length=1, max_length=100), BeforeValidator(_string)]
"""1 to 100 characters."""
Short = Annotated[str, Field(min_length=1, max_length=50), BeforeValidator(_string)]
"""1 to 50 characters: the values of categorical parameters and conditionals."""
NonEmpty = Annotated[str, Field(min_length=1), BeforeValidator(_string)]
"""At least one character."""
Version = Annotated[str, Field(pattern=r"^1\.\d{2}$|^latest$"), BeforeValidator(_string)]
"""A Kubernetes version such as `1.34`, or `latest`."""
