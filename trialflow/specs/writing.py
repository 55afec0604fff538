"""Specs become files again."""

from typing import Any

import yaml
from pydantic import BaseModel, SecretStr

from trialflow.specs.run import RunSpec


def to_yaml(spec: BaseModel) -> str:
    """A YAML text that loads to the same spec. Secrets are written out: whoever writes it to a file keeps that private."""
    data = _plain(spec.model_dump(mode="python", exclude_none=True, exclude_defaults=True))
    if isinstance(spec, RunSpec) and spec.run and spec.run[:2] == ["sh", "-c"] and len(spec.run) == 3:
        data["run"] = spec.run[2]
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)


def _plain(value: Any) -> Any:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value
