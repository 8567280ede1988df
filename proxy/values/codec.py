"""The interface that every codec fulfils, and the errors that all of them raise."""

from __future__ import annotations

import abc

from proxy.errors import InvalidValue
from proxy.values.settings import Settings


class Codec(abc.ABC):
    """PostgreSQL's text and binary formats of one logical type <-> its canonical bytes.

    Values are never None: NULL stays NULL and reaches no codec. All four methods raise InvalidValue with
    PostgreSQL's own SQLSTATE and message, less the value. Codecs are immutable and shared.
    """

    text_is_canonical = False  # to_text gives the canonical bytes back when the session speaks UTF-8
    binary_is_canonical = False  # the same of to_binary

    @abc.abstractmethod
    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        """Canonical bytes of a value in text format, as the type's input function reads it."""

    @abc.abstractmethod
    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        """Canonical bytes of a value in binary format, as the type's receive function reads it."""

    @abc.abstractmethod
    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        """The value as the type's output function would print it in this session."""

    @abc.abstractmethod
    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        """The value as the type's send function would send it."""


def bad_syntax(type_name: str, hint: str | None = None) -> InvalidValue:
    """PostgreSQL's error for text that a type's input function cannot read."""
    return InvalidValue(f"invalid input syntax for type {type_name}", sqlstate="22P02", hint=hint)


def bad_binary() -> InvalidValue:
    """PostgreSQL's error for a binary value of the wrong length or content."""
    return InvalidValue("incorrect binary data format", sqlstate="22P03")


def out_of_range(type_name: str) -> InvalidValue:
    """PostgreSQL's error for a number that the type cannot hold."""
    return InvalidValue(f"{type_name} out of range", sqlstate="22003")
