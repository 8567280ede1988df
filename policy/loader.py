"""YAML files to documents, and the policy file to a Policy. The only module that knows YAML.

Files are composed into nodes and never constructed into objects: so every node has its place, `on` and `no`
stay the names they are, and tags that would build something are refused.
"""

from __future__ import annotations

from pathlib import Path

import yaml

from policy import builder
from policy.document import DocumentError, MappingNode, Node, Problems, ScalarNode, SequenceNode
from policy.model import Location, Policy

_CORE_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "str", "timestamp", "value", "merge")
)
_DEPTH_LIMIT = 20


class PolicyError(DocumentError):
    """A policy that cannot be used, with every reason."""


def load(path: str | Path) -> Policy:
    """Read a policy. Raises PolicyError, whose findings name every error of the file."""
    problems = Problems()
    try:
        document = read_document(path, problems)
    except DocumentError as error:
        raise PolicyError(error.findings) from None
    policy = builder.build(document, problems)
    problems.raise_any(PolicyError)
    return policy


def read_document(path: str | Path, problems: Problems) -> MappingNode:
    """Read a YAML file that holds one mapping.

    What leaves the rest of the file readable (a duplicate key, a tag) is noted in `problems`; raises
    DocumentError where there is nothing to go on with.
    """
    name = str(path)
    root = _compose(name, _read(name))
    if root is None:
        raise DocumentError([f"{name}:1:1: the file is empty"])
    document = _Converter(name, problems).convert(root, 0)
    if not isinstance(document, MappingNode):
        raise DocumentError([f"{document.location}: the file must hold a mapping (key: value)"])
    return document


def _compose(name: str, text: str) -> yaml.Node | None:
    try:
        return yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise _malformed(name, error) from None
    except yaml.reader.ReaderError as error:
        place = _position(name, text, error.position)
        raise DocumentError([f"{place}: malformed YAML: a control character"]) from None
    except RecursionError:
        raise DocumentError([f"{name}:1:1: nested too deeply"]) from None


def _read(name: str) -> str:
    try:
        return Path(name).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DocumentError([f"{name}:{line}:1: the file is not UTF-8 text"]) from None
    except OSError as error:
        raise DocumentError([f"{name}: {error.strerror or 'cannot be read'}"]) from None


def _malformed(name: str, error: yaml.MarkedYAMLError) -> DocumentError:
    mark = error.problem_mark or error.context_mark
    place = f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else f"{name}:1:1"
    reason = ", ".join(part for part in (error.context, error.problem) if part)
    return DocumentError([f"{place}: malformed YAML: {reason}"])


def _position(name: str, text: str, offset: int) -> Location:
    before = text[:offset]
    return Location(name, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


class _Converter:
    """yaml's nodes to ours; notes duplicate keys, tags and depths that no configuration needs."""

    def __init__(self, file: str, problems: Problems) -> None:
        self._file = file
        self._problems = problems

    def convert(self, node: yaml.Node, depth: int) -> Node:
        location = self._location(node)
        if depth > _DEPTH_LIMIT:  # also an alias that holds itself
            self._problems.add(location, "nested too deeply")
            return ScalarNode("", True, location)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, depth)
        if isinstance(node, yaml.SequenceNode):
            return SequenceNode(tuple(self.convert(item, depth + 1) for item in node.value), location)
        assert isinstance(node, yaml.ScalarNode)
        if node.tag not in _CORE_TAGS:
            self._problems.add(location, f"the tag {node.tag!r} is not allowed")
        return ScalarNode(node.value, node.style is None, location)

    def _mapping(self, node: yaml.MappingNode, depth: int) -> MappingNode:
        entries: dict[str, Node] = {}
        keys: dict[str, Location] = {}
        for key_node, value_node in node.value:
            location = self._location(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                self._problems.add(location, "a key must be a name")
            elif (name := key_node.value) in keys:
                self._problems.add(location, f"duplicate key {name!r} (first on line {keys[name].line})")
            else:
                keys[name] = location
                entries[name] = self.convert(value_node, depth + 1)
        return MappingNode(entries, keys, self._location(node))

    def _location(self, node: yaml.Node) -> Location:
        return Location(self._file, node.start_mark.line + 1, node.start_mark.column + 1)
