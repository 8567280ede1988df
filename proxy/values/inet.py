"""inet: canonical bytes are PostgreSQL's binary format.

Family (2 for IPv4, 3 for IPv6), bits of the netmask, 0, length of the address, the address: 8 or 20 bytes.
Sources: PostgreSQL's network.c, inet_net_pton.c and inet_net_ntop.c; documentation 8.9.
"""

from __future__ import annotations

import ipaddress
import re

from proxy.values.codec import Codec, bad_binary, bad_syntax
from proxy.values.settings import Settings

_IPV4, _IPV6 = 2, 3
_LENGTHS = {_IPV4: 4, _IPV6: 16}
_IPV4_TEXT = re.compile(rb"(\d{1,4}(?:\.\d{1,4}){0,3})(?:/(\d{1,9}))?")
_IPV6_TEXT = re.compile(rb"([0-9a-fA-F:.]+)(?:/(0|[1-9]\d{0,2}))?")


class InetCodec(Codec):
    """A host address with the netmask of its network; no netmask means all bits."""

    binary_is_canonical = True

    def from_text(self, raw: bytes, settings: Settings) -> bytes:
        if match := _IPV4_TEXT.fullmatch(raw):
            return _read_ipv4(match)
        if match := _IPV6_TEXT.fullmatch(raw):
            return _read_ipv6(match)
        raise bad_syntax("inet")

    def from_binary(self, raw: bytes, settings: Settings) -> bytes:
        """Also reads cidr, which differs in the third byte only."""
        length = _LENGTHS.get(raw[0]) if raw else None
        if length is None or len(raw) != 4 + length or raw[3] != length or raw[1] > 8 * length:
            raise bad_binary()
        return raw[:2] + b"\0" + raw[3:]

    def to_text(self, canonical: bytes, settings: Settings) -> bytes:
        host = spell_host(canonical)
        return host if canonical[1] == 8 * canonical[3] else b"%s/%d" % (host, canonical[1])

    def to_binary(self, canonical: bytes, settings: Settings) -> bytes:
        return canonical


def spell_host(canonical: bytes) -> bytes:
    """The address without its netmask."""
    address = canonical[4:]
    return b"%d.%d.%d.%d" % tuple(address) if canonical[0] == _IPV4 else _spell_ipv6(address)


def _pack(family: int, bits: int, address: bytes) -> bytes:
    return bytes((family, bits, 0, len(address))) + address


def _read_ipv4(match: re.Match[bytes]) -> bytes:
    """Fewer than four octets are taken as a network's, if the netmask ends before the next one would."""
    octets = [int(octet) for octet in match[1].split(b".")]
    bits = 32 if match[2] is None else int(match[2])
    if (
        max(octets) > 255
        or bits > 32
        or (len(octets) < 4 and (match[2] is None or bits >= 8 * len(octets) + 8))
    ):
        raise bad_syntax("inet")
    return _pack(_IPV4, bits, bytes(octets).ljust(4, b"\0"))


def _read_ipv6(match: re.Match[bytes]) -> bytes:
    bits = 128 if match[2] is None else int(match[2])
    try:
        address = ipaddress.IPv6Address(match[1].decode()).packed
    except ValueError:
        raise bad_syntax("inet") from None
    if bits > 128:
        raise bad_syntax("inet")
    return _pack(_IPV6, bits, address)


def _spell_ipv6(address: bytes) -> bytes:
    """The first longest run of several zero words is left out; an embedded IPv4 address looks like one."""
    words = [f"{int.from_bytes(address[at : at + 2], 'big'):x}" for at in range(0, 16, 2)]
    start, length = _longest_zeros(words)
    if start == 0 and (length == 6 or (length == 5 and words[5] == "ffff")):
        return (b"::%d.%d.%d.%d" if length == 6 else b"::ffff:%d.%d.%d.%d") % tuple(address[12:])
    if length < 2:
        return ":".join(words).encode()
    return f"{':'.join(words[:start])}::{':'.join(words[start + length :])}".encode()


def _longest_zeros(words: list[str]) -> tuple[int, int]:
    """Start and length of the first longest run of zero words."""
    best = (0, 0)
    run = 0
    for index, word in enumerate(words):
        run = run + 1 if word == "0" else 0
        if run > best[1]:
            best = (index - run + 1, run)
    return best
