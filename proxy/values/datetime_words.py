"""Dates and times that are not ISO 8601, read word by word."""

from __future__ import annotations

from proxy.values.date_style import Order
from proxy.values.datetime_input import Reading, bad_format, read_clock


def read_words(text: str, order: Order, type_name: str) -> Reading:
    if (time := read_clock(text)) is not None:
        return Reading(time=time)
    raise bad_format(type_name)
