"""`run.yml`: how the model is run."""

import re
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from trialflow.launcher.printed_numbers import PLACEHOLDER, expanded
from trialflow.specs.command import for_shell
from trialflow.specs.image import check_image
from trialflow.specs.resources import Resources
from trialflow.specs.strict import Count, Hidden, Name, NonEmpty, Number, Secret, Strict, Text, Violation, refuse

DURATION = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(s|m|h|d)?\s*")
SECONDS = {None: 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
SHELLS = ("sh", "bash", "dash", "zsh", "ksh", "ash", "env")
SHELL_VARIABLE = re.compile(r"\$(\{?[A-Za-z_])")
VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def _command(value: Any) -> Any:
    if isinstance(value, str) and value.strip():
        return for_shell(value)
    if not value or not isinstance(value, list):
        raise PydanticCustomError("string", "expected a command: a text for the shell, or a list of words")
    return value


def _seconds(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise PydanticCustomError("duration", 'expected seconds, or a text such as "90s", "15m", "2h" or "1d"')
    match = DURATION.fullmatch(str(value))
    if not match or float(match[1]) <= 0:
        raise PydanticCustomError("duration", 'expected seconds above 0, or a text such as "90s", "15m", "2h" or "1d"')
    return float(match[1]) * SECONDS[match[2]]


def _variable(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("variable", 'expected text or a number; put it in quotes, as in "{text}"', {"text": str(value).lower()})
    if value is None:
        raise PydanticCustomError("variable", 'expected text or a number; an empty text is ""')
    if not isinstance(value, str | int | float):
        raise PydanticCustomError("variable", "expected text or a number")
    return str(value)


def _variables(variables: dict[str, str]) -> dict[str, str]:
    refuse([Violation((name,), "this cannot be the name of an environment variable") for name in variables if not VARIABLE_NAME.fullmatch(name)])
    return variables


def _patterns(patterns: dict[str, str]) -> dict[str, str]:
    refuse([violation for name, pattern in patterns.items() for violation in _pattern_rules(name, pattern)])
    return patterns


def _pattern_rules(name: str, pattern: str) -> Iterator[Violation]:
    try:
        groups = re.compile(expanded(pattern)).groups
    except re.error as error:
        yield Violation((name,), f"{pattern!r} is no regular expression: {error}")
        return
    if groups != 1:
        yield Violation((name,), f"{pattern!r} has {groups} groups; exactly one, around the number, as in 'accuracy={PLACEHOLDER}'")


Command = Annotated[
    list[Text],
    BeforeValidator(_command),
    WithJsonSchema({"oneOf": [{"type": "string", "minLength": 1}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"oneOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": f"^{DURATION.pattern}$"}]}),
]
Variable = Annotated[str, BeforeValidator(_variable), WithJsonSchema({"type": ["string", "number"]})]


class AwsKeys(Strict):
    """AWS credentials that the model gets. They are kept out of logs and messages."""

    aws_access_key_id: Secret = Field(description="The access key's id.")
    aws_secret_access_key: Secret = Field(description="The secret access key.")
    aws_session_token: Secret | None = Field(default=None, description="The session token that temporary keys come with.")

    def variables(self) -> dict[str, str]:
        """The keys as AWS's own variables, in clear."""
        pairs = {name.upper(): getattr(self, name) for name in ("aws_access_key_id", "aws_secret_access_key", "aws_session_token")}
        return {name: value.get_secret_value() for name, value in pairs.items() if value is not None}


class RunSpec(Strict):
    """How the model is run: its command, what it needs, and how its metrics are read."""

    name: Name | None = Field(default=None, description="The training run's name.")
    run: Command | None = Field(
        default=None, description="The command: a text for the shell, or a list of words.", examples=["python model.py", ["python", "model.py"]]
    )
    image: Annotated[Text, AfterValidator(check_image)] | None = Field(
        default=None, description="The container image, for clusters.", examples=["registry.example.com:5000/team/model:1"]
    )
    secrets: list[NonEmpty] = Field(
        default_factory=list, description="Kubernetes Secrets whose keys the model gets as environment variables, for clusters."
    )
    pod: dict[str, Any] = Field(
        default_factory=dict,
        description="Fields of the pod's own, laid over ours, for clusters: tolerations, volumes, containers (ours is called `model`), metadata.",
        examples=[{"nodeSelector": {"disk": "ssd"}}],
    )
    resources: Resources | None = Field(default=None, description="What a training run needs, for clusters.")
    aws: Annotated[AwsKeys, Hidden] | None = Field(default=None, description="AWS credentials that the model gets.")
    env: Annotated[dict[str, Variable], AfterValidator(_variables)] = Field(
        default_factory=dict,
        description="Environment variables of the model. No secrets: they are shown in the UI.",
        examples=[{"OMP_NUM_THREADS": 1}],
    )
    metrics: Annotated[dict[Name, Text], AfterValidator(_patterns)] = Field(
        default_factory=dict,
        description=(
            "Metric -> regular expression, searched in every line that the model prints; the last match counts. "
            "`{number}` stands for a number of any form; otherwise one group stands around it."
        ),
        examples=[{"accuracy": "accuracy={number}"}],
    )
    timeout: Seconds | None = Field(
        default=None, description='After so long a training run has failed: seconds, or "90s", "15m", "2h", "1d".', examples=["15m"]
    )
    max_relaunches: Count = Field(default=5, description="How often a training run that was lost may be launched again.")
    assignments: dict[str, Number | Text] = Field(default_factory=dict, description="Parameter values for `trialflow run`.")

    @property
    def notes(self) -> list[str]:
        """What is probably not meant as it is written, a sentence each."""
        words = self.run or []
        if not words or words[0].rpartition("/")[2] in SHELLS:
            return []
        return [
            f"`{word}` in a command that is a list reaches the model as it is; write the command as one text for the shell to replace it"
            for word in words
            if SHELL_VARIABLE.search(word)
        ]
