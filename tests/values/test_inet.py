"""inet: addresses, netmasks, and how PostgreSQL shortens IPv6."""

from __future__ import annotations

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.values.support import ISO, binary_sqlstate, canonical, codec_of, shown, sqlstate


@given(st.ip_addresses(), st.data())
def test_addresses_come_back(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address, data: st.DataObject
) -> None:
    bits = data.draw(st.integers(0, address.max_prefixlen))
    family = 2 if address.version == 4 else 3
    head = bytes((family, bits, 0, len(address.packed)))
    assert canonical("inet", f"{address}/{bits}") == head + address.packed
    assert ipaddress.ip_interface(shown("inet", f"{address}/{bits}")) == ipaddress.ip_interface(
        f"{address}/{bits}"
    )


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("10.1.2.3", "10.1.2.3"),
        ("10.1.2.3/32", "10.1.2.3"),
        ("10.1.2.3/8", "10.1.2.3/8"),
        ("10.1/16", "10.1.0.0/16"),
        ("010.1.2.3", "10.1.2.3"),
        ("2001:DB8::1/64", "2001:db8::1/64"),
        ("1:0:0:2:0:0:0:3", "1:0:0:2::3"),
        ("1:0:3:4:5:6:7:8", "1:0:3:4:5:6:7:8"),
        ("::ffff:1.2.3.4", "::ffff:1.2.3.4"),
        ("::1:2", "::0.1.0.2"),
        ("::2", "::2"),
        ("0:0:0:0:0:0:0:0", "::"),
    ],
)
def test_spelling(text: str, printed: str) -> None:
    assert shown("inet", text) == printed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10.1",
        "1.2.3.256",
        "1.2.3.4/33",
        "1.2/24",
        " 1.2.3.4",
        "1::2::3",
        "::1/129",
        "::1/064",
        "fe80::1%eth0",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert sqlstate("inet", text) == "22P02"


def test_cidr_in_binary_is_read_too() -> None:
    assert codec_of("inet").from_binary(bytes((2, 24, 1, 4, 10, 1, 2, 0)), ISO) == canonical(
        "inet", "10.1.2.0/24"
    )


@pytest.mark.parametrize(
    "raw", ["", "02", "02210004 0a010200", "0220000a 0a010200", "04200004 0a010200", "02200004 0a"]
)
def test_malformed_binary(raw: str) -> None:
    assert binary_sqlstate("inet", bytes.fromhex(raw)) == "22P03"
