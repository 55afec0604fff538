"""One parameter of an experiment: its type, its values, and the rules between them."""

from collections.abc import Iterator
from math import isinf, log
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, WithJsonSchema, model_validator

from trialflow.specs.strict import Name, Number, Short, Strict, Text, Violation, refuse

MIN_WIDTH = 1e-8
"""SigOpt's least distance between the bounds of a parameter."""


class BoundsSpec(Strict):
    """The least and the greatest value of a numeric parameter, both included."""

    min: Number = Field(description="Least value.")
    max: Number = Field(description="Greatest value.")


class PriorSpec(Strict):
    """Where good values are believed to lie: `normal` with mean and scale, or `beta` with shape_a and shape_b over the bounds."""

    name: Literal["normal", "beta"] = Field(description="The distribution.")
    mean: Number | None = Field(default=None, description="Mean of a normal prior, within the bounds.")
    scale: Number | None = Field(default=None, description="Standard deviation of a normal prior, above 0.")
    shape_a: Number | None = Field(default=None, description="First shape of a beta prior, above 0.")
    shape_b: Number | None = Field(default=None, description="Second shape of a beta prior, above 0.")


def _names(values: Any) -> Any:
    """Categorical values as API clients echo them, `{name, enum_index}`, become their names."""
    if isinstance(values, list):
        return [value["name"] if isinstance(value, dict) and "name" in value else value for value in values]
    return values


def _lists(conditions: Any) -> Any:
    if isinstance(conditions, dict):
        return {name: values if isinstance(values, list | dict) or values is None else [values] for name, values in conditions.items()}
    return conditions


