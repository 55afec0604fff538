"""What Prefect keeps of a flow run's parameters is what it would keep of any flow's."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect import Flow
from pydantic import BaseModel, Field, SecretStr

from flows.declaring import flow


class Spec(BaseModel):
    """A parameter with what parameters may have."""

    name: str = Field("n", alias="called")
    secret: SecretStr = SecretStr("s")
    at: datetime = datetime(2026, 1, 2, tzinfo=UTC)
    kinds: set[str] = {"a"}
    more: "Spec | None" = None


def tune(**parameters: Any) -> None:
    """Nothing."""


VALUES: dict[str, Any] = {
    "nothing": None,
    "infinity": float("inf"),
    "collections": ["text", 1, {"a": (2, 3)}],
    "model": Spec(),
    "model in model": Spec(called="other", more=Spec()),
    "model in collection": {"spec": Spec()},
    "secret": SecretStr("s"),
    "path": Path("/a"),
    "no data": object(),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_parameters_are_kept_as_prefect_keeps_them(value: Any) -> None:
    given = {"value": value, "another": 1}
    assert flow()(tune).serialize_parameters(given) == Flow(tune).serialize_parameters(given)
