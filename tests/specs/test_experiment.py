"""experiment.yml: every rule of it, with the words that a person reads."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from trialflow.specs import ExperimentSpec

Fields = dict[str, Any]
DOUBLE: Fields = {"name": "a", "type": "double", "bounds": {"min": 0, "max": 1}}
INT: Fields = {"name": "i", "type": "int", "bounds": {"min": 0, "max": 9}}
CATEGORICAL: Fields = {"name": "k", "type": "categorical", "categorical_values": ["x", "y"]}
CHOICE: Fields = {"name": "c", "values": ["x", "y"]}
CONSTRAINT: Fields = {"type": "less_than", "threshold": 1, "terms": [{"name": "a", "weight": 1}]}


def body(**fields: Any) -> Fields:
    return {"name": "x", "parameters": [DOUBLE], "metrics": [{"name": "m"}], "budget": 10, **fields}


def one(given: Fields, **fields: Any) -> Fields:
    """An experiment with one parameter: `given` with some fields changed, or left out where None."""
    return {"parameters": [{key: value for key, value in {**given, **fields}.items() if value is not None}]}


def terms(*names: str) -> list[Fields]:
    return [{"name": name, "weight": 1} for name in names]


def check(problems: Callable[[str, str], list[str]], fields: Fields, expected: str) -> None:
    (found,) = problems("experiment", yaml.safe_dump({key: value for key, value in body(**fields).items() if value is not None}))
    assert found.split(": ", 1)[1].startswith(expected)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"name": None}, "name: missing; shown in lists and in the UI"),
        ({"name": ""}, "name: empty"),
        ({"name": "n" * 101}, "name: 101 characters; at most 100"),
        ({"budget": 0}, "budget: 0; it must be above 0"),
        ({"budget": -1}, "budget: -1; it must be above 0"),
        ({"budget": 60.5}, "budget: 60.5; expected a whole number"),
        ({"budget": "1"}, "budget: '1'; expected a whole number; leave the quotes away"),
        ({"budget": True}, "budget: true; expected a whole number"),
        ({"budget": 10**20}, "budget: 100000000000000000000; expected a whole number up to 9007199254740992"),
        ({"parallel_bandwidth": 0}, "parallel_bandwidth: 0; it must be above 0"),
        ({"parallel_bandwidth": 1.5}, "parallel_bandwidth: 1.5; expected a whole number"),
        ({"type": "bayesian"}, "type: 'bayesian'; allowed: offline, random, grid; did you mean \"offline\"?"),
        ({"project": "p"}, "project: unknown key; the project is given by --project, SIGOPT_PROJECT or the folder's name"),
        ({"cpus": 2}, "cpus: unknown key; it goes into `resources: {requests: {cpu: ...}}` in run.yml"),
        ({"cpu": 2}, "cpu: unknown key; it goes into `resources: {requests: {cpu: ...}}` in run.yml"),
        ({"memory": "1Gi"}, "memory: unknown key; it goes into `resources: {requests: {memory: ...}}` in run.yml"),
        ({"sigopt": {}}, "sigopt: unknown key; a token and an address are given by SIGOPT_API_TOKEN and SIGOPT_API_URL"),
        ({"optimization": {}}, "optimization: unknown key; what is in it goes to the top of experiment.yml; the rest of an old orchestrate.yml"),
        ({"resources_per_model": {}}, "resources_per_model: unknown key; `resources` in run.yml has what a training run needs"),
        ({"framework": "x"}, "framework: unknown key; leave it out; the Dockerfile says what is installed"),
        ({"runs_only": True}, "runs_only: unknown key; AI experiments always have training runs"),
        ({"metric": {"name": "m"}}, "metric: unknown key; `metrics` is a list of them"),
        ({"num_solutions": 11}, "num_solutions: 11 solutions do not fit into a budget of 10"),
        ({"num_solutions": 2, "budget": None}, "budget: missing: an experiment with num_solutions needs one"),
        ({"num_solutions": 2, "metrics": [{"name": "m"}, {"name": "n"}]}, "num_solutions: more than one solution needs exactly one metric"),
        ({"metadata": {"k": "v" * 501}}, "metadata.k: 501 characters; at most 500"),
        ({"metadata": {"k" * 101: 1}}, f"metadata.{'k' * 101}: a key of 101 characters; at most 100"),
        ({"metadata": {str(key): 1 for key in range(101)}}, "metadata: 101 keys; at most 100"),
        ({"metadata": {"k": True}}, "metadata.k: true; expected a number or text; put it in quotes"),
    ],
)
def test_the_experiment_itself(problems: Callable[[str, str], list[str]], fields: Fields, expected: str) -> None:
    check(problems, fields, expected)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"parameters": []}, "parameters: an empty list; at least 1"),
        ({"parameters": [DOUBLE, DOUBLE]}, "parameters[1].name: 'a' is there twice; names must differ"),
        (one(DOUBLE, name=""), "parameters[0].name: empty"),
        (one(DOUBLE, name="n" * 101), "parameters[0].name: 101 characters; at most 100"),
        (one(DOUBLE, type="real"), "parameters[0].type: 'real'; allowed: double, int, categorical; did you mean \"double\"?"),
        (one(DOUBLE, bounds=None), "parameters[0].bounds: missing: double needs bounds such as {min: 0, max: 1}, or a grid of values"),
        (one(DOUBLE, bounds={"min": 0}), "parameters[0].bounds.max: missing; greatest value"),
        (one(DOUBLE, bounds={"min": 1, "max": 1}), "parameters[0].bounds: min and max are both 1; leave a constant out of `parameters`"),
        (one(INT, bounds={"min": 0, "max": 2**64}), "parameters[0].bounds.max: 18446744073709551616; expected a whole number of at most 64 bits"),
        (one(INT, step=2), "parameters[0].step: unknown key; `grid` lists the values"),
        (one(DOUBLE, bounds={"min": 0, "max": 1e-9}), "parameters[0].bounds: max 1e-09 must be greater than min 0"),
        (one(DOUBLE, bounds={"min": -1.7e308, "max": 1.7e308}), "parameters[0].bounds: max 1.7e+308 is too far from min -1.7e+308"),
        (one(INT, bounds={"min": 0.5, "max": 3}), "parameters[0].bounds: the bounds of an int parameter must be whole numbers"),
        (one(DOUBLE, transformation="log"), "parameters[0].bounds.min: 0; with transformation log it must be above 0"),
        (one(INT, transformation="log"), "parameters[0].transformation: log is for double parameters, and this one is int"),
        (one(DOUBLE, transformation="exp"), "parameters[0].transformation: 'exp'; allowed: none, log"),
        (one(DOUBLE, categorical_values=["x", "y"]), "parameters[0].categorical_values: only a categorical parameter has them"),
        (one(DOUBLE, min=0), "parameters[0].min: unknown key; it goes into `bounds: {min: ..., max: ...}`"),
        (one(DOUBLE, grid=[1, 2]), "parameters[0].bounds: not together with grid: the grid's values are all there are"),
        (one(DOUBLE, bounds=None, grid=[1, 1.0]), "parameters[0].grid: 1 different values of 2; at least 2 are needed, all different"),
        (one(DOUBLE, bounds=None, grid=[1]), "parameters[0].grid: 1 different values of 1; at least 2"),
        (one(DOUBLE, bounds=None, grid=[1, "b"]), "parameters[0].grid[1]: 'b'; expected a number"),
        (one(INT, bounds=None, grid=[1, 2.5]), "parameters[0].grid: an int parameter has whole numbers only"),
        (one(DOUBLE, bounds=None, grid=[0, 1], transformation="log"), "parameters[0].grid: with transformation log all values must be above 0"),
        (one(CATEGORICAL, categorical_values=None), "parameters[0].categorical_values: missing: a categorical parameter lists at least 2 values"),
        (one(CATEGORICAL, categorical_values=["x"]), "parameters[0].categorical_values: 1 value; at least 2 are needed"),
        (one(CATEGORICAL, categorical_values=["x", "x"]), "parameters[0].categorical_values: the same value twice; values must differ"),
        (one(CATEGORICAL, categorical_values=["x", "v" * 51]), "parameters[0].categorical_values[1]: 51 characters; at most 50"),
        (one(CATEGORICAL, categorical_values=["x", ""]), "parameters[0].categorical_values[1]: empty"),
        (one(CATEGORICAL, categorical_values=["x", 1]), "parameters[0].categorical_values[1]: 1; expected text; put it in quotes"),
        (one(CATEGORICAL, bounds={"min": 0, "max": 1}), "parameters[0].bounds: a categorical parameter has no bounds"),
        (one(CATEGORICAL, grid=[1, 2]), "parameters[0].grid: a categorical parameter has no grid"),
        (one(CATEGORICAL, transformation="log"), "parameters[0].transformation: log is for double parameters"),
        (one(CATEGORICAL, default_value="z"), "parameters[0].default_value: 'z' is none of x, y"),
        (one(DOUBLE, default_value=3), "parameters[0].default_value: 3 is outside of the bounds 0 to 1"),
        (one(DOUBLE, default_value="z"), "parameters[0].default_value: 'z' is not a number"),
        (one(INT, default_value=1.5), "parameters[0].default_value: 1.5 is not a whole number"),
        (one(DOUBLE, bounds=None, grid=[1, 2], default_value=3), "parameters[0].default_value: 3 is not a value of the grid"),
    ],
)
def test_parameters(problems: Callable[[str, str], list[str]], fields: Fields, expected: str) -> None:
    check(problems, fields, expected)


NORMAL: Fields = {"name": "normal", "mean": 0.5, "scale": 1}
BETA: Fields = {"name": "beta", "shape_a": 1, "shape_b": 1}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (one(DOUBLE, prior={**NORMAL, "mean": 2}), "parameters[0].prior.mean: 2 is outside of the bounds 0 to 1"),
        (one(DOUBLE, prior={**NORMAL, "scale": 0}), "parameters[0].prior.scale: 0; it must be above 0"),
        (one(DOUBLE, prior={"name": "normal", "mean": 0.5}), "parameters[0].prior.scale: missing: a normal prior needs mean and scale"),
        (one(DOUBLE, prior={**NORMAL, "shape_a": 1}), "parameters[0].prior.shape_a: a normal prior has mean and scale only"),
        (one(DOUBLE, prior={**BETA, "shape_a": 0}), "parameters[0].prior.shape_a: 0; it must be above 0"),
        (one(DOUBLE, prior={"name": "beta", "shape_b": 1}), "parameters[0].prior.shape_a: missing: a beta prior needs shape_a and shape_b"),
        (one(DOUBLE, prior={**BETA, "name": "gamma"}), "parameters[0].prior.name: 'gamma'; allowed: normal, beta"),
        (one(DOUBLE, bounds={"min": 0.1, "max": 1}, transformation="log", prior=BETA), "parameters[0].prior: a prior is for double parameters"),
        (one(DOUBLE, bounds=None, grid=[0, 1], prior=BETA), "parameters[0].prior: a prior is for double parameters without log and without grid"),
        (one(INT, prior=BETA), "parameters[0].prior: a prior is for double parameters"),
        (one(CATEGORICAL, prior=BETA), "parameters[0].prior: a categorical parameter has no prior"),
    ],
)
def test_priors(problems: Callable[[str, str], list[str]], fields: Fields, expected: str) -> None:
    check(problems, fields, expected)


BOUND: Fields = {"strategy": "constraint", "threshold": 1}


@pytest.mark.parametrize(
    ("metrics", "expected"),
    [
        ([], "metrics: an empty list; at least 1"),
        ([{"name": "m"}, {"name": "m", "strategy": "store"}], "metrics[1].name: 'm' is there twice; names must differ"),
        ([{"name": "m", "strategy": "store"}], "metrics: all metrics are only stored; at least one has strategy optimize or constraint"),
        ([{"name": "m"}, {"name": "s", "strategy": "store", "threshold": 1}], "metrics[1].threshold: a stored metric has none"),
        ([{"name": "m", "strategy": "constraint"}], "metrics[0].threshold: missing: a constraint needs the value that it has to reach"),
        ([{"name": "m", "threshold": 1}], "metrics[0].threshold: only with two metrics to optimize; with one, use strategy constraint on another"),
        ([{"name": name} for name in "abc"], "metrics[2].strategy: 3 metrics to optimize; at most 2"),
        ([{"name": name, **BOUND} for name in "abcde"], "metrics[4].strategy: 5 constraints; at most 4"),
        ([{"name": "m"}, *({"name": str(n), "strategy": "store"} for n in range(50))], "metrics: 51 metrics; at most 50"),
        ([{"name": "m", "objective": "max"}], "metrics[0].objective: 'max'; allowed: maximize, minimize; did you mean \"maximize\"?"),
        ([{"name": "m", "goal": "minimize"}], "metrics[0].goal: unknown key; `objective` says maximize or minimize"),
        ([{"name": "m", "threshold": "high"}], "metrics[0].threshold: 'high'; expected a number"),
    ],
)
def test_metrics(problems: Callable[[str, str], list[str]], metrics: list[Fields], expected: str) -> None:
    check(problems, {"metrics": metrics}, expected)


@pytest.mark.parametrize(
    ("metrics", "reason"), [([{"name": "a"}, {"name": "b"}], "two metrics to optimize"), ([{"name": "a"}, {"name": "b", **BOUND}], "a constraint")]
)
def test_some_experiments_need_a_budget(problems: Callable[[str, str], list[str]], metrics: list[Fields], reason: str) -> None:
    check(problems, {"metrics": metrics, "budget": None}, f"budget: missing: an experiment with {reason} needs one")
    assert ExperimentSpec.model_validate(body(metrics=metrics)).budget == 10


def conditioned(values: Any, name: str = "c") -> list[Fields]:
    return [{**DOUBLE, "conditions": {name: values}}, INT]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"parameters": conditioned("x")}, "parameters[0].conditions.c: there is no conditional 'c'"),
        ({"parameters": conditioned("x", "d"), "conditionals": [CHOICE]}, "parameters[0].conditions.d: there is no conditional 'd'; there are c"),
        ({"parameters": conditioned("z"), "conditionals": [CHOICE]}, "parameters[0].conditions.c: 'z' is no value of 'c'; it has x, y"),
        ({"parameters": conditioned([]), "conditionals": [CHOICE]}, "parameters[0].conditions.c: an empty list; at least 1"),
        ({"parameters": conditioned(1), "conditionals": [CHOICE]}, "parameters[0].conditions.c: 1; expected text; put it in quotes"),
        ({"conditionals": [{**CHOICE, "name": "a"}]}, "conditionals[0].name: 'a' is the name of a parameter too; names must differ"),
        ({"conditionals": [CHOICE, CHOICE]}, "conditionals[1].name: 'c' is there twice; names must differ"),
        ({"conditionals": [{**CHOICE, "values": ["x", "x"]}]}, "conditionals[0].values: the same value twice; values must differ"),
        ({"conditionals": [{**CHOICE, "values": ["x"]}]}, "conditionals[0].values: a list of 1; at least 2"),
        ({"conditionals": [{**CHOICE, "values": ["x", "v" * 51]}]}, "conditionals[0].values[1]: 51 characters; at most 50"),
        ({"parameters": conditioned("x")[:1], "conditionals": [CHOICE]}, "conditionals: with c=y no parameter is active; at least one must be"),
        ({"conditionals": [CHOICE], "num_solutions": 2}, "conditionals: not together with num_solutions"),
        (
            {"conditionals": [CHOICE], "type": "grid", "budget": 2, **one(DOUBLE, bounds=None, grid=[1, 2])},
            "conditionals: not together with type grid",
        ),
    ],
)
def test_conditionals(problems: Callable[[str, str], list[str]], fields: Fields, expected: str) -> None:
    check(problems, fields, expected)


def constrained(*parameters: Fields, **fields: Any) -> Fields:
    return {"parameters": list(parameters), "linear_constraints": [{**CONSTRAINT, **fields}]}


SECOND = {**DOUBLE, "name": "b"}
MANY_INTS = [{**INT, "name": f"i{n}"} for n in range(11)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (constrained(DOUBLE, type="equal"), "linear_constraints[0].type: 'equal'; allowed: less_than, greater_than"),
        (constrained(DOUBLE, terms=[]), "linear_constraints[0].terms: an empty list; at least 1"),
        (constrained(DOUBLE, terms=terms("z")), "linear_constraints[0].terms[0].name: there is no parameter 'z'; there are a"),
        (constrained(DOUBLE, terms=terms("a", "a")), "linear_constraints[0].terms[1].name: 'a' is there twice"),
        (constrained(DOUBLE, INT, terms=terms("a", "i")), "linear_constraints[0].terms: int and double parameters in one constraint; use one kind"),
        (constrained(CATEGORICAL, terms=terms("k")), "linear_constraints[0].terms[0].name: 'k' cannot be constrained: only int and double"),
        (constrained({"name": "a", "type": "double", "grid": [1, 2]}), "linear_constraints[0].terms[0].name: 'a' cannot be constrained"),
        (
            constrained({**DOUBLE, "bounds": {"min": 1, "max": 2}, "transformation": "log"}),
            "linear_constraints[0].terms[0].name: 'a' cannot be constrained",
        ),
        (
            {**constrained({**DOUBLE, "conditions": {"c": "x"}}, INT), "conditionals": [CHOICE]},
            "linear_constraints[0].terms[0].name: 'a' cannot be constrained",
        ),
        (constrained(DOUBLE, threshold=-1), "linear_constraints[0].threshold: -1 cannot be reached within the bounds of the parameters"),
        (constrained(DOUBLE, type="greater_than", threshold=2), "linear_constraints[0].threshold: 2 cannot be reached"),
        (
            {
                "parameters": [DOUBLE, SECOND],
                "linear_constraints": [
                    {"type": "less_than", "threshold": 0.5, "terms": terms("a", "b")},
                    {"type": "greater_than", "threshold": 0.6, "terms": terms("a", "b")},
                ],
            },
            "linear_constraints: within the bounds of the parameters they cannot all hold together",
        ),
        (constrained(*MANY_INTS, terms=terms(*(p["name"] for p in MANY_INTS))), "linear_constraints: 11 constrained int parameters; at most 10"),
    ],
)
def test_linear_constraints(problems: Callable[[str, str], list[str]], fields: Fields, expected: str) -> None:
    check(problems, fields, expected)


GRID: Fields = {"name": "g", "type": "int", "grid": [1, 2, 3]}


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"parameters": [GRID, DOUBLE]}, "parameters[1].grid: missing: in an experiment of type grid every numeric parameter lists its values"),
        ({"parameters": [GRID], "budget": 4}, "budget: 4, but the grid has 3 points; leave it out or give that number"),
    ],
)
def test_a_grid(problems: Callable[[str, str], list[str]], fields: Fields, expected: str) -> None:
    check(problems, {"type": "grid", **fields}, expected)


def test_a_grid_has_the_budget_of_its_points() -> None:
    spec = ExperimentSpec.model_validate(body(type="grid", parameters=[GRID, CATEGORICAL], budget=None))
    assert spec.to_api()["budget"] == 6
    assert ExperimentSpec.model_validate(body(type="grid", parameters=[GRID], budget=3)).full_budget == 3


@pytest.mark.parametrize(
    "fields",
    [
        {"budget": 60.0},
        {"budget": None},
        {"type": "random", "budget": None},
        {"metrics": [{"name": "m", **BOUND}]},
        {"metrics": [{"name": "m", "threshold": 1}, {"name": "n", "threshold": 2}]},
        {"num_solutions": 1, "budget": None},
        {"parameters": [{"name": "g", "type": "double", "grid": [0.1, 10], "transformation": "log", "default_value": 10}]},
        {"parameters": [{**DOUBLE, "prior": NORMAL}, {**SECOND, "prior": BETA}, {**INT, "default_value": 3}]},
        {"parameters": conditioned(["x", "y"]), "conditionals": [CHOICE]},
        constrained(DOUBLE, SECOND, terms=terms("a", "b")),
        {"metadata": {"k": "v", "n": 1.5, "z": None}},
        {"parameters": [{**DOUBLE, "name": "n" * 100}], "name": "n" * 100},
        {"parameters": [{**DOUBLE, "bounds": {"min": 1e-12, "max": 1e-9}, "transformation": "log"}]},
        {"parameters": [{**DOUBLE, "name": f"{number}" + "n" * 90} for number in range(450)]},
    ],
)
def test_what_is_right_is_taken(load: Callable[[str, str], Any], fields: Fields) -> None:
    assert load("experiment", yaml.safe_dump(body(**fields))) == ExperimentSpec.model_validate(body(**fields))


@pytest.mark.parametrize(("first", "second"), [("lr", "LR"), ("opt.wd", "opt_wd"), ("α", "β")])
def test_names_that_share_a_variable_are_refused_in_a_file_and_taken_by_the_api(
    problems: Callable[[str, str], list[str]], first: str, second: str
) -> None:
    fields = body(parameters=[{**DOUBLE, "name": first}, {**DOUBLE, "name": second}])
    (found,) = problems("experiment", yaml.safe_dump(fields))
    assert f"{second!r} and {first!r} are both TRIALFLOW_PARAM_" in found and "rename one" in found
    assert ExperimentSpec.model_validate(fields)


def test_a_conditional_shares_no_variable_with_a_parameter(problems: Callable[[str, str], list[str]]) -> None:
    choice = {"name": "A", "values": ["x", "y"]}
    (found,) = problems("experiment", yaml.safe_dump(body(conditionals=[choice])))
    assert "conditionals[0].name: 'A' and 'a' are both TRIALFLOW_PARAM_A" in found


def test_names_that_no_training_run_can_be_given_are_refused(problems: Callable[[str, str], list[str]]) -> None:
    many = [{**DOUBLE, "name": f"{number}" + "n" * 90} for number in range(3000)]
    (found,) = problems("experiment", yaml.safe_dump(body(parameters=many)))
    assert "a training run can be given 192 KiB" in found
