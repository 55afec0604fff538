"""Assignments that somebody gives for an experiment: whether they are a point of its space. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.service import validation
from trialflow.service.errors import BadRequest

Body = Mapping[str, Any]
SLACK = 1e-9
"""Sums of floats may miss a threshold by rounding."""


def checked(body: Body, given: Any) -> dict[str, Any]:
    """`given` if it is a point of the experiment with this body: all its conditionals, its active parameters, nothing else.

    Bounds are not looked at: what was tried outside of them teaches as well. Raises `BadRequest` that names what is missing, unknown or inactive.
    """
    if not isinstance(given, Mapping):
        raise BadRequest(f"Invalid type for .assignments: {validation.excerpt(given)} - expected type object")
    if unknown := [name for name in given if name not in names_of(body)]:
        raise BadRequest(f"Unknown parameters in .assignments: {', '.join(unknown)}")
    for one in body.get("conditionals") or []:
        if one["name"] not in given:
            raise BadRequest(f'Missing required json key "{one["name"]}" in: {validation.excerpt(given)}')
        _check_choice(one["name"], given[one["name"]], one["values"])
    for one in body["parameters"]:
        is_given = given.get(one["name"]) is not None
        if is_given and not is_active(one, given):
            raise BadRequest(f"Do not give .assignments.{one['name']}: its conditions are not satisfied")
        if is_given:
            _check_value(one, given[one["name"]])
        elif is_active(one, given):
            raise BadRequest(f'Missing required json key "{one["name"]}" in: {validation.excerpt(given)}')
    point = {name: value for name, value in given.items() if value is not None}
    for constraint in body.get("linear_constraints") or []:
        _check_sum(constraint, point)
    return point


def explicit(body: Body, given: Mapping[str, Any]) -> dict[str, Any] | None:
    """The point that a training run's assignments are, whatever else they hold; None if they are none: then it teaches the optimizer nothing."""
    names = names_of(body)
    try:
        return checked(body, {name: value for name, value in given.items() if name in names})
    except BadRequest:
        return None


def names_of(body: Body) -> set[str]:
    """The names of all parameters and conditionals."""
    return {one["name"] for one in (*body["parameters"], *(body.get("conditionals") or []))}


def is_active(parameter: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether the choices that are `given` make a parameter active."""
    return all(given.get(name) in values for name, values in (parameter.get("conditions") or {}).items())


def _check_value(one: Mapping[str, Any], value: Any) -> None:
    path = f".assignments.{one['name']}"
    if one["type"] == "categorical":
        _check_choice(one["name"], value, one["categorical_values"])
        return
    number = validation.finite(value, path)
    if one["type"] == "int" and number != int(number):
        raise BadRequest(f"Invalid type for {path}: {value} - expected type integer")
    if one.get("grid") and number not in one["grid"]:
        raise BadRequest(f"{value} is not one of the allowed values: {', '.join(map(str, one['grid']))}")
    if one.get("transformation") == "log" and number <= 0:
        raise BadRequest(f"{path} must be above 0: the parameter is log-transformed")


def _check_choice(name: str, value: Any, choices: Sequence[str]) -> None:
    if not isinstance(value, str):
        raise BadRequest(f"Invalid type for .assignments.{name}: {validation.excerpt(value)} - expected type string")
    if value not in choices:
        raise BadRequest(f"{value} is not one of the allowed values: {', '.join(choices)}")


def _check_sum(constraint: Mapping[str, Any], point: Mapping[str, Any]) -> None:
    terms = [term["weight"] * point[term["name"]] for term in constraint["terms"]]
    slack = SLACK * max(1.0, abs(constraint["threshold"]), *map(abs, terms))
    over = sum(terms) - constraint["threshold"]
    if (over if constraint["type"] == "less_than" else -over) > slack:
        shown = " + ".join(f"{term['weight']}*{term['name']}" for term in constraint["terms"])
        raise BadRequest(f"The assignments do not satisfy the constraint: {shown} {constraint['type'].replace('_', ' ')} {constraint['threshold']}")
