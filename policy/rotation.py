"""How long keys are used, and how long those in memory outlast an outage: as the policy says.

    rotation: {fields: 30d, tables: 90d, master: 365d, window: 7d, automatic: true}
    keys: {grace: 24h}

`rotate_every:` of a class goes before `fields`.
"""

from __future__ import annotations

from dataclasses import dataclass

DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Rotation:
    """After how many seconds keys get a new version; inf is never.

    fields      field keys of classes without a word of their own
    tables      data keys
    master      the master key
    window      how long a data key that was replaced is kept
    automatic   whether running proxies rotate keys when it is time, or only say so
    """

    fields: float = 30 * DAY
    tables: float = 90 * DAY
    master: float = 365 * DAY
    window: float = 7 * DAY
    automatic: bool = True


@dataclass(frozen=True, slots=True)
class KeyRules:
    """What holds for keys in memory. `grace`: seconds that an outage may last beyond keys.cache_ttl."""

    grace: float = DAY
