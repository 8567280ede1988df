"""One SCRAM login taken at both ends, between a real client's part and a real server's part."""

from __future__ import annotations

import hashlib
import hmac
from base64 import b64encode

import pytest

from proxy.session.authentication import State
from proxy.session.scram import ClientPart, ServerPart
from proxy.wire.frontend import SASLInitialResponse, SASLResponse
from proxy.wire.login import AUTH_SASL_CONTINUE, AUTH_SASL_FINAL
from proxy.wire.login import Authentication as Request
from tests.session.test_authentication import (
    BOTH,
    CLEARTEXT,
    MD5,
    OK,
    OWN,
    PLAIN,
    READY,
    REFUSAL,
    TLS_SECRETS,
    UPSTREAM,
    Dialogue,
    failed,
)

SALT, ITERATIONS = b"sodium chloride!", 4096
SALTED = hashlib.pbkdf2_hmac("sha256", b"secret", SALT, ITERATIONS)
CLIENT_KEY = hmac.digest(SALTED, b"Client Key", "sha256")
SERVER_KEY = hmac.digest(SALTED, b"Server Key", "sha256")
STORED_KEY = hashlib.sha256(CLIENT_KEY).digest()


def secret_of(salt: bytes = SALT) -> str:
    salt64, stored, server = (b64encode(part).decode() for part in (salt, STORED_KEY, SERVER_KEY))
    return f"SCRAM-SHA-256${ITERATIONS}:{salt64}${stored}:{server}"


class Login:
    """A login through pgveil: a real client's part and a real server's part at its two ends."""

    def __init__(self, secret: str | None, *, bound: bool = True, offer: bytes = BOTH) -> None:
        self.dialogue = Dialogue(TLS_SECRETS)
        self.client = ClientPart(hashlib.sha256(OWN).digest() if bound else None)
        self.server = ServerPart(hashlib.sha384(UPSTREAM).digest() if offer == BOTH else None)
        assert self.dialogue.server(offer) == (b"", b"")
        assert self.dialogue.machine.state is State.NEEDS_SECRET
        self.dialogue.machine.resume(secret, readable=True)
        assert self.dialogue.collect() == (BOTH, b"")

    def prove(self, client_key: bytes) -> bytes | None:
        """Up to the proof that reaches the server; what the server learns from it."""
        mine = SASLInitialResponse(self.client.mechanism, self.client.client_first()).pack()
        _, upstream = self.dialogue.client(mine)
        first = SASLInitialResponse.parse(upstream[5:])
        assert first.response is not None
        self.server.client_first(first.mechanism, first.response)
        challenge = Request(AUTH_SASL_CONTINUE, self.server.challenge(SALT, ITERATIONS)).pack()
        passed_on, _ = self.dialogue.server(challenge)
        self.client.server_first(Request.parse(passed_on[5:]).data)
        assert (self.client.salt, self.client.iterations) == (SALT, ITERATIONS)
        _, upstream = self.dialogue.client(SASLResponse(self.client.client_final(client_key)).pack())
        return self.server.client_final(upstream[5:], STORED_KEY)

    def finish(self, server_key: bytes = SERVER_KEY) -> tuple[bytes, bytes]:
        return self.dialogue.server(
            Request(AUTH_SASL_FINAL, self.server.server_final(server_key)).pack() + OK
        )


@pytest.mark.parametrize("bound", [True, False])
@pytest.mark.parametrize("offer", [BOTH, PLAIN])
def test_pgveil_takes_both_parts(bound: bool, offer: bytes) -> None:
    login = Login(secret_of(), bound=bound, offer=offer)
    assert login.prove(CLIENT_KEY) == CLIENT_KEY
    frontend, backend = login.finish()
    assert backend == b""
    assert frontend.endswith(OK)
    login.client.server_final(Request.parse(frontend[5 : -len(OK)]).data, SERVER_KEY)
    login.dialogue.server(READY)
    assert login.dialogue.machine.state is State.DONE


@pytest.mark.parametrize("secret", [secret_of(), secret_of(b"of an older secret"), None, "md5" + "0" * 32])
def test_who_proves_nothing_is_refused_by_the_server(secret: str | None) -> None:
    login = Login(secret)
    assert login.prove(b"\0" * 32) is None  # it gets a proof, of a random key
    assert login.dialogue.server(REFUSAL) == (REFUSAL, b"")


@pytest.mark.parametrize("secret", [secret_of(b"of an older secret"), None])
def test_a_right_password_does_not_help_where_the_secret_is_not_known(secret: str | None) -> None:
    assert Login(secret).prove(CLIENT_KEY) is None


def test_a_server_that_accepts_anybody_is_found_out() -> None:
    login = Login(secret_of())
    login.prove(b"\0" * 32)
    assert failed(login.dialogue, login.finish()) == "08P01"


def test_a_server_that_does_not_know_the_secret_is_found_out() -> None:
    login = Login(secret_of())
    login.prove(CLIENT_KEY)
    assert failed(login.dialogue, login.finish(server_key=b"\0" * 32)) == "08P01"


@pytest.mark.parametrize("shortcut", [OK, MD5, CLEARTEXT])
def test_a_server_that_leaves_out_its_proof_is_found_out(shortcut: bytes) -> None:
    login = Login(secret_of())
    login.prove(CLIENT_KEY)
    assert failed(login.dialogue, login.dialogue.server(shortcut)) == "08P01"


def test_where_secrets_cannot_be_read_it_is_relayed() -> None:
    dialogue = Dialogue(TLS_SECRETS)
    dialogue.server(BOTH)
    dialogue.machine.resume(None, readable=False)
    assert dialogue.collect() == (PLAIN, b"")
