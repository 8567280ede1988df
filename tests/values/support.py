"""What the tests of the codecs share: settings, and values in and out in one call."""

from __future__ import annotations

from dataclasses import replace

import pytest

from policy.types import LogicalType
from proxy.errors import InvalidValue
from proxy.values import Codec, Settings, codec

ISO = Settings(encoding="utf-8", date_style="ISO, MDY", interval_style="postgres", time_zone="UTC")


def settings(**changes: str) -> Settings:
    return replace(ISO, **changes)


def codec_of(spelling: str) -> Codec:
    """The codec of a type as SQL spells it."""
    return codec(LogicalType.parse(spelling))


def canonical(spelling: str, text: str | bytes, session: Settings = ISO) -> bytes:
    """Canonical bytes of a value in text format."""
    raw = text.encode() if isinstance(text, str) else text
    return codec_of(spelling).from_text(raw, session)


def shown(spelling: str, text: str | bytes, session: Settings = ISO) -> str:
    """What the server would print for a value that came as text."""
    return codec_of(spelling).to_text(canonical(spelling, text, session), session).decode()


def sent(spelling: str, text: str | bytes, session: Settings = ISO) -> bytes:
    """What the server would send in binary format for a value that came as text."""
    return codec_of(spelling).to_binary(canonical(spelling, text, session), session)


def refusal(spelling: str, text: str | bytes, session: Settings = ISO) -> InvalidValue:
    """The error of a value that does not fit its type."""
    with pytest.raises(InvalidValue) as caught:
        canonical(spelling, text, session)
    return caught.value


def sqlstate(spelling: str, text: str | bytes, session: Settings = ISO) -> str:
    return refusal(spelling, text, session).sqlstate


def binary_sqlstate(spelling: str, raw: bytes) -> str:
    """The SQLSTATE of a binary value that does not fit its type."""
    with pytest.raises(InvalidValue) as caught:
        codec_of(spelling).from_binary(raw, ISO)
    return caught.value.sqlstate
