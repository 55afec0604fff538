"""Files as such: what is told about one that cannot be read or accepted, and where."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trialflow.specs import SpecError, load_experiment, load_run

Problems = Callable[[str, str], list[str]]
GOOD = """\
name: x
parameters:
  - {name: a, type: double, bounds: {min: 0, max: 1}}
metrics:
  - {name: m}
budget: 10
"""


def test_all_problems_of_a_file_are_told_at_once_with_their_places(problems: Problems) -> None:
    text = """\
    name: x
    parameters:
      - name: a
        typ: double
        bounds: {min: 0, max: 1}
      - {name: b, type: doubel, bounds: {min: 0, max: 1}}
      - {name: c, type: int, bounds: {min: 0, max: "3"}}
    metrics:
      - {name: m, strategy: maximize}
    parallel_bandwith: 2
    """
    assert problems("experiment", text) == [
        '4:5: parameters[0].typ: unknown key; did you mean "type"?',
        "6:15: parameters[1].type: 'doubel'; allowed: double, int, categorical; did you mean \"double\"?",
        "7:43: parameters[2].bounds.max: '3'; expected a number; leave the quotes away",
        "9:15: metrics[0].strategy: 'maximize'; allowed: optimize, constraint, store; did you mean \"optimize\"?",
        '10:1: parallel_bandwith: unknown key; did you mean "parallel_bandwidth"?',
    ]


def test_slips_do_not_hide_rules_that_are_broken_further_up(problems: Problems) -> None:
    text = """\
    name: x
    parametres:
      - {nam: a, type: float, bounds: {min: 1e-5, max: -1}}
      - {name: a, type: int, bound: {min: 5, max: 1}}
    metrics:
      - {name: m, strategie: store}
    """
    assert problems("experiment", text) == [
        '2:1: parametres: unknown key; did you mean "parameters"?',
        '3:6: parametres[0].nam: unknown key; did you mean "name"?',
        "3:14: parametres[0].type: 'float'; allowed: double, int, categorical; did you mean \"double\"?",
        "3:27: parametres[0].bounds: max -1 must be greater than min 1e-05, by 1e-08 or more",
        "3:36: parametres[0].bounds.min: '1e-5'; expected a number; in YAML that is written 1.0e-5",
        '4:26: parametres[1].bound: unknown key; did you mean "bounds"?',
        '6:15: metrics[0].strategie: unknown key; did you mean "strategy"?',
    ]


def test_a_slip_is_mended_for_the_search_only(problems: Problems) -> None:
    text = GOOD.replace("metrics:", "metrics:\n  - {name: m, strategy: stor}")
    assert problems("experiment", text) == [
        "5:15: metrics[0].strategy: 'stor'; allowed: optimize, constraint, store; did you mean \"store\"?",
        "6:6: metrics[1].name: 'm' is there twice; names must differ",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "1:1: the file is empty; expected keys and values, such as `name: ...`"),
        ("# only words\n", "1:1: the file is empty; expected keys and values, such as `name: ...`"),
        ("- 1\n", "1:1: a list at the top; expected keys and values, such as `name: ...`"),
        ("just words\n", "1:1: a single value at the top; expected keys and values, such as `name: ...`"),
        (GOOD + "name: y\n", "7:1: name: this key is there twice"),
        (GOOD.replace("min: 0,", "min: 0, min: 0,"), "3:46: parameters[0].bounds.min: this key is there twice"),
        (GOOD.replace("name: x", "name: #[your name]"), "1:1: name: the placeholder #[your name] is still here; shown in lists and in the UI"),
        (GOOD.replace("name: x", "name:"), "1:1: name: nothing here; shown in lists and in the UI"),
        (GOOD.replace("double", "#[TYPE]\n   ").replace("{name: a, type:", "{name: a, type:"), "3:15: parameters[0].type: the placeholder #[TYPE]"),
        (GOOD + "project: p\n", "7:1: project: unknown key; the project is given by --project, SIGOPT_PROJECT or the folder's name"),
        (GOOD + "observation_budget: 3\n", "7:1: observation_budget: unknown key; `budget` says how many training runs"),
        (GOOD + "tasks: []\n", "7:1: tasks: unknown key; an AI experiment has none"),
        (GOOD + "nam: y\n", "7:1: nam: unknown key; allowed: name, parameters, metrics, budget, parallel_bandwidth, type"),
        (GOOD + "1: y\n", "7:1: [1]: the key 1; keys are text; put it in quotes"),
        (GOOD + "2020-01-01: y\n", "7:1: 2020-01-01: unknown key; allowed: name"),
        (GOOD.replace("name: x", "name: 2020-01-01"), "1:1: name: the date 2020-01-01; expected text; put it in quotes"),
        (GOOD.replace("name: x", "name: no"), "1:1: name: false; expected text; put it in quotes"),
        (GOOD.replace("max: 1", "max: .inf"), "3:46: parameters[0].bounds.max: inf; expected a finite number"),
        (GOOD.replace("budget: 10", "budget: 1e6"), "6:1: budget: '1e6'; expected a whole number; in YAML that is written 1.0e+6"),
        (GOOD.replace("{name: m}", "m"), "5:5: metrics[0]: 'm'; expected a mapping of keys to values"),
        (GOOD.replace("- {name: m}", "  name: m"), "4:1: metrics: a mapping; expected a list"),
        (GOOD + "metadata: {int: true}\n", "7:12: metadata.int: true; expected a number or text; put it in quotes"),
    ],
)
def test_one_thing_wrong_is_told_in_one_line(problems: Problems, text: str, expected: str) -> None:
    (found,) = problems("experiment", text)
    assert found.startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: x\nparameters:\n\t- {name: a}\n", "3:1: this is not YAML: found character that cannot start any token; YAML is indented with spaces"),
        ("name: x: y\n", "1:8: this is not YAML: mapping values are not allowed in this context; is this line indented right"),
        ("name: *x\n", "1:7: this is not YAML: found undefined alias; a text that starts with * must be in quotes"),
        ("name: @x\n", "1:7: this is not YAML: found character that cannot start any token; a text that starts with a special character"),
        ("a: 1\nname: 'x\n", "2:7: this is not YAML: found unexpected end of stream; a quote is opened and not closed"),
        ("name: [x\n", "2:1: this is not YAML: did not find expected ',' or ']'; is every line indented right, and every bracket closed?"),
        ("name: x\n---\nname: y\n", "2:1: this is not YAML: found another document; a second document starts after `---`"),
        ("name: !!python/object/apply:os.system [x]\n", "1:7: this is not YAML: could not determine a constructor"),
        ("name: 2024-99-99\n", "1:7: this is not YAML: '2024-99-99' looks like a date and is none; if it is text, put it in quotes"),
        ("budget: !!int ten\n", "1:9: this is not YAML: 'ten' looks like a number and is none"),
        ("name: x\n[a]: 1\n", "2:1: this is not YAML: a list or mapping cannot be a key"),
        ("a: &a\n  b: *a\n", "1:4: this is not YAML: it nests more than 50 deep, or an anchor holds itself"),
        ("name: x\nbudget: \x07\n", "2:1: this is not text: the character #x0007 cannot be in it"),
    ],
)
def test_what_is_no_yaml_is_told_with_its_meaning(problems: Problems, text: str, expected: str) -> None:
    (found,) = problems("experiment", text)
    assert found.startswith(expected)


def test_a_page_that_means_billions_of_values_is_refused_quickly(problems: Problems) -> None:
    levels = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    levels += [f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]" for level in range(1, 12)]
    (found,) = problems("experiment", "\n".join(levels))
    assert "holds more than 200000 values" in found


def test_what_a_merge_brings_may_be_there_again(load: Callable[[str, str], Any]) -> None:
    text = """\
    name: x
    parameters:
      - &one {name: a, type: double, bounds: {min: 0, max: 1}}
      - {<<: *one, name: b}
    metrics: [{name: m}]
    """
    assert [one.name for one in load("experiment", text).parameters] == ["a", "b"]


def test_keys_with_nothing_after_them_are_as_good_as_none(load: Callable[[str, str], Any]) -> None:
    assert load("run", "name: x\nrun: # python model.py\nimage: #[IMAGE]\nenv:\nmetrics:\n") == load("run", "name: x\n")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="there is no such file") as raised:
        load_experiment(tmp_path / "experiment.yml")
    assert raised.value.hint == "`trialflow init` writes one to start from"
    with pytest.raises(SpecError) as raised:
        load_experiment(tmp_path / "other.yml")
    assert raised.value.hint is None


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"name: \xff", "it is not UTF-8 text"), ("\ufeffname: x\n".encode(), None), (b"name: x\r\n", None), (b"{name: x}", None)],
)
def test_files_are_utf8_with_or_without_the_marks_of_other_systems(tmp_path: Path, content: bytes, expected: str | None) -> None:
    file = tmp_path / "run.yml"
    file.write_bytes(content)
    if expected is None:
        assert load_run(file).name == "x"
        return
    with pytest.raises(SpecError, match=expected):
        load_run(file)


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="it cannot be read: Is a directory"):
        load_run(tmp_path)


def test_one_problem_is_one_line_and_several_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "run.yml"
    file.write_text("rnu: x\nimge: y\n")
    with pytest.raises(SpecError) as raised:
        load_run(file)
    first, *rest = str(raised.value).splitlines()
    assert first == f"2 problems in {file}" and len(rest) == 2
    problem = raised.value.problems[0]
    assert (problem.line, problem.column, problem.field, problem.found, problem.suggestion) == (1, 1, "rnu", "unknown key", "run")
    assert raised.value.exit_code == 2
