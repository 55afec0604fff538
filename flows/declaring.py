"""How flows are declared: as Prefect's, but that a reference to a block becomes the block's name, and its contents are left where they are."""

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

from prefect import Flow
from prefect.exceptions import ParameterTypeError
from pydantic_core import to_jsonable_python

from blocks.references import UnknownReference, with_names

P = ParamSpec("P")
R = TypeVar("R")


class FlowByReference(Flow[P, R]):
    """A flow that loads a block where it is needed, and not with its parameters: Prefect logs those when one is invalid."""

    def validate_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """As Prefect does, with the names of blocks in place of references. Raises `ParameterTypeError`."""
        try:
            named = with_names(parameters)
        except UnknownReference as error:
            raise ParameterTypeError(str(error)) from error
        return super().validate_parameters(named)

    def serialize_parameters(self, parameters: dict[str, Any]) -> dict[str, Any]:
        """The same as from Prefect's own method, which imports FastAPI for it: a tenth of the start of a command."""
        try:
            return to_jsonable_python(parameters)
        except ValueError:  # something that is no data
            return super().serialize_parameters(parameters)


def flow(**options: Any) -> Callable[[Callable[P, R]], Flow[P, R]]:
    """Declare a flow; `options` are those of Prefect's decorator."""

    def declare(function: Callable[P, R]) -> Flow[P, R]:
        return FlowByReference(function, **options)

    return declare
