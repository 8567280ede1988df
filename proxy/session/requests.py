"""What a session asks of the shell: it cannot wait by itself."""

from __future__ import annotations

from dataclasses import dataclass

from crypto.manager import KeyNeed


@dataclass(frozen=True, slots=True)
class RefreshCatalog:
    """Read the catalogue again; `names` (None: in any case) if relations of these names exist by now.

    `patient`: the session has no transaction open, so that it can wait for locks of others.
    """

    names: frozenset[str] | None
    patient: bool = False


@dataclass(frozen=True, slots=True)
class FetchKeys:
    """Make these keys if they are missing; look up the key that an envelope names and the snapshot lacks."""

    needs: tuple[KeyNeed, ...] = ()
    key_id: bytes | None = None


Request = RefreshCatalog | FetchKeys
