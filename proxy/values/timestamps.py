"""timestamp and timestamptz: canonical bytes are PostgreSQL's binary format.

Eight bytes, big-endian: microseconds from 2000-01-01 00:00 (of UTC for timestamptz); the largest and the
smallest int64 are infinity and -infinity. Source: PostgreSQL's timestamp.c; documentation 8.5.
"""

from __future__ import annotations

import struct
from datetime import datetime, timedelta

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_binary
from proxy.values.date_style import Style, date_style
from proxy.values.datetime_fields import Reading, bad_format
from proxy.values.datetime_input import read
from proxy.values.datetime_output import spell_clock, spell_offset, spell_timestamp
from proxy.values.gregorian import DAY, FIRST_TIMESTAMP, SECOND, TIMESTAMP_END, round_to
from proxy.values.settings import Settings
from proxy.values.zones import FIRST, LAST, Zone, seconds_east, session_zone

INFINITY = 2**63 - 1
MINUS_INFINITY = -(2**63)
_EPOCH = datetime(2000, 1, 1)
_WIRE = struct.Struct(">q")


class TimestampCodec(Codec):
    """timestamp(p): a local time; a zone in the text is read and means nothing."""

    binary_is_canonical = True
    name = "timestamp"

    def __init__(self, precision: int) -> None:
        self._precision = precision

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        reading = read(raw, settings, self.name)
        if reading.infinite:
            return self.from_number(INFINITY if reading.infinite > 0 else MINUS_INFINITY)
        if reading.days is None:
            raise bad_format(self.name)
        return self.from_number(self._moment(reading.days * DAY + (reading.time or 0), reading, settings))

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        if len(raw) != 8:
            raise bad_binary()
        return self.from_number(to_number(raw))

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        number = to_number(canonical)
        if number in (INFINITY, MINUS_INFINITY):
            return b"infinity" if number > 0 else b"-infinity"
        return self._spell(number, settings).encode()

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical

    def from_number(self, number: int) -> bytes:
        """Canonical bytes of microseconds from 2000-01-01; raises 22008 beyond what PostgreSQL holds."""
        if number not in (INFINITY, MINUS_INFINITY):
            number = round_to(number, self._precision)
            if not FIRST_TIMESTAMP <= number < TIMESTAMP_END:
                raise InvalidValue("timestamp out of range", sqlstate="22008")
        return _WIRE.pack(number)

    def from_local(self, local: int, settings: Settings) -> int:
        """What this type makes of a local time in the session's zone; microseconds, both."""
        return local

    def to_local(self, number: int, settings: Settings) -> int:
        """The local time in the session's zone of a number of this type."""
        return number

    def _moment(self, local: int, reading: Reading, settings: Settings) -> int:
        return local

    def _spell(self, number: int, settings: Settings) -> str:
        style = date_style(settings.date_style)
        if style.style is Style.ISO and FIRST <= number <= LAST:
            return spell_clock(_EPOCH + timedelta(microseconds=number))
        return spell_timestamp(number, style)


class TimestamptzCodec(TimestampCodec):
    """timestamptz(p): a moment; a text with no zone is read in the session's."""

    name = "timestamp with time zone"

    def from_local(self, local: int, settings: Settings) -> int:
        return _to_utc(local, session_zone(settings.time_zone))

    def to_local(self, number: int, settings: Settings) -> int:
        return number + session_zone(settings.time_zone).offset_at(number) * SECOND

    def _moment(self, local: int, reading: Reading, settings: Settings) -> int:
        if isinstance(reading.zone, int):
            return local - reading.zone * SECOND
        return _to_utc(local, reading.zone) if reading.zone else self.from_local(local, settings)

    def _spell(self, number: int, settings: Settings) -> str:
        zone = session_zone(settings.time_zone)
        style = date_style(settings.date_style)
        if style.style is Style.ISO and FIRST <= number <= LAST:
            clock = zone.clock_at(number)
            return spell_clock(clock.replace(tzinfo=None)) + spell_offset(seconds_east(clock))
        offset = zone.offset_at(number)
        return spell_timestamp(number + offset * SECOND, style, offset, zone.name_at(number))


def to_number(canonical: bytes) -> int:
    """Microseconds from 2000-01-01 of canonical bytes."""
    return int.from_bytes(canonical, "big", signed=True)


def _to_utc(local: int, zone: Zone) -> int:
    return local - zone.offset_of(local) * SECOND
