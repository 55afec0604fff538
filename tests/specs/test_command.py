"""A command as one text: for the shell, a JSON list of words, or as the image says; and back, exactly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from trialflow.specs import FlowRunSpec, RunSpec, command_of, parameter_of
from trialflow.specs.command import words_in

FLOW = TypeAdapter(FlowRunSpec)
SHELL_TEXTS = [
    "python train.py --rate 0.1",
    "[ -f weights.pt ] && python train.py",
    '["python", "train.py"',
    '["python", 1]',
    '["python"] && x',
    '"python"',
    "{}",
    "null",
    "1",
    "[" * 100_000,
    f"[{'1' * 5000}]",
    "cd a\n./train.sh\n",
]
TEXTS = st.text(min_size=1) | st.sampled_from(SHELL_TEXTS) | st.lists(st.text()).map(json.dumps) | st.text("[]\"', a\n\\", min_size=1)
WORDS = st.lists(st.text() | TEXTS, min_size=1)
COMMANDS = WORDS | TEXTS.map(lambda text: ["sh", "-c", text])


@pytest.mark.parametrize("text", SHELL_TEXTS, ids=lambda text: text[:30])
def test_a_text_that_is_no_json_list_of_strings_is_for_the_shell(text: str) -> None:
    assert FLOW.validate_python({"run": text}).run == ["sh", "-c", text]


@pytest.mark.parametrize("text", ['["python", "train.py"]', ' ["python",\n "train.py"]\n'])
def test_a_json_list_is_words_without_a_shell(text: str) -> None:
    assert FLOW.validate_python({"run": text}).run == ["python", "train.py"]


@pytest.mark.parametrize("given_as", ["[]", " [ ] ", None])
def test_an_empty_list_leaves_it_to_the_image(given_as: str | None) -> None:
    assert FLOW.validate_python({"run": given_as}).run is None
    assert FLOW.validate_python({}).run is None, "as an older flow run may have it"


@pytest.mark.parametrize("text", ["", "  \n"])
def test_no_command_at_all_is_refused(text: str) -> None:
    with pytest.raises(ValidationError, match="expected a command"):
        FLOW.validate_python({"run": text})


@given(TEXTS.filter(str.strip))
def test_a_text_for_the_shell_comes_back_letter_by_letter_and_a_list_as_the_same_words(text: str) -> None:
    spec = FLOW.validate_python({"run": text})
    again = parameter_of(spec)["run"]
    assert FLOW.validate_python({"run": again}) == spec
    words = words_in(text)
    assert again == text if words is None else command_of(again) == (words or None)


@given(st.none() | COMMANDS)
def test_a_command_becomes_a_text_that_stands_for_exactly_it(command: list[str] | None) -> None:
    spec = RunSpec.model_validate({"run": command, "image": "host/model:1"})
    made = json.loads(json.dumps(parameter_of(spec)))
    assert isinstance(made["run"], str) and made["run"].strip()
    assert FLOW.validate_python(made) == spec
    assert FLOW.validate_python({"run": command, "image": "host/model:1"}) == spec, "an older flow run has a list, or none"
