"""Blocks as parameters of flows: chosen from a list in Prefect's UI, or given by name. Parameters hold which block it is, never what is in it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError
from pydantic_core.core_schema import no_info_before_validator_function

from blocks.cluster import TrialflowCluster
from blocks.registry import ImageRegistry
from blocks.service import TrialflowService

REFERENCE = "$ref"
BY_ID, BY_SLUG = "block_document_id", "block_document_slug"
UUID_PATTERN = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


@dataclass(frozen=True)
class Referred:
    """The block that a reference leads to: its type by its slug, and its name. Nothing of what it holds."""

    kind: str
    name: str


class UnknownReference(ValueError):
    """A reference to a block that this Prefect server does not have, or that is no reference."""


def with_names(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The same parameters with a `Referred` for each reference to a block. Raises `UnknownReference`.

    Prefect would load the blocks here, and log what they hold if another parameter is wrong.
    """
    return {name: _named(value) for name, value in parameters.items()}


def _named(node: Any) -> Any:
    if isinstance(node, list):
        return [_named(one) for one in node]
    if not isinstance(node, dict):
        return node
    if set(node) == {REFERENCE}:
        return _referred(node[REFERENCE])
    return {name: _named(value) for name, value in node.items()}


def _referred(to: Any) -> Referred:
    if isinstance(to, Mapping) and isinstance(slug := to.get(BY_SLUG), str) and slug.count("/") == 1:
        return Referred(*slug.split("/"))
    try:
        identifier = UUID(str(to.get(BY_ID) if isinstance(to, Mapping) else to))
    except ValueError as error:
        raise UnknownReference(f"{to!r} refers to no block: give the block's name, or choose it in the form") from error
    return _look_up(identifier)


def _look_up(identifier: UUID) -> Referred:
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound

    with get_client(sync_client=True) as client:
        try:
            found = client.read_block_document(identifier, include_secrets=False)
        except ObjectNotFound as error:
            raise UnknownReference(f"this Prefect server has no block {identifier}: it was deleted, or is on another server") from error
    if found.name is None or found.block_type is None:
        raise UnknownReference(f"the block {identifier} has no name")
    return Referred(found.block_type.slug, found.name)


@dataclass(frozen=True)
class Chosen:
    """Says in `Annotated` that a text is the name of a block of this type: the UI has it chosen from a list, and a reference is taken too."""

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return no_info_before_validator_function(self._name, handler(source))

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        by = {f"^{BY_ID}$": {"type": "string", "pattern": UUID_PATTERN}, f"^{BY_SLUG}$": {"type": "string", "pattern": "^[^/]+/[^/]+$"}}
        # The UIs take a property that is called `$ref` for a reference inside of the schema: hence its name as a pattern.
        to = _only({"type": ["object", "string"], "pattern": UUID_PATTERN}, by)
        return _only({"block_type_slug": self.kind, "type": ["object", "string"], "minLength": 1}, {"^\\$ref$": to})

    def _name(self, value: Any) -> Any:
        if not isinstance(value, Referred):
            return value
        if value.kind != self.kind:
            facts = {"kind": self.kind, "name": value.name, "other": value.kind}
            raise PydanticCustomError("block", "expected a block of type {kind}, and {name} is one of type {other}", facts)
        return value.name


def _only(schema: dict[str, Any], patterns: dict[str, Any]) -> dict[str, Any]:
    """The schema of an object with one or more of these properties, and no others."""
    return {**schema, "minProperties": 1, "additionalProperties": False, "patternProperties": patterns}


ClusterBlock = Annotated[str, Field(min_length=1), Chosen(TrialflowCluster.get_block_type_slug())]
ServiceBlock = Annotated[str, Field(min_length=1), Chosen(TrialflowService.get_block_type_slug())]
RegistryBlock = Annotated[str, Field(min_length=1), Chosen(ImageRegistry.get_block_type_slug())]
AwsBlock = Annotated[str, Field(min_length=1), Chosen("aws-credentials")]
KubeconfigBlock = Annotated[str, Field(min_length=1), Chosen("kubernetes-cluster-config")]
