"""Every message: whole, cut short at each byte, and with data after it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.wire import backend as b
from proxy.wire import frontend as f
from proxy.wire import login as g
from proxy.wire import startup as s
from proxy.wire.errors import ProtocolError

FIELD = b.FieldDescription(b"email", 16400, 2, 25, -1, -1, 0)

# One of each message, and its frame as bytes where it is short enough to be read.
MESSAGES: list[tuple[Any, bytes | None]] = [
    (f.Query(b"select 1"), b"Q\0\0\0\x0dselect 1\0"),
    (f.Query(b""), b"Q\0\0\0\x05\0"),
    (
        f.Parse(b"s1", b"select $1", (25, 0xFFFFFFFF)),
        b"P\0\0\0\x1bs1\0select $1\0\0\2\0\0\0\x19\xff\xff\xff\xff",
    ),
    (f.Parse(b"", b""), b"P\0\0\0\x08\0\0\0\0"),
    (f.Bind(b"", b"s1"), b"B\0\0\0\x0e\0s1\0\0\0\0\0\0\0"),
    (
        f.Bind(b"p", b"", (0, 1), (b"ab", None), (1,)),
        b"B\0\0\0\x1dp\0\0\0\2\0\0\0\1\0\2\0\0\0\2ab\xff\xff\xff\xff\0\1\0\1",
    ),
    (f.Bind(b"p", b"s", (1,), (b"", b"x" * 300, None), (0, 1, 0)), None),
    (f.Describe(f.STATEMENT, b"s1"), b"D\0\0\0\x08Ss1\0"),
    (f.Describe(f.PORTAL, b""), b"D\0\0\0\x06P\0"),
    (f.Close(f.PORTAL, b"p"), b"C\0\0\0\x07Pp\0"),
    (f.Execute(b"", 100), b"E\0\0\0\x09\0\0\0\0\x64"),
    (f.FunctionCall(953, (1,), (b"\0\0\0\1", None), 1), None),
    (f.CopyFail(b"no"), b"f\0\0\0\x07no\0"),
    (f.PasswordMessage(b"pw"), b"p\0\0\0\x07pw\0"),
    (f.SASLInitialResponse(b"SCRAM-SHA-256", b"n,,n=,r=x"), None),
    (f.SASLInitialResponse(b"X", None), b"p\0\0\0\x0aX\0\xff\xff\xff\xff"),
    (b.RowDescription((FIELD, FIELD)), None),
    (b.RowDescription(()), b"T\0\0\0\x06\0\0"),
    (b.ParameterDescription((25, 20)), b"t\0\0\0\x0e\0\2\0\0\0\x19\0\0\0\x14"),
    (b.DataRow((b"a", None, b"")), b"D\0\0\0\x13\0\3\0\0\0\1a\xff\xff\xff\xff\0\0\0\0"),
    (b.ErrorResponse({"S": b"ERROR", "C": b"0A000"}), b"E\0\0\0\x13SERROR\0C0A000\0\0"),
    (b.NoticeResponse({}), b"N\0\0\0\x05\0"),
    (b.CommandComplete(b"SELECT 1"), b"C\0\0\0\x0dSELECT 1\0"),
    (b.ReadyForQuery(b"T"), b"Z\0\0\0\x05T"),
    (b.ParameterStatus(b"TimeZone", b"UTC"), b"S\0\0\0\x11TimeZone\0UTC\0"),
    (g.BackendKeyData(-1, b"abcd"), b"K\0\0\0\x0c\xff\xff\xff\xffabcd"),
    (g.NegotiateProtocolVersion(s.PROTOCOL_3_0, (b"_pq_.x",)), b"v\0\0\0\x13\0\3\0\0\0\0\0\1_pq_.x\0"),
    (g.AuthenticationSASL((b"SCRAM-SHA-256-PLUS", b"SCRAM-SHA-256")), None),
    (b.CopyInResponse(1, (1, 1)), b"G\0\0\0\x0b\1\0\2\0\1\0\1"),
    (b.CopyOutResponse(0, (0,)), b"H\0\0\0\x09\0\0\1\0\0"),
    (b.CopyBothResponse(0, ()), b"W\0\0\0\x07\0\0\0"),
    (b.NotificationResponse(7, b"ch", b"hello"), b"A\0\0\0\x11\0\0\0\x07ch\0hello\0"),
    (b.FunctionCallResponse(b"\0\0\0\1"), b"V\0\0\0\x0c\0\0\0\4\0\0\0\1"),
    (b.FunctionCallResponse(None), b"V\0\0\0\x08\xff\xff\xff\xff"),
]
# These take whatever follows their fixed part, so neither truncation nor data after them shows.
OPEN_ENDED: list[tuple[Any, bytes]] = [
    (f.CopyData(b"1\tx\n"), b"d\0\0\0\x081\tx\n"),
    (f.SASLResponse(b"c=biws"), b"p\0\0\0\x0ac=biws"),
    (g.Authentication(g.AUTH_MD5_PASSWORD, b"salt"), b"R\0\0\0\x0c\0\0\0\5salt"),
    (g.Authentication(g.AUTH_OK), b"R\0\0\0\x08\0\0\0\0"),
]
IDS = [f"{type(message).__name__}-{i}" for i, (message, _) in enumerate(MESSAGES)]


@pytest.mark.parametrize(("message", "written"), [*MESSAGES, *OPEN_ENDED])
def test_whole(message: Any, written: bytes | None):
    packed = message.pack()
    assert written is None or packed == written
    assert int.from_bytes(packed[1:5], "big") == len(packed) - 1
    for kind in (bytes, bytearray, memoryview):
        assert type(message).parse(kind(packed[5:])) == message


@pytest.mark.parametrize(("message", "_written"), MESSAGES, ids=IDS)
def test_cut_short_at_each_byte(message: Any, _written: bytes | None):
    body = message.pack()[5:]
    for size in range(len(body)):
        if isinstance(message, g.BackendKeyData) and size >= 8:
            continue
        with pytest.raises(ProtocolError):
            type(message).parse(body[:size])


@pytest.mark.parametrize(("message", "_written"), MESSAGES, ids=IDS)
@pytest.mark.parametrize("garbage", [b"\0", b"x", b"\xff" * 9])
def test_data_after_it(message: Any, _written: bytes | None, garbage: bytes):
    if isinstance(message, g.BackendKeyData):
        garbage = b"x" * 256
    with pytest.raises(ProtocolError):
        type(message).parse(message.pack()[5:] + garbage)


BODIES: list[tuple[Any, bytes]] = [
    (f.Query, b"select 1\0; select 2\0"),
    (f.Bind, b"p\0s\0\0\0\0\1\xff\xff\xff\xfe\0\0"),  # a parameter of length -2
    (f.Bind, b"p\0s\0\0\3\0\0\0\0\0\0\0\2\0\0\0\1a\0\0\0\1b\0\0"),  # 3 formats, 2 parameters
    (f.Bind, b"p\0s\0\0\0\0\1\x7f\xff\xff\xffa\0\0"),
    (f.Describe, b"Xname\0"),
    (f.Close, b"\0name\0"),
    (f.SASLInitialResponse, b"X\0\xff\xff\xff\xfe"),
    (b.ReadyForQuery, b"X"),
    (b.DataRow, b"\0\1\xff\xff\xff\xfe"),
    (g.BackendKeyData, b"\0\0\0\1abc"),
    (g.BackendKeyData, b"\0\0\0\1" + b"x" * 257),
    (g.NegotiateProtocolVersion, b"\0\3\0\0\xff\xff\xff\xff"),
    (g.NegotiateProtocolVersion, b"\0\3\0\0\x7f\xff\xff\xff"),
    (g.AuthenticationSASL, b"\0\0\0\5SCRAM-SHA-256\0\0"),
]


@pytest.mark.parametrize(("kind", "body"), BODIES)
def test_malformed(kind: Any, body: bytes):
    with pytest.raises(ProtocolError):
        kind.parse(body)


@pytest.mark.parametrize("message", [f.Query(b"a\0b"), f.Parse(b"\0", b""), b.CommandComplete(b"\0")])
def test_a_string_with_a_nul_cannot_be_packed(message: Any):
    with pytest.raises(ProtocolError):
        message.pack()


def test_formats_of_parameters():
    assert [f.Bind(b"", b"", (), (b"a", b"b")).param_format(i) for i in (0, 1)] == [0, 0]
    assert [f.Bind(b"", b"", (1,), (b"a", b"b")).param_format(i) for i in (0, 1)] == [1, 1]
    assert [f.Bind(b"", b"", (0, 1), (b"a", b"b")).param_format(i) for i in (0, 1)] == [0, 1]


def test_an_error_made_of_texts():
    error = b.ErrorResponse.of("ERROR", "0A000", "né\0", hint="how", position=7, encoding="latin-1")
    assert error.fields == {
        "S": b"ERROR",
        "V": b"ERROR",
        "C": b"0A000",
        "M": b"n\xe9?",
        "H": b"how",
        "P": b"7",
    }
    assert b.ErrorResponse.of("FATAL", "XX000", "Ω", encoding="latin-1").fields["M"] == b"?"


def test_secrets_are_not_in_a_repr():
    secret = b"hunter2!"
    for message in (
        f.PasswordMessage(secret),
        f.SASLInitialResponse(b"SCRAM-SHA-256", secret),
        f.SASLResponse(secret),
        g.Authentication(g.AUTH_SASL_FINAL, secret),
        g.BackendKeyData(1, secret),
        s.CancelRequest(1, secret),
        s.StartupMessage(s.PROTOCOL_3_0, {b"options": secret}),
        f.Bind(b"", b"", (), (secret,)),
        f.CopyData(secret),
        f.FunctionCall(1, (), (secret,)),
        f.Query(secret),
        b.DataRow((secret,)),
        b.FunctionCallResponse(secret),
    ):
        assert "hunter2" not in repr(message)


STRING = st.binary(max_size=12).map(lambda value: value.replace(b"\0", b""))
VALUE = st.none() | st.binary(max_size=12)
VALUES = st.lists(VALUE, max_size=5).map(tuple)
OIDS = st.lists(st.integers(0, 2**32 - 1), max_size=5).map(tuple)
CODES = st.lists(st.integers(0, 1), max_size=5).map(tuple)
INT16 = st.integers(-(2**15), 2**15 - 1)
INT32 = st.integers(-(2**31), 2**31 - 1)
OID = st.integers(0, 2**32 - 1)
FIELDS = st.builds(b.FieldDescription, STRING, OID, INT16, OID, INT16, INT32, INT16)
ANY = st.one_of(
    st.builds(f.Query, STRING),
    st.builds(f.Parse, STRING, STRING, OIDS),
    st.builds(f.Bind, STRING, STRING, st.sampled_from([(), (0,), (1,)]), VALUES, CODES),
    st.builds(f.Describe, st.sampled_from([b"S", b"P"]), STRING),
    st.builds(f.Execute, STRING, INT32),
    st.builds(f.FunctionCall, OID, CODES, VALUES, INT16),
    st.builds(b.RowDescription, st.lists(FIELDS, max_size=4).map(tuple)),
    st.builds(b.ParameterDescription, OIDS),
    st.builds(b.DataRow, VALUES),
    st.builds(b.ErrorResponse, st.dictionaries(st.sampled_from("SVCMDHPpqWstcdnFLR"), STRING)),
    st.builds(b.NotificationResponse, INT32, STRING, STRING),
    st.builds(b.FunctionCallResponse, VALUE),
    st.builds(b.CopyInResponse, st.integers(0, 1), CODES),
)


@given(ANY)
def test_what_is_packed_is_parsed(message: Any):
    assert type(message).parse(message.pack()[5:]) == message


@given(st.sampled_from(sorted({type(m) for m, _ in [*MESSAGES, *OPEN_ENDED]}, key=repr)), st.data())
def test_any_bytes_are_a_message_or_a_protocol_error(kind: Any, data: st.DataObject):
    body = data.draw(st.binary(max_size=40))
    try:
        message = kind.parse(body)
    except ProtocolError:
        return
    if kind not in (b.ErrorResponse, b.NoticeResponse):  # a code that comes twice is kept once
        assert message.pack()[5:] == body
