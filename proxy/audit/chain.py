"""The chain of records: each line holds its number, the MAC of the one before it, and its own. Pure.

    {"v":1,"chain":C,"seq":N,"time":…,"event":…,…,"mac_key":K,"prev":MAC of record N-1,"mac":MAC}

The MAC is over the bytes of the line before `,"mac":`, as they stand: whatever is changed in a line, be it a
space, changes it. docs/audit.md has the format.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from crypto.chain_key import MAC_BYTES, ChainKey
from proxy.audit.record import Entry, timestamp

VERSION = 1
NO_MAC = "0" * (2 * MAC_BYTES)  # what the first record of a chain has as the one before

FindKey = Callable[[str], ChainKey | None]

_END = re.compile(rb',"mac":"([0-9a-f]{64})"\}')
_END_LENGTH = len(b',"mac":""}') + 2 * MAC_BYTES


class UnknownChainKey(Exception):
    """The chain goes on under a version of its key that this process has not got (yet)."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"the trail's key {key_id} is not known here")
        self.key_id = key_id


@dataclass(frozen=True, slots=True)
class Link:
    """Where a chain ends: its id, the number and MAC of its last record; number 0 where it has none."""

    chain: str
    seq: int = 0
    mac: str = NO_MAC


def new_chain() -> Link:
    return Link(secrets.token_hex(8))


def chained(entry: Entry, link: Link, key: ChainKey) -> tuple[bytes, Link]:
    """The line of an entry that follows `link`, and where the chain ends then."""
    record: dict[str, Any] = {"v": VERSION, "chain": link.chain, "seq": link.seq + 1}
    record |= {"time": timestamp(entry.time), "event": entry.event, "actor": entry.actor}
    if entry.count > 1:
        record |= {"count": entry.count, "last": timestamp(entry.last)}
    for name, value in entry.fields:
        record.setdefault(name, value)  # what the chain says of a record nobody else can say
    for name, said in (("mac_key", key.id), ("prev", link.mac)):
        record.pop(name, None)
        record[name] = said
    body = json.dumps(record, separators=(",", ":")).encode()[:-1]
    mac = key.mac(body)
    return body + b',"mac":"' + mac.encode() + b'"}\n', Link(link.chain, link.seq + 1, mac)


@dataclass(frozen=True, slots=True)
class Record:
    """A line that has the form of a record. Whether it is one, only its MAC says."""

    chain: str
    seq: int
    event: str
    mac_key: str
    prev: str
    mac: str
    content: Mapping[str, Any]
    body: bytes

    def authentic(self, find: FindKey) -> bool:
        """Whether a key of the trail has made it."""
        key = find(self.mac_key)
        return key is not None and key.verify(self.mac, self.body)

    def follows(self, link: Link) -> bool:
        return (self.chain, self.seq, self.prev) == (link.chain, link.seq + 1, link.mac)

    @property
    def link(self) -> Link:
        return Link(self.chain, self.seq, self.mac)


def parse(line: bytes) -> Record | None:
    """The record of a line, which is given without its newline; None where it has not the form of one."""
    body, end = line[:-_END_LENGTH], _END.fullmatch(line[-_END_LENGTH:])
    if end is None:
        return None
    try:
        content = json.loads(body + b"}")
    except (ValueError, RecursionError):
        return None
    if (
        not isinstance(content, dict)
        or content.get("v") != VERSION
        or not isinstance(content.get("seq"), int)
    ):
        return None
    chain, event, mac_key, prev = (content.get(name) for name in ("chain", "event", "mac_key", "prev"))
    if not (isinstance(chain, str) and isinstance(event, str)):
        return None
    if not (isinstance(mac_key, str) and isinstance(prev, str)):
        return None
    return Record(chain, content["seq"], event, mac_key, prev, end[1].decode(), content, body)


class ChainKeys:
    """Every version of a chain's key that this process has; at least one."""

    def __init__(self, keys: Iterable[ChainKey]) -> None:
        self._by_id = {key.id: key for key in keys}
        self.newest = max(self._by_id.values(), key=lambda key: key.version)

    def find(self, key_id: str) -> ChainKey | None:
        return self._by_id.get(key_id)
