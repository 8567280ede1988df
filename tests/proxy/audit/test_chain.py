"""A record's line, to the byte, and what is none."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest

from crypto.chain_key import ChainKey
from proxy.audit.chain import NO_MAC, ChainKeys, Link, chained, parse
from proxy.audit.record import Entry
from tests.proxy.audit.trails import KEYS, NEW, OLD

ENTRY = Entry("statement refused", 0.25, "app", (("field", "public.users.email"), ("sqlstate", "0A000")))
BODY = (
    b'{"v":1,"chain":"0123456789abcdef","seq":8,"time":"1970-01-01T00:00:00.250000Z",'
    b'"event":"statement refused","actor":"app","field":"public.users.email","sqlstate":"0A000",'
    b'"mac_key":"0a0a0a0a","prev":"' + b"77" * 32 + b'"'
)


def test_a_line_to_the_byte() -> None:
    """As docs/audit.md describes it."""
    line, link = chained(ENTRY, Link("0123456789abcdef", 7, "77" * 32), OLD)
    mac = hmac.digest(b"a" * 32, BODY, hashlib.sha256).hex()
    assert line == BODY + b',"mac":"' + mac.encode() + b'"}\n'
    assert link == Link("0123456789abcdef", 8, mac)
    record = parse(line[:-1])
    assert record is not None
    assert record.authentic(KEYS.find)
    assert record.follows(Link("0123456789abcdef", 7, "77" * 32))
    assert record.link == link
    assert json.loads(line)["mac"] == mac


def test_many_alike() -> None:
    line, _ = chained(Entry("login failed", 1.0, "app", (), 3, 2.5), Link("c"), OLD)
    record = json.loads(line)
    assert (record["count"], record["last"], record["prev"]) == (3, "1970-01-01T00:00:02.500000Z", NO_MAC)


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        BODY + b"}",
        BODY + b',"mac":"' + b"AB" * 32 + b'"}',  # it has one spelling
        BODY + b',"mac":"' + b"ab" * 32 + b'"}\r',
        BODY + b',"mac":"' + b"ab" * 32 + b'"} ',
        BODY.replace(b'"v":1', b'"v":2') + b',"mac":"' + b"ab" * 32 + b'"}',
        BODY.replace(b'"seq":8', b'"seq":"8"') + b',"mac":"' + b"ab" * 32 + b'"}',
        BODY.replace(b'"mac_key"', b'"mac_kez"') + b',"mac":"' + b"ab" * 32 + b'"}',
        b"[" * 100_000 + b',"mac":"' + b"ab" * 32 + b'"}',
    ],
)
def test_what_is_no_record(line: bytes) -> None:
    assert parse(line) is None


def test_the_newest_key_is_that_of_the_highest_version() -> None:
    keys = ChainKeys([NEW, OLD, ChainKey("0c", 0, b"c" * 32)])
    assert keys.newest is NEW
    assert keys.find("0a0a0a0a") is OLD
    assert keys.find("?") is None
