"""The policy's `rotation:`, `rotate_every:` of a class, and `keys:` (policy/rotation.py)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields

from policy.document import MappingNode, Node, Problems, ScalarNode
from policy.durations import parse_duration
from policy.rotation import KeyRules, Rotation

SHORTEST = 1.0  # seconds; a rotation takes less, but not nothing


def read_rotation(document: MappingNode, problems: Problems) -> Rotation:
    """The policy's `rotation:`; its defaults where it is not written."""
    found: dict[str, float | bool] = {}
    for name, node in _section(document, "rotation", Rotation, problems).items():
        if name == "automatic":
            found[name] = problems.choice(node, ("true", "false"), name) != "false"
        elif (seconds := _seconds(node, name, problems, least=SHORTEST, endless="never")) is not None:
            found[name] = seconds
    return Rotation(**found)  # type: ignore[arg-type]  # each by its name


def read_rotate_every(mapping: MappingNode, default: float, problems: Problems) -> float:
    """How often the keys of a class are rotated."""
    if (node := mapping.entries.get("rotate_every")) is None:
        return default
    found = _seconds(node, "rotate_every", problems, least=SHORTEST, endless="never")
    return default if found is None else found


def read_key_rules(document: MappingNode, problems: Problems) -> KeyRules:
    """The policy's `keys:`; its defaults where it is not written."""
    rules = KeyRules()
    for name, node in _section(document, "keys", KeyRules, problems).items():
        if (grace := _seconds(node, name, problems, least=0.0, endless="unlimited")) is not None:
            rules = KeyRules(grace)
    return rules


def _section(document: MappingNode, name: str, kind: type, problems: Problems) -> Mapping[str, Node]:
    """The entries of one of the policy's mappings that a dataclass knows."""
    node = document.entries.get(name)
    if node is None or (isinstance(node, ScalarNode) and node.null):
        return {}
    if (mapping := problems.mapping(node, name)) is None:
        return {}
    known = [field.name for field in fields(kind)]
    problems.unknown_keys(mapping, known, name)
    return {key: value for key, value in mapping.entries.items() if key in known}


def _seconds(node: Node, what: str, problems: Problems, *, least: float, endless: str) -> float | None:
    if not isinstance(node, ScalarNode):
        problems.add(node.location, f"{what} must be a time, or {endless}")
        return None
    if node.text == endless:
        return math.inf
    try:
        seconds = parse_duration(node.text)
        if seconds < least:
            raise ValueError(f"must be {least:g}s or more")
    except ValueError as error:
        problems.add(node.location, f"{what}: {error}; or {endless}")
        return None
    return seconds
