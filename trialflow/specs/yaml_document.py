"""YAML with the path of every key kept, and what plain YAML lets pass refused: keys that are there twice."""

from dataclasses import dataclass
from datetime import date
from typing import Any

import yaml

from trialflow.specs.paths import FieldPath

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
PLAIN = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")
DEEPEST = 50
LOOKS = {"int": "a number", "float": "a number", "timestamp": "a date", "bool": "true or false"}
MOST_NODES = 200_000
"""Anchors inside of anchors grow beyond all bounds: a page of text can mean billions of values."""


@dataclass(frozen=True)
class YamlDocument:
    """A document: its text and data, the line and column (from 1) of each path in it, and the keys that are there twice."""

    text: str
    data: Any
    positions: dict[FieldPath, tuple[int, int]]
    duplicates: tuple[FieldPath, ...]
    texts: dict[FieldPath, str]
    """Scalars as they are written."""

    def line(self, number: int) -> str:
        """The text of a line, counted from 1."""
        return self.text.split("\n")[number - 1]

    def position(self, path: FieldPath) -> tuple[int, int]:
        """Where `path` stands; for one that does not exist, where the nearest one around it does."""
        while path not in self.positions and path:
            path = path[:-1]
        return self.positions.get(path, (1, 1))


def read(text: str) -> YamlDocument:
    """Parse one YAML document. Raises `yaml.YAMLError` for what is no YAML."""
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        reader = _Reader(loader)
        data = reader.value(node, ()) if node is not None else None
        return YamlDocument(text, data, reader.positions, tuple(reader.duplicates), reader.texts)
    finally:
        loader.dispose()


class _Reader:
    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.positions: dict[FieldPath, tuple[int, int]] = {}
        self.duplicates: list[FieldPath] = []
        self.texts: dict[FieldPath, str] = {}
        self.nodes = 0

    def value(self, node: yaml.Node, path: FieldPath) -> Any:
        self.nodes += 1
        if len(path) > DEEPEST:
            raise _refused(node, f"it nests more than {DEEPEST} deep, or an anchor holds itself")
        if self.nodes > MOST_NODES:
            raise _refused(node, f"it holds more than {MOST_NODES} values, counting those that anchors repeat")
        self.positions.setdefault(path, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.CollectionNode) and node.tag not in PLAIN:
            raise _refused(node, f"could not determine a constructor for the tag {node.tag!r}")
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        self.texts[path] = str(node.value)
        return self._scalar(node)

    def _scalar(self, node: yaml.Node) -> Any:
        try:
            return self.loader.construct_object(node)
        except (ValueError, TypeError, AttributeError, OverflowError) as error:
            # What looks like a date or a number, or is tagged as one, and is none: PyYAML lets Python's own errors through.
            looks = LOOKS.get(node.tag.rpartition(":")[2], node.tag)
            raise _refused(node, f"{str(node.value)[:60]!r} looks like {looks} and is none; if it is text, put it in quotes") from error

    def _mapping(self, node: yaml.MappingNode, path: FieldPath) -> dict[Any, Any]:
        written = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        self.loader.flatten_mapping(node)
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise _refused(key_node, "a list or mapping cannot be a key")
            key = self._scalar(key_node)
            if isinstance(key, date):
                key = key_node.value
            inner = (*path, key if isinstance(key, str | int) else str(key))
            # A key that a merge (`<<`) brings may be there again: that is what merges are for.
            if key in result and written.count(key_node.value) > 1:
                self.duplicates.append(inner)
            self.positions[inner] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            result[key] = self.value(value_node, inner)
        return result


def _refused(node: yaml.Node, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
