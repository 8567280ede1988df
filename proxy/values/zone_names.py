"""Time zones as a text names them: an abbreviation (CET) or a name of the IANA database (Europe/Berlin).

An abbreviation can mean several things: what the server's `timezone_abbreviations` file says, and, from
PostgreSQL 18 on, first of all what it means in the session's own zone. pgveil reads those that mean one
thing in PostgreSQL's default file, and refuses one that the session's zone uses for another offset. Source:
PostgreSQL documentation 8.5.3 and B.4, its file timezonesets/Default.
"""

from __future__ import annotations

import functools

from proxy.values.settings import Settings
from proxy.values.zones import Zone, session_zone, zone

_MINUTES_EAST = {
    word: minutes
    for words, minutes in (
        ("utc gmt ut uct z zulu wet", 0),
        ("cet met mez bst", 60),
        ("cest mest mesz eet sast", 120),
        ("eest", 180),
        ("awst", 480),
        ("jst kst", 540),
        ("acst", 570),
        ("aest", 600),
        ("acdt", 630),
        ("aedt", 660),
        ("nzst", 720),
        ("nzdt", 780),
        ("ndt", -150),
        ("adt", -180),
        ("nst", -210),
        ("ast edt", -240),
        ("est cdt", -300),
        ("cst mdt", -360),
        ("mst pdt", -420),
        ("pst akdt", -480),
        ("akst", -540),
        ("hst", -600),
    )
    for word in words.split()
}


def named_zone(word: str, settings: Settings) -> int | Zone | None:
    """Seconds east of UTC of an abbreviation, or the zone of a name in lower case; None for other words."""
    minutes = _MINUTES_EAST.get(word)
    if minutes is None:
        return zone(word) if word[:1].isalpha() else None
    if _meanings(settings.time_zone).get(word.upper(), {minutes * 60}) != {minutes * 60}:
        return None
    return minutes * 60


@functools.lru_cache(maxsize=1024)
def _meanings(time_zone: str) -> dict[str, set[int]]:
    """The offsets that each abbreviation of a zone has had."""
    meanings: dict[str, set[int]] = {}
    for name, offset in session_zone(time_zone).history():
        meanings.setdefault(name, set()).add(offset)
    return meanings
