"""Transcripts of logins: what goes to either side, message by message."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.session.authentication import Authentication, Legs, State
from proxy.session.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS
from proxy.session.startup import Begin, SessionRequest, Startup
from proxy.wire.backend import ErrorResponse, NoticeResponse, ReadyForQuery
from proxy.wire.frontend import PasswordMessage, Query, SASLInitialResponse
from proxy.wire.login import (
    AUTH_CLEARTEXT_PASSWORD,
    AUTH_MD5_PASSWORD,
    AUTH_OK,
    AuthenticationSASL,
    NegotiateProtocolVersion,
)
from proxy.wire.login import Authentication as Request
from proxy.wire.startup import StartupMessage
from tests.session.test_channel_binding import EC, certificate, hashes

OK = Request(AUTH_OK).pack()
CLEARTEXT = Request(AUTH_CLEARTEXT_PASSWORD).pack()
MD5 = Request(AUTH_MD5_PASSWORD, b"salt").pack()
BOTH = AuthenticationSASL((SCRAM_SHA_256_PLUS, SCRAM_SHA_256)).pack()
PLAIN = AuthenticationSASL((SCRAM_SHA_256,)).pack()
READY = ReadyForQuery(b"I").pack()
REFUSAL = ErrorResponse.of("FATAL", "28P01", "password authentication failed").pack()
PASSWORD = PasswordMessage(b"secret").pack()

OWN = certificate(EC, hashes.SHA256())
UPSTREAM = certificate(EC, hashes.SHA384())

CLEAR = Legs(protected=False)
LOCAL = Legs(protected=True)
TLS = Legs(protected=True, certificate=OWN, upstream_certificate=UPSTREAM)
TLS_SECRETS = Legs(protected=True, certificate=OWN, upstream_certificate=UPSTREAM, secrets=True)
SAME = Legs(protected=True, certificate=OWN, upstream_certificate=OWN, secrets=True)


def request(minor: int = 0, **parameters: str) -> SessionRequest:
    given = {"user": "ann", **parameters}
    pairs = {name.encode(): value.encode() for name, value in given.items()}
    (event,) = Startup(tls=False).receive(StartupMessage(3 << 16 | minor, pairs).pack())
    assert isinstance(event, Begin)
    return event.request


class Dialogue:
    """An authentication, and what it has sent so far."""

    def __init__(self, legs: Legs, startup: SessionRequest | None = None) -> None:
        self.machine = Authentication(startup or request(), legs)
        self.collect()

    def collect(self) -> tuple[bytes, bytes]:
        machine = self.machine
        sent = b"".join(machine.to_frontend), b"".join(machine.to_backend)
        machine.to_frontend.clear()
        machine.to_backend.clear()
        return sent

    def server(self, data: bytes) -> tuple[bytes, bytes]:
        """The server sends; what goes to the client, and what to the server."""
        self.machine.backend_received(data)
        return self.collect()

    def client(self, data: bytes) -> tuple[bytes, bytes]:
        self.machine.frontend_received(data)
        return self.collect()


def failed(dialogue: Dialogue, sent: tuple[bytes, bytes]) -> str:
    """The SQLSTATE of the error that ends a login; nothing else may have been sent."""
    assert dialogue.machine.state is State.FAILED
    frontend, backend = sent
    assert frontend[:1] == b"E"
    assert backend == b""
    fields = ErrorResponse.parse(frontend[5:]).fields
    assert fields["S"] == b"FATAL"
    return fields["C"].decode()


def test_the_startup_message_goes_upstream_first() -> None:
    assert Authentication(request(), CLEAR).to_backend == [request().raw]


def test_trust() -> None:
    dialogue = Dialogue(CLEAR)
    assert dialogue.server(OK + READY) == (OK, b"")
    assert dialogue.machine.state is State.DONE
    assert dialogue.machine.backend_rest == READY


@pytest.mark.parametrize("question", [MD5, CLEARTEXT])
def test_passwords_are_relayed(question: bytes) -> None:
    dialogue = Dialogue(LOCAL)
    assert dialogue.server(question) == (question, b"")
    assert dialogue.client(PASSWORD) == (b"", PASSWORD)
    assert dialogue.server(OK) == (OK, b"")
    assert dialogue.machine.state is State.RUNNING
    assert dialogue.server(READY) == (b"", b"")
    assert dialogue.machine.state is State.DONE


def test_byte_by_byte_it_is_the_same() -> None:
    dialogue = Dialogue(LOCAL)
    assert b"".join(dialogue.server(MD5[i : i + 1])[0] for i in range(len(MD5))) == MD5
    assert b"".join(dialogue.client(PASSWORD[i : i + 1])[1] for i in range(len(PASSWORD))) == PASSWORD
    assert b"".join(dialogue.server(OK[i : i + 1])[0] for i in range(len(OK))) == OK


def test_no_password_is_asked_for_where_somebody_may_listen() -> None:
    dialogue = Dialogue(CLEAR)
    assert failed(dialogue, dialogue.server(CLEARTEXT)) == "28000"


def test_a_refusal_is_the_servers_and_ends_it() -> None:
    dialogue = Dialogue(CLEAR)
    dialogue.server(MD5)
    dialogue.client(PASSWORD)
    assert dialogue.server(REFUSAL + OK) == (REFUSAL, b"")
    assert dialogue.machine.state is State.FAILED
    assert dialogue.client(PASSWORD) == (b"", b"")


def test_notices_go_by() -> None:
    notice = NoticeResponse.of("NOTICE", "00000", "hello").pack()
    dialogue = Dialogue(CLEAR)
    assert dialogue.server(notice + OK + notice + READY) == (notice + OK + notice, b"")
    assert dialogue.machine.state is State.DONE


def test_the_server_may_still_say_no_after_the_login() -> None:
    dialogue = Dialogue(CLEAR)
    assert dialogue.server(OK) == (OK, b"")
    assert dialogue.server(REFUSAL) == (REFUSAL, b"")
    assert dialogue.machine.state is State.FAILED


def test_what_the_client_sends_early_waits_for_its_turn() -> None:
    query = Query(b"SELECT 1").pack()
    dialogue = Dialogue(CLEAR)
    assert dialogue.client(PASSWORD + query) == (b"", b"")
    assert dialogue.server(MD5) == (MD5, PASSWORD)
    assert dialogue.server(OK) == (OK, b"")
    assert dialogue.machine.frontend_rest == query


def test_no_other_message_answers_a_request() -> None:
    dialogue = Dialogue(CLEAR)
    dialogue.server(MD5)
    assert failed(dialogue, dialogue.client(Query(b"SELECT 1").pack())) == "08P01"


def test_an_answer_has_a_limit() -> None:
    dialogue = Dialogue(CLEAR)
    dialogue.server(MD5)
    assert failed(dialogue, dialogue.client(b"p\0\1\1\1")) == "08P01"


@pytest.mark.parametrize("data", [READY, b"R\0\0\0\3", b"R\0\0\0\4", b"HTTP/1.1 400 Bad Request"])
def test_a_server_that_makes_no_sense(data: bytes) -> None:
    dialogue = Dialogue(CLEAR)
    assert failed(dialogue, dialogue.server(data)) == "08P01"


def test_a_newer_protocol_is_for_the_server_to_decline() -> None:
    startup = request(minor=9999, **{"_pq_.grease": "1"})
    declined = NegotiateProtocolVersion(3 << 16 | 2, (b"_pq_.grease",)).pack()
    assert Dialogue(CLEAR, startup).server(declined + OK) == (declined + OK, b"")


@pytest.mark.parametrize(
    ("startup", "answer"),
    [
        (request(minor=3), b""),
        (request(minor=4), NegotiateProtocolVersion(3 << 16 | 3, ()).pack()),
        (request(**{"_pq_.compression": "on"}), b""),
        (request(**{"_pq_.a": "", "_pq_.b": ""}), NegotiateProtocolVersion(3 << 16, (b"_pq_.a",)).pack()),
    ],
)
def test_what_pgveil_does_not_know_it_refuses_if_the_server_agrees(
    startup: SessionRequest, answer: bytes
) -> None:
    dialogue = Dialogue(CLEAR, startup)
    frontend, backend = dialogue.server(answer + OK)
    assert failed(dialogue, (frontend[len(answer) :], backend)) == "0A000"


def test_plus_is_hidden_where_tls_ends_here() -> None:
    for legs in (CLEAR, LOCAL, TLS):
        assert Dialogue(legs).server(BOTH) == (PLAIN, b"")


def test_plus_stays_where_both_certificates_are_the_same() -> None:
    assert Dialogue(SAME).server(BOTH) == (BOTH, b"")


def test_a_client_without_channel_binding_is_relayed() -> None:
    dialogue = Dialogue(TLS)
    dialogue.server(BOTH)
    first = SASLInitialResponse(SCRAM_SHA_256, b"n,,n=,r=abc").pack()
    assert dialogue.client(first) == (b"", first)


def test_a_client_that_could_bind_the_channel_is_told_what_to_do() -> None:
    dialogue = Dialogue(TLS)
    dialogue.server(BOTH)
    sent = dialogue.client(SASLInitialResponse(SCRAM_SHA_256, b"y,,n=,r=abc").pack())
    assert failed(dialogue, sent) == "28000"
    assert b"channel_binding=disable" in sent[0]


def test_where_the_server_offers_no_plus_such_a_client_is_right() -> None:
    dialogue = Dialogue(Legs(protected=True, certificate=OWN))
    dialogue.server(PLAIN)
    first = SASLInitialResponse(SCRAM_SHA_256, b"y,,n=,r=abc").pack()
    assert dialogue.client(first) == (b"", first)


def test_a_bearer_token_is_a_password_in_clear() -> None:
    offer = AuthenticationSASL((b"OAUTHBEARER",)).pack()
    assert Dialogue(LOCAL).server(offer) == (offer, b"")
    dialogue = Dialogue(CLEAR)
    assert failed(dialogue, dialogue.server(offer)) == "28000"


@given(st.lists(st.tuples(st.booleans(), st.binary(max_size=40)), max_size=8), st.sampled_from([CLEAR, TLS]))
def test_any_bytes_end_in_a_state_and_never_in_an_exception(
    chunks: list[tuple[bool, bytes]], legs: Legs
) -> None:
    dialogue = Dialogue(legs)
    for from_server, data in [(True, BOTH), *chunks]:
        if dialogue.machine.state is not State.RUNNING:
            break
        (dialogue.server if from_server else dialogue.client)(data)
