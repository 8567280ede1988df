"""Both parts of SCRAM-SHA-256: against the vectors of RFC 7677, against each other, and against nonsense."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64decode, b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.errors import ServerError
from proxy.session import scram
from proxy.session.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ClientPart, Secret, ServerPart

PASSWORD = b"pencil"
SALT, ITERATIONS = b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096
SALTED = hashlib.pbkdf2_hmac("sha256", PASSWORD, SALT, ITERATIONS)
CLIENT_KEY = hmac.digest(SALTED, b"Client Key", "sha256")
SERVER_KEY = hmac.digest(SALTED, b"Server Key", "sha256")
STORED_KEY = hashlib.sha256(CLIENT_KEY).digest()

# RFC 7677, section 3
CLIENT_FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_NONCE = b"%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
SERVER_FIRST = b"r=rOprNGfwEbeRWgbNEkqO" + SERVER_NONCE + b",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
CLIENT_FINAL = (
    b"c=biws,r=rOprNGfwEbeRWgbNEkqO" + SERVER_NONCE + b",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SERVER_FINAL = b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def challenged(monkeypatch: pytest.MonkeyPatch) -> ServerPart:
    """A server that has answered the RFC's first message with the RFC's challenge."""
    monkeypatch.setattr(scram, "_new_nonce", lambda: SERVER_NONCE)
    server = ServerPart(None)
    server.client_first(SCRAM_SHA_256, CLIENT_FIRST)
    assert server.challenge(SALT, ITERATIONS) == SERVER_FIRST
    return server


def test_the_servers_part_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    server = challenged(monkeypatch)
    assert server.client_final(CLIENT_FINAL, STORED_KEY) == CLIENT_KEY
    assert server.server_final(SERVER_KEY) == SERVER_FINAL


def test_the_clients_part_of_the_rfc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scram, "_new_nonce", lambda: b"rOprNGfwEbeRWgbNEkqO")
    client = ClientPart(None)
    client._bare = b"n=user,r=rOprNGfwEbeRWgbNEkqO"  # ours leaves the name out
    client.server_first(SERVER_FIRST)
    assert (client.salt, client.iterations) == (SALT, ITERATIONS)
    assert client.client_final(CLIENT_KEY) == CLIENT_FINAL
    client.server_final(SERVER_FINAL, SERVER_KEY)


@pytest.mark.parametrize("binding", [None, b"hash of a certificate"])
def test_the_two_parts_understand_each_other(binding: bytes | None) -> None:
    server, client = ServerPart(binding), ClientPart(binding)
    server.client_first(client.mechanism, client.client_first())
    client.server_first(server.challenge(SALT, ITERATIONS))
    assert server.client_final(client.client_final(CLIENT_KEY), STORED_KEY) == CLIENT_KEY
    client.server_final(server.server_final(SERVER_KEY), SERVER_KEY)


def test_another_password_proves_nothing() -> None:
    server, client = ServerPart(None), ClientPart(None)
    server.client_first(client.mechanism, client.client_first())
    client.server_first(server.challenge(SALT, ITERATIONS))
    assert server.client_final(client.client_final(scram.random_key()), STORED_KEY) is None


def test_a_server_that_does_not_know_the_secret_is_found_out() -> None:
    server, client = ServerPart(None), ClientPart(None)
    server.client_first(client.mechanism, client.client_first())
    client.server_first(server.challenge(SALT, ITERATIONS))
    server.client_final(client.client_final(CLIENT_KEY), STORED_KEY)
    with pytest.raises(ServerError, match="did not prove"):
        client.server_final(server.server_final(scram.random_key()), SERVER_KEY)


def test_a_proof_for_another_channel_is_refused() -> None:
    server, client = ServerPart(b"pgveil's certificate"), ClientPart(b"somebody's in the middle")
    server.client_first(client.mechanism, client.client_first())
    client.server_first(server.challenge(SALT, ITERATIONS))
    with pytest.raises(ServerError, match="channel binding check failed"):
        server.client_final(client.client_final(CLIENT_KEY), STORED_KEY)


def test_who_was_told_of_no_plus_is_warned() -> None:
    with pytest.raises(ServerError) as caught:
        ServerPart(b"hash").client_first(SCRAM_SHA_256, b"y,,n=,r=abc")
    assert caught.value.sqlstate == "28000"
    ServerPart(None).client_first(SCRAM_SHA_256, b"y,,n=,r=abc")  # where there is none it is right


@pytest.mark.parametrize(
    ("mechanism", "message", "sqlstate"),
    [
        (SCRAM_SHA_256_PLUS, b"n,,n=,r=abc", "08P01"),
        (SCRAM_SHA_256_PLUS, b"p=tls-unique,,n=,r=abc", "08P01"),
        (SCRAM_SHA_256, b"p=tls-server-end-point,,n=,r=abc", "08P01"),
        (SCRAM_SHA_256, b"n,a=other,n=,r=abc", "0A000"),
        (SCRAM_SHA_256, b"n,,m=ext,n=,r=abc", "0A000"),
        (SCRAM_SHA_256, b"n,,n=,r=", "08P01"),
        (SCRAM_SHA_256, b"n,,r=abc", "08P01"),
        (SCRAM_SHA_256, b"n,,n=", "08P01"),
        (SCRAM_SHA_256, b"z,,n=,r=abc", "08P01"),
        (SCRAM_SHA_256, b"", "08P01"),
        (b"SCRAM-SHA-1", b"n,,n=,r=abc", "08P01"),
    ],
)
def test_first_messages_that_are_refused(mechanism: bytes, message: bytes, sqlstate: str) -> None:
    with pytest.raises(ServerError) as caught:
        ServerPart(b"hash").client_first(mechanism, message)
    assert (caught.value.sqlstate, caught.value.severity) == (sqlstate, "FATAL")


@pytest.mark.parametrize(
    "message",
    [
        CLIENT_FINAL.replace(b"r=rOpr", b"r=rOps"),  # another nonce
        CLIENT_FINAL.replace(b"biws", b"eSws"),  # another header
        CLIENT_FINAL.partition(b",p=")[0],
        CLIENT_FINAL[:-5],
        CLIENT_FINAL.replace(b"c=", b"d="),
        b",p=" + b64encode(bytes(32)),
        b"",
    ],
)
def test_final_messages_that_are_refused(monkeypatch: pytest.MonkeyPatch, message: bytes) -> None:
    with pytest.raises(ServerError):
        challenged(monkeypatch).client_final(message, STORED_KEY)


@pytest.mark.parametrize(
    "message",
    [
        b"r=other,s=AAAA,i=4096",  # not our nonce
        b"r=%s,s=AAAA,i=4096",  # nothing behind it
        b"r=%sx,s=AAAA,i=-1",
        b"r=%sx,s=AAAA,i=" + b"9" * 5000,  # a number that takes for ever
        b"r=%sx,s=!!,i=4096",
        b"r=%sx,s=AAAA",
        b"e=other-error",
        b"",
    ],
)
def test_challenges_that_are_refused(message: bytes) -> None:
    client = ClientPart(None)
    with pytest.raises(ServerError):
        client.server_first(message.replace(b"%s", client.client_first().rpartition(b"r=")[2]))


def test_secrets_as_the_server_keeps_them() -> None:
    stored, server = b64encode(STORED_KEY).decode(), b64encode(SERVER_KEY).decode()
    text = f"SCRAM-SHA-256$4096:{b64encode(SALT).decode()}${stored}:{server}"
    secret = Secret.parse(text)
    assert secret == Secret(SALT, ITERATIONS, STORED_KEY, SERVER_KEY)
    assert stored not in repr(secret)
    assert b64encode(STORED_KEY)[:8].decode() not in repr(secret)


@pytest.mark.parametrize(
    "text", ["", "md5" + "0" * 32, "SCRAM-SHA-256$4096:AAAA$AAAA:AAAA", "SCRAM-SHA-256$4096:!$!:!", "plain"]
)
def test_what_is_no_such_secret(text: str) -> None:
    assert Secret.parse(text) is None


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_nonsense_ends_in_a_clean_error(first: bytes, final: bytes) -> None:
    server = ServerPart(None)
    with pytest.raises(ServerError):
        server.client_first(SCRAM_SHA_256, first)
    server.client_first(SCRAM_SHA_256, b"n,,n=,r=abc")
    server.challenge(SALT, ITERATIONS)
    with pytest.raises(ServerError):
        server.client_final(final, STORED_KEY)
