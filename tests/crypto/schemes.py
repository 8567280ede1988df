"""What the tests of randomized and deterministic envelopes have in common."""

from __future__ import annotations

import json
from pathlib import Path

from crypto.envelope import SUITES, associated_data, header
from crypto.errors import DecryptionError
from crypto.scheme import Transform

VECTORS = Path(__file__).parent / "vectors"
GOLDEN: list[dict[str, str]] = [
    case
    for name in ("envelope-v1.json", "envelope-v1-record.json")
    for case in json.loads((VECTORS / name).read_text())["cases"]
]


def golden(*, deterministic: bool) -> list[dict[str, str]]:
    return [case for case in GOLDEN if SUITES[case["algorithm"]].deterministic is deterministic]


def bound(case: dict[str, str]) -> tuple[bytes, bytes]:
    """Header and associated data of a golden vector."""
    head = header(case["algorithm"], bytes.fromhex(case["key_id"]))
    return head, associated_data(head, case["name"], case["family"])


class FixedNonce:
    """Stands in for a NonceSource: the golden vectors have their nonces written down."""

    def __init__(self, nonce: bytes) -> None:
        self.take = lambda: nonce

    def refill(self) -> bytes:
        raise AssertionError("not asked for")


def elsewhere(data: bytes) -> bytes:
    """An `other` that shows that it was asked."""
    return b"elsewhere: " + data


def changed_bits(data: bytes, start: int) -> list[bytes]:
    """The data with each bit from a byte on changed in turn."""
    changes = []
    for bit in range(start * 8, len(data) * 8):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        changes.append(bytes(changed))
    return changes


def opens(opener: Transform, envelope: bytes) -> bool:
    """Whether an opener takes an envelope for one of its own and opens it."""
    try:
        return not opener(envelope).startswith(b"elsewhere: ")
    except DecryptionError:
        return False
