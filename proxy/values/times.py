"""time: canonical bytes are PostgreSQL's binary format, eight bytes, big-endian: microseconds since midnight.

Source: PostgreSQL's date.c; documentation 8.5.1.2.
"""

from __future__ import annotations

from proxy.values.codec import Codec, bad_binary
from proxy.values.datetime_fields import field_out_of_range
from proxy.values.datetime_input import read_time_of_day
from proxy.values.datetime_output import spell_time
from proxy.values.gregorian import DAY, round_to
from proxy.values.settings import Settings

_NAME = "time"


class TimeCodec(Codec):
    """time(p) from 00:00:00 to 24:00:00; a numeric zone in the text is read and means nothing."""

    binary_is_canonical = True

    def __init__(self, precision: int) -> None:
        self._precision = precision

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        return self.from_number(read_time_of_day(raw, settings, _NAME))

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        if len(raw) != 8:
            raise bad_binary()
        return self.from_number(to_number(raw))

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        return spell_time(to_number(canonical)).encode()

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical

    def from_number(self, number: int) -> bytes:
        """Canonical bytes of microseconds since midnight; raises 22008 beyond a day."""
        number = round_to(number, self._precision)
        if not 0 <= number <= DAY:
            raise field_out_of_range()
        return number.to_bytes(8, "big")


def to_number(canonical: bytes) -> int:
    """Microseconds since midnight of canonical bytes."""
    return int.from_bytes(canonical, "big", signed=True)