def _whole(value: Any) -> Any:
    """The numbers of an int parameter as ints: `1.0` is 1."""
    if isinstance(value, dict):
        return {key: _whole(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_whole(one) for one in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


Categories = Annotated[
    list[Short],
    BeforeValidator(_names),
    WithJsonSchema({"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 50}, "minItems": 2, "uniqueItems": True}),
]
Conditions = Annotated[
    dict[str, Annotated[list[Text], Field(min_length=1)]],
    BeforeValidator(_lists),
    WithJsonSchema({"type": "object", "additionalProperties": {"oneOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}}),
]


class ParameterSpec(Strict):
    """A parameter to tune: `double` and `int` with bounds or a grid, `categorical` with its values."""

    name: Name = Field(description="The name that the model reads it by.")
    type: Literal["double", "int", "categorical"] = Field(description="Kind of value.")
    bounds: BoundsSpec | None = Field(default=None, description="For double and int, unless `grid` lists the values.")
    grid: list[Number] | None = Field(default=None, description="The only values to try, for double and int; in place of bounds.")
    categorical_values: Categories | None = Field(default=None, description="The values of a categorical parameter.")
    transformation: Literal["none", "log"] | None = Field(default=None, description="`log` searches a double on a logarithmic scale.")
    prior: PriorSpec | None = Field(default=None, description="Where good values of a double are believed to lie.")
    default_value: Number | Text | None = Field(default=None, description="The value that older training runs count as having when it is added.")
    conditions: Conditions = Field(default_factory=dict, description="Conditional -> the value or values for which this parameter is active.")

    @model_validator(mode="before")
    @classmethod
    def _ints(cls, data: Any) -> Any:
        if not isinstance(data, dict) or data.get("type") != "int":
            return data
        return {**data, **{field: _whole(data[field]) for field in ("bounds", "grid", "default_value") if field in data}}

    @property
    def is_log(self) -> bool:
        """Whether it is searched on a logarithmic scale."""
        return self.transformation == "log"

    @model_validator(mode="after")
    def _rules(self) -> "ParameterSpec":
        refuse([*_value_rules(self), *_prior_rules(self), *_default_rules(self)])
        return self

    def to_api(self) -> dict[str, Any]:
        """The JSON that the API takes."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True) | {"name": self.name, "type": self.type}


def _value_rules(one: ParameterSpec) -> Iterator[Violation]:
    if one.type == "categorical":
        for field in ("bounds", "grid", "prior"):
            if getattr(one, field) is not None:
                yield Violation((field,), f"a categorical parameter has no {field}; its values are in categorical_values")
        if one.categorical_values is None:
            yield Violation(("categorical_values",), "missing: a categorical parameter lists at least 2 values")
        elif len(one.categorical_values) < 2:
            yield Violation(("categorical_values",), f"{len(one.categorical_values)} value; at least 2 are needed")
        elif len(set(one.categorical_values)) < len(one.categorical_values):
            yield Violation(("categorical_values",), "the same value twice; values must differ")
        if one.is_log:
            yield Violation(("transformation",), "log is for double parameters")
        return
    if one.categorical_values is not None:
        yield Violation(("categorical_values",), f"only a categorical parameter has them, and this one is {one.type}")
    if one.is_log and one.type != "double":
        how = "list its values as `grid: [1, 10, 100]`, or take a double with log and round it in the model"
        yield Violation(("transformation",), f"log is for double parameters, and this one is {one.type}; {how}")
    if one.grid is not None:
        yield from _grid_rules(one, one.grid)
    elif one.bounds is None:
        yield Violation(("bounds",), f"missing: {one.type} needs bounds such as {{min: 0, max: 1}}, or a grid of values")
    else:
        yield from _bounds_rules(one, one.bounds)


def _grid_rules(one: ParameterSpec, grid: list[int | float]) -> Iterator[Violation]:
    if one.bounds is not None:
        yield Violation(("bounds",), "not together with grid: the grid's values are all there are")
    if len(set(grid)) < len(grid) or len(grid) < 2:
        yield Violation(("grid",), f"{len(set(grid))} different values of {len(grid)}; at least 2 are needed, all different")
    if one.type == "int" and any(not float(value).is_integer() for value in grid):
        yield Violation(("grid",), "an int parameter has whole numbers only")
    if one.is_log and one.type == "double" and min(grid, default=1) <= 0:
        yield Violation(("grid",), "with transformation log all values must be above 0")


def _bounds_rules(one: ParameterSpec, bounds: BoundsSpec) -> Iterator[Violation]:
    is_log = one.is_log and one.type == "double"
    if is_log and bounds.min <= 0:
        yield Violation(("bounds", "min"), f"{bounds.min}; with transformation log it must be above 0")
    if bounds.min == bounds.max:
        yield Violation(
            ("bounds",),
            f"min and max are both {bounds.min}; leave a constant out of `parameters` and give it to the model in `run` or `env` of run.yml",
        )
    elif not (_log_width(bounds) if is_log else bounds.max - bounds.min) >= MIN_WIDTH:
        how = "; `transformation: log` takes bounds that are small" if one.type == "double" and bounds.max > bounds.min > 0 and not is_log else ""
        yield Violation(("bounds",), f"max {bounds.max} must be greater than min {bounds.min}, by {MIN_WIDTH:g} or more{how}")
    elif isinf(bounds.max - bounds.min):
        yield Violation(("bounds",), f"max {bounds.max} is too far from min {bounds.min}")
    if one.type == "int" and not (float(bounds.min).is_integer() and float(bounds.max).is_integer()):
        yield Violation(("bounds",), "the bounds of an int parameter must be whole numbers")


def _log_width(bounds: BoundsSpec) -> float:
    """The distance between the bounds on a logarithmic scale; where there is none, no reason to refuse them for it."""
    return log(bounds.max / bounds.min) if bounds.max > bounds.min > 0 and not isinf(bounds.max / bounds.min) else bounds.max - bounds.min


def _prior_rules(one: ParameterSpec) -> Iterator[Violation]:
    prior = one.prior
    if prior is None or one.type == "categorical":
        return
    if one.type != "double" or one.is_log or one.grid is not None:
        yield Violation(("prior",), "a prior is for double parameters without log and without grid")
    wanted, unwanted = (("mean", "scale"), ("shape_a", "shape_b")) if prior.name == "normal" else (("shape_a", "shape_b"), ("mean", "scale"))
    for field in wanted:
        value = getattr(prior, field)
        if value is None:
            yield Violation(("prior", field), f"missing: a {prior.name} prior needs {wanted[0]} and {wanted[1]}")
        elif field != "mean" and value <= 0:
            yield Violation(("prior", field), f"{value}; it must be above 0")
    for field in unwanted:
        if getattr(prior, field) is not None:
            yield Violation(("prior", field), f"a {prior.name} prior has {wanted[0]} and {wanted[1]} only")
    if prior.mean is not None and one.bounds is not None and not one.bounds.min <= prior.mean <= one.bounds.max:
        yield Violation(("prior", "mean"), f"{prior.mean} is outside of the bounds {one.bounds.min} to {one.bounds.max}")


def _default_rules(one: ParameterSpec) -> Iterator[Violation]:
    value = one.default_value
    if value is None:
        return
    if one.type == "categorical":
        if one.categorical_values and value not in one.categorical_values:
            yield Violation(("default_value",), f"{value!r} is none of {', '.join(one.categorical_values)}")
        return
    if isinstance(value, str):
        yield Violation(("default_value",), f"{value!r} is not a number")
    elif one.type == "int" and not float(value).is_integer():
        yield Violation(("default_value",), f"{value} is not a whole number")
    elif one.grid is not None and value not in one.grid:
        yield Violation(("default_value",), f"{value} is not a value of the grid")
    elif one.bounds is not None and not one.bounds.min <= value <= one.bounds.max:
        yield Violation(("default_value",), f"{value} is outside of the bounds {one.bounds.min} to {one.bounds.max}")
