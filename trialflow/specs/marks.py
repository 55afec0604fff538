"""YAML with the place of every key kept, and what plain YAML lets pass refused: keys that are there twice."""

from dataclasses import dataclass
from typing import Any

import yaml

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
Place = tuple[str | int, ...]
DEEPEST = 50


@dataclass(frozen=True)
class Marked:
    """A document: its data, the line and column (from 1) of each place in it, and the keys that are there twice."""

    data: Any
    marks: dict[Place, tuple[int, int]]
    duplicates: tuple[Place, ...]

    def mark(self, place: Place) -> tuple[int, int]:
        """Where `place` stands; for one that does not exist, where the nearest one around it does."""
        while place not in self.marks and place:
            place = place[:-1]
        return self.marks.get(place, (1, 1))


def read(text: str) -> Marked:
    """Parse one YAML document. Raises `yaml.YAMLError` for what is no YAML."""
    loader = Loader(text)
    try:
        node = loader.get_single_node()
        reader = _Reader(loader)
        data = reader.value(node, ()) if node is not None else None
        return Marked(data, reader.marks, tuple(reader.duplicates))
    finally:
        loader.dispose()


class _Reader:
    def __init__(self, loader: Any) -> None:
        self.loader = loader
        self.marks: dict[Place, tuple[int, int]] = {}
        self.duplicates: list[Place] = []

    def value(self, node: yaml.Node, place: Place) -> Any:
        if len(place) > DEEPEST:
            raise yaml.YAMLError(f"nested more than {DEEPEST} deep, or an anchor that holds itself")
        self.marks.setdefault(place, (node.start_mark.line + 1, node.start_mark.column + 1))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*place, index)) for index, item in enumerate(node.value)]
        return self.loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[Any, Any]:
        written = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        self.loader.flatten_mapping(node)
        result: dict[Any, Any] = {}
        for key_node, value_node in node.value:
            key = self.value(key_node, (*place, f"<key {key_node.start_mark.index}>"))
            if not isinstance(key, str | int | float | bool | None):
                raise yaml.YAMLError(f"line {key_node.start_mark.line + 1}: a list or mapping cannot be a key")
            inner = (*place, key if isinstance(key, str | int) else str(key))
            if key in result and written.count(key_node.value) > 1:
                self.duplicates.append(inner)
            self.marks[inner] = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            result[key] = self.value(value_node, inner)
        return result
