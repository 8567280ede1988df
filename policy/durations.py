"""Times as files write them: `500ms`, `30s`, `5min`, `1h`, `2d`; a bare number is seconds."""

from __future__ import annotations

import re

_UNITS = {"": 1, "ms": 0.001, "s": 1, "min": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d{1,12}) ?([a-zA-Z]*)")


def parse_duration(text: str) -> float:
    """Seconds. Raises ValueError with a message that goes after the key's name."""
    match = _DURATION.fullmatch(text)
    if match is None or match[2] not in _UNITS:
        raise ValueError("must be a time: a number with ms, s, min, h or d (seconds if there is none)")
    return int(match[1]) * _UNITS[match[2]]
