"""The first packets of a connection: each whole, one byte at a time, and with more behind it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ServerError
from proxy.session.startup import ALPN, Answer, Begin, Cancel, Event, StartTLS, Startup
from proxy.wire.startup import CancelRequest, GSSENCRequest, SSLRequest, StartupMessage

SSL = SSLRequest().pack()
GSS = GSSENCRequest().pack()
CANCEL = CancelRequest(42, b"abcd").pack()
STARTUP = StartupMessage(3 << 16, {b"user": b"ann", b"application_name": b"caf\xe9"}).pack()
QUERY = b"Q\0\0\0\x0dselect 1\0"
CLIENT_HELLO = b"\x16\x03\x01\x02\x00"


def startup_of(**parameters: str) -> bytes:
    return StartupMessage(3 << 16, {k.encode(): v.encode() for k, v in parameters.items()}).pack()


def begin(packet: bytes, **options: bool) -> Begin:
    (event,) = Startup(tls=True, **options).receive(packet)
    assert isinstance(event, Begin)
    return event


def refusal(*chunks: bytes, tls: bool = True, tls_required: bool = False) -> ServerError:
    startup = Startup(tls=tls, tls_required=tls_required)
    for chunk in chunks[:-1]:
        startup.receive(chunk)
    with pytest.raises(ServerError) as caught:
        startup.receive(chunks[-1])
    assert caught.value.severity == "FATAL"
    return caught.value


def bytewise(startup: Startup, data: bytes) -> list[Event]:
    return [event for i in range(len(data)) for event in startup.receive(data[i : i + 1])]


def test_a_startup_message_is_kept_as_it_came() -> None:
    event = begin(STARTUP + QUERY)
    assert event.request.raw == STARTUP
    assert event.rest == QUERY
    assert event.request.user == event.request.database == "ann"
    assert event.request.parameters["application_name"].encode("utf-8", "surrogateescape") == b"caf\xe9"


def test_it_may_come_byte_by_byte() -> None:
    events = bytewise(Startup(tls=True), STARTUP)
    assert events == [begin(STARTUP)]


def test_a_database_that_is_empty_is_the_users() -> None:
    assert begin(startup_of(user="ann", database="")).request.database == "ann"
    assert begin(startup_of(user="ann", database="shop")).request.database == "shop"


def test_extensions_and_minor_versions_are_noticed_not_judged() -> None:
    packet = StartupMessage(3 << 16 | 9999, {b"user": b"ann", b"_pq_.grease": b""}).pack()
    request = begin(packet).request
    assert request.minor == 9999
    assert request.extensions == {"_pq_.grease"}


@pytest.mark.parametrize("value", ["true", "t", "on", "1", "Y", "yes"])
def test_physical_replication_is_free_of_sql(value: str) -> None:
    assert begin(startup_of(user="ann", replication=value)).request.physical_replication


@pytest.mark.parametrize("value", ["database", "false", "0", "off", "", "o", "trueish"])
def test_any_other_connection_may_carry_sql(value: str) -> None:
    assert not begin(startup_of(user="ann", replication=value)).request.physical_replication


def test_ssl_and_gss_are_answered_in_either_order() -> None:
    startup = Startup(tls=False)
    assert startup.receive(GSS) == [Answer(b"N")]
    assert startup.receive(SSL) == [Answer(b"N")]
    assert startup.receive(STARTUP) == [begin(STARTUP)]
    startup = Startup(tls=False)
    assert bytewise(startup, SSL + GSS + STARTUP) == [Answer(b"N"), Answer(b"N"), begin(STARTUP)]


def test_tls_begins_after_an_ssl_request() -> None:
    startup = Startup(tls=True, tls_required=True)
    assert startup.receive(GSS) == [Answer(b"N")]
    assert startup.receive(SSL) == [StartTLS(b"S", b"")]
    startup.secured(None)
    assert startup.receive(STARTUP) == [begin(STARTUP)]


@pytest.mark.parametrize("behind", [STARTUP, b"\x16", b"\0"])
def test_nothing_may_be_smuggled_behind_an_ssl_request(behind: bytes) -> None:
    assert refusal(SSL + behind).sqlstate == "08P01"
    assert refusal(SSL[:5], SSL[5:] + behind).sqlstate == "08P01"


@pytest.mark.parametrize("second", [SSL, GSS])
def test_no_request_for_encryption_inside_tls(second: bytes) -> None:
    startup = Startup(tls=True)
    startup.receive(SSL)
    startup.secured(ALPN)
    with pytest.raises(ServerError, match="unsupported frontend protocol 1234"):
        startup.receive(second)


def test_no_request_is_made_twice() -> None:
    assert refusal(SSL, SSL, tls=False).sqlstate == "0A000"
    assert refusal(GSS, GSS).sqlstate == "0A000"


def test_direct_tls_needs_alpn() -> None:
    startup = Startup(tls=True)
    assert startup.receive(CLIENT_HELLO) == [StartTLS(b"", CLIENT_HELLO)]
    with pytest.raises(ServerError, match="ALPN"):
        startup.secured(None)
    startup = Startup(tls=True, tls_required=True)
    startup.receive(CLIENT_HELLO[:1])
    startup.secured(ALPN)
    assert startup.receive(STARTUP) == [begin(STARTUP)]


def test_direct_tls_where_there_is_none() -> None:
    assert "not configured" in refusal(CLIENT_HELLO, tls=False).message


def test_a_startup_in_clear_is_refused_where_tls_is_required() -> None:
    error = refusal(STARTUP, tls_required=True)
    assert error.sqlstate == "28000"
    assert "sslmode=require" in (error.hint or "")


@pytest.mark.parametrize("secret", [b"abcd", bytes(32), bytes(256)])
def test_a_cancel_request_is_handed_on_as_it_came(secret: bytes) -> None:
    packet = CancelRequest(42, secret).pack()
    assert Startup(tls=True, tls_required=True).receive(packet) == [Cancel(packet)]
    assert bytewise(Startup(tls=True), packet) == [Cancel(packet)]


def test_nobody_sees_the_secret_of_a_cancel_request_in_a_log() -> None:
    assert "abcd" not in repr(Cancel(CANCEL))


@pytest.mark.parametrize("code", [2 << 16, 1234 << 16 | 1, 4 << 16, 0])
def test_other_protocols_are_unsupported(code: int) -> None:
    assert refusal(struct.pack("!ii", 9, code) + b"\0").sqlstate == "0A000"


@pytest.mark.parametrize("size", [-1, 0, 4, 7, 10_005, 2**31 - 1])
def test_a_length_that_no_packet_has(size: int) -> None:
    error = refusal(struct.pack("!i", size))
    assert (error.sqlstate, error.message) == ("08P01", "invalid length of startup packet")


def test_an_http_request_is_no_startup() -> None:
    assert refusal(b"GET / HTTP/1.1\r\n").sqlstate == "08P01"


@pytest.mark.parametrize(
    "body", [b"", b"\0\0", b"user\0ann\0", b"user\0ann\0\0x", b"user\0\0ann\0\0", b"user"]
)
def test_a_broken_layout(body: bytes) -> None:
    assert refusal(struct.pack("!ii", 8 + len(body), 3 << 16) + body).sqlstate == "08P01"


@pytest.mark.parametrize("parameters", [{}, {"user": ""}, {"database": "shop"}])
def test_a_user_is_needed(parameters: dict[str, str]) -> None:
    assert refusal(startup_of(**parameters)).sqlstate == "28000"


@given(st.lists(st.binary(max_size=30), max_size=6), st.booleans(), st.booleans())
def test_any_bytes_end_in_events_or_a_clean_error(chunks: list[bytes], tls: bool, required: bool) -> None:
    startup = Startup(tls=tls, tls_required=required)
    try:
        for chunk in chunks:
            if any(not isinstance(event, Answer) for event in startup.receive(chunk)):
                break
    except ServerError as error:
        assert error.severity == "FATAL"  # noqa: PT017  (the only way out but for events)
