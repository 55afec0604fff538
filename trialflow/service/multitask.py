"""Multitask experiments of the core API: tasks run the same model at a fraction of the cost. Their rules, and how requests name one. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from trialflow.service import validation
from trialflow.service.errors import BadRequest

Task = dict[str, Any]


def validated_tasks(given: Any) -> list[Task]:
    """The tasks of a new experiment as `{name, cost}`. Raises `BadRequest` unless names and costs differ, costs are in (0, 1], and one costs 1."""
    if not isinstance(given, list) or not all(isinstance(one, Mapping) for one in given):
        raise BadRequest(f"Invalid type for .tasks: {validation.excerpt(given)} - expected an array of objects")
    tasks = []
    for index, one in enumerate(given):
        validation.known_keys(one, ("name", "cost", "object"))
        task = {
            "name": validation.name(one.get("name"), f".tasks[{index}].name"),
            "cost": validation.finite(one.get("cost"), f".tasks[{index}].cost"),
        }
        if not 0 < task["cost"] <= 1:
            raise BadRequest(f".tasks[{index}].cost must be above 0 and at most 1, not {task['cost']}")
        tasks.append(task)
    if len(tasks) < 2:
        raise BadRequest("The length of .tasks must be greater than or equal to 2")
    for key in ("name", "cost"):
        if len({one[key] for one in tasks}) < len(tasks):
            raise BadRequest(f"The {key}s of .tasks must differ")
    if all(one["cost"] != 1 for one in tasks):
        raise BadRequest("One of .tasks must have cost 1")
    return tasks


def check_multitask(body: Mapping[str, Any]) -> None:
    """Raise `BadRequest` if a multitask experiment has no budget, or asks for what multitask experiments do not have."""
    if body.get("budget") is None:
        raise BadRequest("An experiment with tasks needs an observation_budget")
    if sum(one.get("strategy") in (None, "optimize", "constraint") for one in body["metrics"]) > 1:
        raise BadRequest("An experiment with tasks has one metric to optimize and no constraints")
    if (body.get("num_solutions") or 1) > 1:
        raise BadRequest("An experiment with tasks has one solution")
    if body.get("type") == "grid":
        raise BadRequest("An experiment with tasks is not of type grid")


def find_task(tasks: Sequence[Task] | None, given: Any) -> Task | None:
    """The task that a request names, by its name or as an object with it; None if it names none. Raises `BadRequest` for an unknown one."""
    if given is None:
        return None
    if not tasks:
        raise BadRequest("This experiment has no tasks")
    name = given.get("name") if isinstance(given, Mapping) else given
    found = next((one for one in tasks if one["name"] == name), None)
    if found is None:
        raise BadRequest(f"{validation.excerpt(name)} is not one of the tasks: {', '.join(one['name'] for one in tasks)}")
    if isinstance(given, Mapping) and given.get("cost") not in (None, found["cost"]):
        raise BadRequest(f"The task {name} has the cost {found['cost']}, not {validation.excerpt(given['cost'])}")
    return found


def task_with_cost(tasks: Sequence[Task], cost: float) -> Task:
    """The task of this cost."""
    return min(tasks, key=lambda one: abs(one["cost"] - cost))


def is_full_cost(row: Mapping[str, Any]) -> bool:
    """Whether an observation was made at full cost: only those are compared for the best."""
    return row["task"] is None or row["task"]["cost"] >= 1
