"""Specs become files again."""

from typing import Any

import yaml
from pydantic import BaseModel, SecretStr

from trialflow.specs.command import shell_text
from trialflow.specs.run import RunSpec

BREAKS = "\n\r\x85\u2028\u2029"
"""What YAML takes for the end of a line, and turns into `\\n` or a space when it stands in a text as it is."""


def to_yaml(spec: BaseModel) -> str:
    """A YAML text that loads to the same spec. Secrets are written out: whoever writes it to a file keeps that private."""
    data = _plain(spec.model_dump(mode="python", exclude_none=True, exclude_defaults=True))
    if isinstance(spec, RunSpec) and (text := shell_text(spec.run or ())):
        data["run"] = text
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes equal lists twice rather than with anchors, and escapes what would not come back as it was."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    if any(character in BREAKS for character in text):
        style = "|" if text.isascii() and text.replace("\n", "").isprintable() and not text[:1].isspace() else '"'
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)
    return dumper.represent_str(text)


_Dumper.add_representer(str, _represent_text)


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
