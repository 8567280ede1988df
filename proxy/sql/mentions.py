"""What a text mentions: what is protected and what leads to it, and what may change search_path."""

from __future__ import annotations

import re
from collections.abc import Iterator

from policy.binding import Binding
from policy.server_code import in_any_spelling

_UNICODE_NAME = re.compile(r'[uU]&"')


class Mentions:
    """The names of one binding that matter. `changing_views`: oids of views that may set the path."""

    def __init__(self, binding: Binding) -> None:
        self.changing_views = _changing_views(binding)
        self._names = _names_pattern(binding)
        self._calls = _calls_pattern(binding, self.changing_views)

    def protected(self, text: str) -> bool:
        """Whether a text holds, in any spelling that it could be sent in, the name of something protected."""
        names = self._names.search
        return names(text) is not None or (
            _UNICODE_NAME.search(text) is not None and in_any_spelling(text, names)
        )

    def path_changer(self, text: bytes) -> bool:
        """Whether it holds the name of a function or view that may change search_path."""
        return self._calls.search(text) is not None


def _names_pattern(binding: Binding) -> re.Pattern[str]:
    """Finds the names of protected tables, of the policy's functions, and of what leads to them."""
    names = {table for _, table in binding.policy.tables}
    names |= {function.name for function in binding.policy.functions.values()}
    names |= {binding.catalog.relations[oid].name for oid in binding.fields}
    views = [r for r in binding.catalog.relations.values() if r.kind in "vm" and not r.system]
    names |= {view.name for view in views if view.definition is None}  # what they lead to is not known
    grown = True
    while grown:  # views over views
        pattern = _any_of(names)
        found = {view.name for view in views if pattern.search(view.definition or "")}
        found |= {name for name, row in _rows_by_function(binding) if row in names}
        grown = not found <= names
        names |= found
    return _any_of(names)


def _rows_by_function(binding: Binding) -> Iterator[tuple[str, str]]:
    """Functions, and the names of the relations whose rows they give."""
    relations = binding.catalog.relations
    for name, signatures in binding.catalog.signatures.items():
        yield from ((name, relations[s.returns].name) for s in signatures if s.returns in relations)


def _changing_views(binding: Binding) -> frozenset[int]:
    """The views that call a function which may change search_path, or name such a view."""
    names = set(binding.catalog.path_changers)
    found: set[int] = set()
    grown = bool(names)
    while grown:
        pattern = _any_of(names)
        calling = [
            r
            for r in binding.catalog.relations.values()
            if r.kind == "v" and r.oid not in found and not r.system and pattern.search(r.definition or "")
        ]
        grown = bool(calling)
        found |= {view.oid for view in calling}
        names |= {view.name for view in calling}
    return frozenset(found)


def _calls_pattern(binding: Binding, views: frozenset[int]) -> re.Pattern[bytes]:
    """Finds the names of functions and views that may change search_path."""
    names = {binding.catalog.relations[oid].name for oid in views} | binding.catalog.path_changers
    return re.compile(rf'[uU]&"|{_any_of(names).pattern}'.encode(), re.IGNORECASE)


def _any_of(names: set[str]) -> re.Pattern[str]:
    spelled = names | {name.replace('"', '""') for name in names}
    words = "|".join(re.escape(name) for name in sorted(spelled))
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)" if words else r"(?!)", re.IGNORECASE)
