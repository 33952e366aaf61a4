"""YAML as hopper reads it: safe, keys not twice, nothing turned into dates or base 60."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import yaml

from hopper.errors import ConfigError

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F_]+)\Z")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?|\.[0-9][0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[0-9]+[eE][-+]?[0-9]+|\.(?:inf|Inf|INF))\Z|\.(?:nan|NaN|NAN)\Z"
)
_REPLACED = {"int", "float", "timestamp"}
_TAG = "tag:yaml.org,2002:"


class StrictLoader(yaml.SafeLoader):
    """PyYAML's safe loader without base 60, octals and dates, and with each key once."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """Refuse a key that stands there twice: the second would silently win."""
        if isinstance(node, yaml.MappingNode):
            _refuse_twins(node)
        return super().construct_mapping(node, deep=deep)


def _without_replaced() -> dict[str, list[tuple[str, re.Pattern[str]]]]:
    return {
        first: [(tag, pattern) for tag, pattern in rules if tag.removeprefix(_TAG) not in _REPLACED]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


StrictLoader.yaml_implicit_resolvers = _without_replaced()
StrictLoader.add_implicit_resolver(f"{_TAG}int", _INT, list("-+0123456789"))
StrictLoader.add_implicit_resolver(f"{_TAG}float", _FLOAT, list("-+0123456789."))


def _refuse_twins(node: yaml.MappingNode) -> None:
    seen: set[str] = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.value != "<<":
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} stands there twice", key.start_mark
                )
            seen.add(key.value)


def parse_mapping(content: bytes, what: str) -> tuple[dict[object, object], yaml.MappingNode]:
    """Return the mapping that YAML bytes hold, as values and as a tree of nodes with lines.

    ``what`` names the text in errors. Raises ConfigError in one line for anything that is
    not UTF-8, not YAML, empty, or not a mapping.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{what} is not UTF-8 (byte {error.start})", way_out="save it as UTF-8"
        ) from error
    try:
        loader = StrictLoader(text)
        node = loader.get_single_node()
        if node is None:
            raise ConfigError(f"{what} is empty", way_out="see 'hopper init' for an example")
        values = loader.construct_document(node)
    except yaml.YAMLError as error:
        raise ConfigError(_one_line(error, what)) from error
    except (RecursionError, ValueError, ArithmeticError, LookupError, TypeError) as error:
        # PyYAML lets these through where a tag does not fit its text.
        raise ConfigError(f"{what} is not YAML that can be read: {error}") from error
    if not isinstance(node, yaml.MappingNode) or not isinstance(values, dict):
        raise ConfigError(
            f"{what} holds a {type(values).__name__}, not keys and values",
            way_out="write lines of the form 'key: value'",
        )
    return values, node


def _one_line(error: yaml.YAMLError, what: str) -> str:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    parts = [getattr(error, name, None) for name in ("context", "problem")]
    problem = ", ".join(str(part) for part in parts if part) or str(error)
    where = f"{what}:{mark.line + 1}" if mark else what
    return f"{where}: {' '.join(str(problem).split())}"


def find_node(root: yaml.Node, path: tuple[str | int, ...]) -> yaml.Node:
    """Return the key's (or list item's) node at a path, or the nearest one above it."""
    node = found = root
    for part in path:
        step = _step(node, part)
        if step is None:
            return found
        found, node = step
    return found


def find_value(root: yaml.Node, path: tuple[str | int, ...]) -> yaml.Node | None:
    """Return the node of the value at a path, or None where there is none."""
    node: yaml.Node | None = root
    for part in path:
        step = None if node is None else _step(node, part)
        node = None if step is None else step[1]
    return node


def written_mapping(node: yaml.Node | None) -> dict[str, object]:
    """Return a mapping's values as the text that stands there; None for no value.

    What is no single value comes as an empty mapping, which no text is.
    """
    pairs = node.value if isinstance(node, yaml.MappingNode) else []
    return {str(key.value): _written(value) for key, value in pairs}


def _written(node: yaml.Node) -> object:
    if not isinstance(node, yaml.ScalarNode):
        return {}
    return None if node.tag == f"{_TAG}null" else node.value


def _step(node: yaml.Node, part: str | int) -> tuple[yaml.Node, yaml.Node] | None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value == str(part):
                return key, value
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None
