"""DEFAULTs in the answers of the catalogue: one that is ciphertext is shown in clear.

Only a value that is the whole text of a DEFAULT of the catalogue, as pg_get_expr() writes it, is opened, and
nothing that merely looks like one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from policy.conversions import sql_name
from policy.types import LogicalType
from proxy.errors import CannotOpen
from proxy.sql.plan import DefaultText
from proxy.values import Settings, codec
from proxy.wire.frontend import TEXT
from proxy.wire.rows import NullValue

if TYPE_CHECKING:
    from proxy.openers import Openers

_NUMBERS = frozenset({"int2", "int4", "int8", "float4", "float8", "numeric"})
_NO_VALUE = (ValueError, ArithmeticError, LookupError)


class DefaultResults:
    """Opens the DEFAULTs among the values of any result column."""

    def __init__(self, openers: Openers, defaults: tuple[DefaultText, ...]) -> None:
        self._openers = openers
        self._known = {default.text.encode(): default for default in defaults}

    def open(self, raw: bytes) -> bytes:
        """The value itself, or the DEFAULT that it is in clear. Raises UnknownKey."""
        known = self._known.get(raw)
        return raw if known is None else self._shown(known, raw)

    def _shown(self, known: DefaultText, raw: bytes) -> bytes:
        field, settings = known.field, self._openers.settings
        try:
            canonical = self._openers.canonical_opener(field, TEXT)(known.sealed.encode())
            literal = sql_literal(canonical, field.type, settings)
        except (CannotOpen, NullValue, *_NO_VALUE):
            return raw  # as the server has it
        return known.before.encode() + literal + known.after.encode()


def sql_literal(canonical: bytes, logical: LogicalType, settings: Settings) -> bytes:
    """A value as SQL, in the spelling of PostgreSQL's `get_const_expr`, in the client's encoding."""
    text = codec(logical).to_text(canonical, settings)
    if not logical.array:
        if logical.name == "bool":
            return b"true" if text == b"t" else b"false"
        if logical.name in _NUMBERS and text[:1].isdigit():
            return text
    name = sql_name(logical).replace("character", "bpchar") if logical.name == "bpchar" else sql_name(logical)
    return b"'" + text.replace(b"'", b"''") + b"'::" + name.encode()
