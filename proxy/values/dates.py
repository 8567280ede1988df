"""date: canonical bytes are PostgreSQL's binary format.

Four bytes, big-endian: days from 2000-01-01; the largest and the smallest int32 are infinity and -infinity.
Source: PostgreSQL's date.c; documentation 8.5.
"""

from __future__ import annotations

from proxy.errors import InvalidValue
from proxy.values.codec import Codec, bad_binary
from proxy.values.date_style import date_style
from proxy.values.datetime_fields import bad_format
from proxy.values.datetime_input import read
from proxy.values.datetime_output import spell_date
from proxy.values.gregorian import DATE_END, FIRST_DAY
from proxy.values.settings import Settings

INFINITY = 2**31 - 1
MINUS_INFINITY = -(2**31)


class DateCodec(Codec):
    """A date; a time of day beside it is read and means nothing."""

    binary_is_canonical = True

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        reading = read(raw, settings, "date")
        if reading.infinite:
            return self.from_number(INFINITY if reading.infinite > 0 else MINUS_INFINITY)
        if reading.days is None:
            raise bad_format("date")
        return self.from_number(reading.days)

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        if len(raw) != 4:
            raise bad_binary()
        return self.from_number(to_number(raw))

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        number = to_number(canonical)
        if number in (INFINITY, MINUS_INFINITY):
            return b"infinity" if number > 0 else b"-infinity"
        return spell_date(number, date_style(settings.date_style)).encode()

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical

    def from_number(self, number: int) -> bytes:
        """Canonical bytes of a day number; raises 22008 beyond what PostgreSQL holds."""
        if not FIRST_DAY <= number < DATE_END and number not in (INFINITY, MINUS_INFINITY):
            raise InvalidValue("date out of range", sqlstate="22008")
        return number.to_bytes(4, "big", signed=True)


def to_number(canonical: bytes) -> int:
    """Days from 2000-01-01 of canonical bytes."""
    return int.from_bytes(canonical, "big", signed=True)
