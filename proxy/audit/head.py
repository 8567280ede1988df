"""The head: where the trail in a file ends, kept beside the file, so that a missing end is noticed. Pure.

It is sealed with the chain's key, and always has the same number of bytes, which are overwritten in place.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from crypto.chain_key import ChainKey
from proxy.audit.chain import FindKey, Link, UnknownChainKey

FORMAT = "pgveil-audit-head"
SIZE = 512  # bytes: one sector

_PURPOSE = b"head\n"


class HeadAltered(Exception):
    """What stands in the head's place is none of this trail."""


@dataclass(frozen=True, slots=True)
class Head:
    """The last record of the trail, and its file: `size` bytes with it, begun at `opened` (since 1970).

    `sealed`: the record is the seal of the file, and the next one begins another file.
    """

    chain: str
    seq: int
    mac: str
    mac_key: str
    size: int
    opened: float
    sealed: bool

    @property
    def link(self) -> Link:
        return Link(self.chain, self.seq, self.mac)


def pack(head: Head, key: ChainKey) -> bytes:
    """The bytes of the head's file."""
    content = {"format": FORMAT, "version": 1, **asdict(head)}
    text = json.dumps({**content, "seal": key.mac(_authenticated(content))}).encode()
    assert len(text) < SIZE
    return text.ljust(SIZE - 1) + b"\n"


def unpack(data: bytes, find: FindKey) -> Head | None:
    """The head; None where there is none yet. Raises HeadAltered, UnknownChainKey."""
    if not data:
        return None
    try:
        content = json.loads(data)
        seal = content.pop("seal")
        head = Head(**{name: content[name] for name in Head.__slots__})
        known = content["format"] == FORMAT and content["version"] == 1
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise HeadAltered from None
    if not known or not isinstance(head.mac_key, str) or not isinstance(seal, str):
        raise HeadAltered
    if (key := find(head.mac_key)) is None:
        raise UnknownChainKey(head.mac_key)
    if not key.verify(seal, _authenticated(content)):
        raise HeadAltered
    return head


def _authenticated(content: dict[str, Any]) -> bytes:
    return _PURPOSE + json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
