"""A configuration file as a tree in which every node knows its file, line and column.

No YAML here: `policy/loader.py` reads files into this tree, and what makes sense of the tree collects all
problems before it gives up, so that a file is corrected in one go.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from policy.model import Location

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})


class DocumentError(Exception):
    """A file that cannot be used. `findings` holds one line for each problem: `file:line:column: message`."""

    def __init__(self, findings: list[str]) -> None:
        super().__init__("\n".join(findings))
        self.findings = findings


@dataclass(frozen=True, slots=True)
class ScalarNode:
    """Text as it is written; `plain` if it has no quotes."""

    text: str
    plain: bool
    location: Location

    @property
    def null(self) -> bool:
        return self.plain and self.text in _NULLS


@dataclass(frozen=True, slots=True)
class SequenceNode:
    items: tuple[Node, ...]
    location: Location


@dataclass(frozen=True, slots=True)
class MappingNode:
    """Entries in the order of the file; `keys` says where each name stands."""

    entries: Mapping[str, Node]
    keys: Mapping[str, Location]
    location: Location

    def __iter__(self) -> Iterator[tuple[str, Location, Node]]:
        for name, node in self.entries.items():
            yield name, self.keys[name], node


Node = ScalarNode | SequenceNode | MappingNode


class Problems:
    """Collects what is wrong, to be raised together in the order of the file."""

    def __init__(self) -> None:
        self._found: list[tuple[Location, str]] = []

    def add(self, location: Location, message: str) -> None:
        self._found.append((location, message))

    def raise_any(self, error: type[DocumentError]) -> None:
        if self._found:
            ordered = sorted(self._found, key=lambda found: (found[0].file, found[0].line, found[0].column))
            raise error([f"{location}: {message}" for location, message in ordered])

    def unknown_keys(self, mapping: MappingNode, known: Collection[str], where: str) -> None:
        for name, location, _ in mapping:
            if name not in known:
                self.add(location, f"unknown key {name!r} in {where}{suggestion(name, known)}")

    def mapping(self, node: Node, what: str) -> MappingNode | None:
        if isinstance(node, MappingNode):
            return node
        self.add(node.location, f"{what} must be a mapping (key: value)")
        return None

    def text(self, node: Node, what: str) -> str | None:
        """The text of a scalar that is not empty."""
        if isinstance(node, ScalarNode) and not node.null and node.text.strip():
            return node.text
        self.add(node.location, f"{what} must be a text that is not empty")
        return None

    def choice(self, node: Node, choices: Collection[str], what: str) -> str | None:
        """The text of a scalar that must be one of a few."""
        if isinstance(node, ScalarNode) and node.text in choices:
            return node.text
        written = f" {node.text!r}" if isinstance(node, ScalarNode) else ""
        hint = suggestion(node.text, choices) if isinstance(node, ScalarNode) else ""
        self.add(node.location, f"{what}{written} must be one of {', '.join(sorted(choices))}{hint}")
        return None


def suggestion(word: str, known: Collection[str]) -> str:
    """` (did you mean 'x'?)`, where something known looks like the word; else nothing."""
    close = difflib.get_close_matches(word, list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
