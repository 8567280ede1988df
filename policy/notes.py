"""Policy x catalogue -> notes: what is no fault, and yet worth knowing of a protected column."""

from __future__ import annotations

from collections.abc import Iterator

from policy.binding import bind
from policy.catalog import Catalog
from policy.check import Finding
from policy.guard import NOT_VALID, find_guard, obstacle
from policy.model import Policy
from policy.names import qualified

NOTE = "note"


def notes(policy: Policy, catalog: Catalog) -> list[Finding]:
    """The notes, in the order of the policy."""
    return list(_guards(policy, catalog))


def _guards(policy: Policy, catalog: Catalog) -> Iterator[Finding]:
    """Columns into which somebody who goes past pgveil can write plaintext."""
    binding = bind(policy, catalog)
    for (schema, table), fields in policy.tables.items():
        relation = catalog.lookup(schema, table)
        bound_columns = binding.of(relation) if relation is not None else {}
        for name, bound in bound_columns.items():
            if relation is None or name not in fields or obstacle(binding, relation, bound) is not None:
                continue
            guard = find_guard(relation, bound, name)
            if guard is None:
                message = "the server takes plaintext that is written past pgveil: see pgveil guard install"
            elif guard.definition.endswith(NOT_VALID) and not bound.field.plaintext_allowed:
                message = f"the guard {guard.name} is not validated: see pgveil guard install"
            else:
                continue
            subject = qualified(schema, table, name)
            yield Finding(NOTE, bound.field.location, f"{subject}: {message}")
