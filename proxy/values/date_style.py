"""The DateStyle setting. Source: PostgreSQL documentation 8.5.2."""

from __future__ import annotations

import enum
import functools
from dataclasses import dataclass

from proxy.errors import InvalidValue


class Style(enum.Enum):
    """How dates are printed."""

    ISO = "iso"
    SQL = "sql"
    POSTGRES = "postgres"
    GERMAN = "german"


class Order(enum.Enum):
    """In which order the numbers of an ambiguous date are read."""

    YMD = "ymd"
    DMY = "dmy"
    MDY = "mdy"


@dataclass(frozen=True, slots=True)
class DateStyle:
    style: Style
    order: Order


@functools.lru_cache(maxsize=64)
def date_style(setting: str) -> DateStyle:
    """The setting as the server reports it: `ISO, MDY`. Raises InvalidValue for anything else."""
    try:
        style, order = setting.lower().split(",")
        return DateStyle(Style(style.strip()), Order(order.strip()))
    except ValueError:
        raise InvalidValue("the session's DateStyle is not known to pgveil", sqlstate="0A000") from None
