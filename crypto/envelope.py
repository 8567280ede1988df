"""The envelope: the self-describing ciphertext of one value. No keys here; docs/envelope.md has every byte.

    header      version (1) · suite (1) · key id (4)
    body        nonce · ciphertext · tag, laid out as the suite says
    binary      MAGIC (3) · header · body                   in bytea columns
    ascii       MARKER (5) · base64url(header · body)       in text and json columns, no padding

A header has six bytes, so that in both forms everything a key writes begins with one constant prefix:
a comparison of prefixes is a check of version, suite and key, and SQL's starts_with() counts a key's rows.
"""

from __future__ import annotations

import binascii
from dataclasses import dataclass

from crypto.errors import DecryptionError

VERSION = 1
MAGIC = b"\xffPV"  # 0xFF is in no UTF-8 text
MARKER = b"pgv1:"
FORMAT = b"\x01"  # first byte of the plaintext: the canonical bytes follow as they are

KEY_ID_BYTES = 4
HEADER_BYTES = 2 + KEY_ID_BYTES
PREFIX_BYTES = len(MAGIC) + HEADER_BYTES
ASCII_PREFIX_BYTES = len(MARKER) + HEADER_BYTES * 4 // 3

_KEY_ID = slice(len(MAGIC) + 2, PREFIX_BYTES)
BINARY_START = MAGIC + bytes([VERSION])
ASCII_START = MARKER + b"AQ"  # VERSION, and the first bits of the suite's number

# base64url (RFC 4648, section 5) by way of the standard alphabet, which is what binascii knows.
# Decoding maps the three characters that only the standard alphabet has to one that it refuses.
TO_URL = bytes.maketrans(b"+/", b"-_")
FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
PADDING = (b"", b"!", b"==", b"=")  # by length modulo 4; no base64 text has length 1 modulo 4


@dataclass(frozen=True, slots=True)
class Suite:
    """One way of encrypting: its number in the header, key length and what it adds to a plaintext (bytes)."""

    number: int
    algorithm: str
    key_bytes: int
    nonce_bytes: int
    tag_bytes: int
    deterministic: bool = False


SUITES: dict[str, Suite] = {
    suite.algorithm: suite
    for suite in (
        Suite(1, "aes-256-gcm", key_bytes=32, nonce_bytes=12, tag_bytes=16),
        Suite(2, "chacha20-poly1305", key_bytes=32, nonce_bytes=12, tag_bytes=16),
        # The synthetic IV is the tag, and stands before the ciphertext.
        Suite(3, "aes-siv", key_bytes=64, nonce_bytes=0, tag_bytes=16, deterministic=True),
        # A key of its own for each value: the first 12 bytes of the nonce are the salt of that key.
        Suite(4, "aes-256-gcm-record", key_bytes=32, nonce_bytes=24, tag_bytes=16),
        Suite(5, "chacha20-poly1305-record", key_bytes=32, nonce_bytes=24, tag_bytes=16),
    )
}
_BY_NUMBER = {suite.number: suite for suite in SUITES.values()}


@dataclass(frozen=True, slots=True)
class Envelope:
    """An envelope taken apart: which suite and key, and the body that only the key can open."""

    suite: Suite
    key_id: bytes
    body: bytes

    @property
    def nonce(self) -> bytes:
        """The nonce; empty in a deterministic suite."""
        return self.body[: self.suite.nonce_bytes]


def header(algorithm: str, key_id: bytes) -> bytes:
    """The six bytes that every envelope of one key has. Raises ValueError for a key id of another length."""
    if len(key_id) != KEY_ID_BYTES:
        raise ValueError(f"a key id has {KEY_ID_BYTES} bytes")
    return bytes([VERSION, SUITES[algorithm].number]) + key_id


def length_prefixed(*parts: bytes) -> bytes:
    """The parts one after the other, each behind its length as two bytes, big-endian.

    No two lists of parts give the same bytes. Raises ValueError for a part of more than 65535 bytes.
    """
    if any(len(part) > 0xFFFF for part in parts):
        raise ValueError("a name is longer than 65535 bytes")
    return b"".join(len(part).to_bytes(2, "big") + part for part in parts)


def associated_data(header: bytes, name: str, family: str) -> bytes:
    """What a ciphertext is bound to: the header, the key's name, and the family of the logical type."""
    return length_prefixed(header, name.encode(), family.encode())


def is_binary(data: bytes) -> bool:
    """Whether a bytea value is marked as an envelope."""
    return data.startswith(BINARY_START)


def is_ascii(data: bytes) -> bool:
    """Whether a text value is marked as an envelope."""
    return data.startswith(MARKER)


def key_id(envelope: bytes) -> bytes:
    """The four bytes that name the key of a binary envelope. Raises DecryptionError if it is none."""
    if not is_binary(envelope) or len(envelope) < PREFIX_BYTES:
        raise DecryptionError
    return envelope[_KEY_ID]


def parse(envelope: bytes) -> Envelope:
    """Take a binary envelope apart. Raises DecryptionError for an unknown suite or one that is too short."""
    found = key_id(envelope)
    suite = _BY_NUMBER.get(envelope[len(BINARY_START)])
    if suite is None or len(envelope) < PREFIX_BYTES + suite.nonce_bytes + suite.tag_bytes + len(FORMAT):
        raise DecryptionError
    return Envelope(suite, found, envelope[PREFIX_BYTES:])


def to_ascii(envelope: bytes) -> bytes:
    """The ASCII form of a binary envelope."""
    return MARKER + encode(envelope[len(MAGIC) :])


def from_ascii(data: bytes) -> bytes:
    """The binary form of an ASCII envelope. Raises DecryptionError if it is none."""
    if not is_ascii(data):
        raise DecryptionError
    try:
        return MAGIC + decode(data[len(MARKER) :])
    except ValueError:
        raise DecryptionError from None


def encode(data: bytes) -> bytes:
    """base64url without padding (RFC 4648, section 5)."""
    return binascii.b2a_base64(data, newline=False).translate(TO_URL, b"=")


def decode(data: bytes) -> bytes:
    """Read base64url without padding. Raises ValueError for any other character, padding among them."""
    return binascii.a2b_base64(data.translate(FROM_URL) + PADDING[len(data) & 3], strict_mode=True)


def binary_size(algorithm: str, length: int) -> int:
    """Bytes of the binary envelope of a canonical value of `length` bytes."""
    suite = SUITES[algorithm]
    return PREFIX_BYTES + suite.nonce_bytes + len(FORMAT) + length + suite.tag_bytes


def ascii_size(algorithm: str, length: int) -> int:
    """Characters of the ASCII envelope of a canonical value of `length` bytes."""
    raw = binary_size(algorithm, length) - len(MAGIC)
    return len(MARKER) + (raw * 4 + 2) // 3
