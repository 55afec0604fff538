"""What all models of files share: no unknown keys, numbers that are numbers, and rules that say where they are broken."""

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, WrapValidator, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

LARGEST_WHOLE = 2**53
"""Up to here whole numbers are the same in JSON, in databases and as floats."""
LARGEST_STORED = 2**63 - 1
"""The largest whole number that databases and Prefect's pages hold."""
NO_YAML_NUMBER = re.compile(r"([-+]?\d+)(\.\d*)?[eE]([-+]?)(\d+)")
"""Numbers with an exponent that YAML 1.1 takes for text: it wants a point and a sign, as in `1.0e-5`."""
IN_FILE = {"is_file": True}
"""Validation context of files, for rules that the API does not have."""
HIDDEN = "**********"


class Strict(BaseModel):
    """A mapping whose keys are all known. The key `object`, which API clients echo back, is passed over; null is the same as not given."""

    # Built at first use: commands that read no file need not wait for it.
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True, defer_build=True)

    @model_validator(mode="before")
    @classmethod
    def _without_tags_and_nulls(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        fields = cls.model_fields
        optional = {name for name, field in fields.items() if not field.is_required()}
        return {
            key: value
            for key, value in data.items()
            if not (key == "object" and isinstance(value, str) and "object" not in fields) and not (value is None and key in optional)
        }


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
        raise PydanticCustomError("number", "expected a number{how}", {"how": _how(value)})  # type: ignore[arg-type]
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise PydanticCustomError("number", "expected a number below 1.8e+308")
    if isinstance(value, int) and not -LARGEST_STORED - 1 <= value <= LARGEST_STORED:
        how = f"; as a number with a point it is {float(value):.17g}" if "e" in f"{float(value):.17g}" else ""
        raise PydanticCustomError("number", "expected a whole number of at most 64 bits{how}", {"how": how})  # type: ignore[arg-type]
    return value


def as_integer(value: Any) -> Any:
    """A whole number as an int, `60.0` too; for fields with bounds of their own, in `Annotated`."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PydanticCustomError("integer", "expected a whole number{how}", {"how": _how(value)})  # type: ignore[arg-type]
    if abs(value) > LARGEST_WHOLE:
        raise PydanticCustomError("integer", "expected a whole number up to {most}", {"most": LARGEST_WHOLE})
    return value


def _how(value: Any) -> str:
    """How a number that was read as text is written, if it is one."""
    if not isinstance(value, str):
        return ""
    if match := NO_YAML_NUMBER.fullmatch(value.strip()):
        whole, fraction, sign, exponent = match.groups()
        return f"; in YAML that is written {whole}{fraction if fraction and fraction != '.' else '.0'}e{sign or '+'}{exponent}"
    try:
        float(value)
    except ValueError:
        return ""
    return "; leave the quotes away"


def _string(value: Any) -> Any:
    if isinstance(value, str | SecretStr):
        return value
    raise PydanticCustomError("string", "expected text; put it in quotes" if isinstance(value, int | float | date) else "expected text")


def _secretly(value: Any, handler: Any) -> Any:
    """Validate without keeping the value in errors: those are shown, logged and sent on by others too."""
    try:
        return handler(value)
    except ValidationError as error:
        details = [_hidden(detail) for detail in error.errors(include_url=False)]
        raise ValidationError.from_exception_data(error.title, details, hide_input=True) from None


def _hidden(detail: Any) -> InitErrorDetails:
    kind = PydanticCustomError(detail["type"], detail["msg"], detail.get("ctx") or {})
    value = None if detail["input"] is None else HIDDEN
    return InitErrorDetails(type=kind, loc=detail["loc"], input=value)


Hidden = WrapValidator(_secretly)
"""For fields that hold secrets, in `Annotated`: what is wrong with them is told without the value."""
Number = Annotated[int | float, BeforeValidator(_number)]
"""A finite number; whole ones stay whole. Truth values and quoted numbers are refused."""
Positive = Annotated[int, Field(gt=0), BeforeValidator(as_integer)]
"""A whole number above 0; `60.0` is one."""
Count = Annotated[int, Field(ge=0), BeforeValidator(as_integer)]
"""A whole number, 0 or more."""
Text = Annotated[str, BeforeValidator(_string)]
"""A string; numbers and truth values are refused with the advice to quote them."""
Name = Annotated[str, Field(min_length=1, max_length=100), BeforeValidator(_string)]
"""1 to 100 characters."""
Short = Annotated[str, Field(min_length=1, max_length=50), BeforeValidator(_string)]
"""1 to 50 characters: the values of categorical parameters and conditionals."""
NonEmpty = Annotated[str, Field(min_length=1), BeforeValidator(_string)]
"""At least one character."""
Secret = Annotated[SecretStr, Field(min_length=1), BeforeValidator(_string), Hidden]
"""A text that is never shown."""
