"""SCRAM-SHA-256: the server's part towards a client, the client's part towards a server.

pgveil takes both parts where a login cannot be relayed because TLS ends at pgveil on both legs: it knows the
role's secret (no password can be told from it), learns the ClientKey from the client's proof, and logs in to
the server with that. Source: RFC 5802 and 7677; PostgreSQL documentation, 54.3 (SASL Authentication);
errors as in PostgreSQL's auth-scram.c. No message is ever part of an error's text.

    client-first  gs2-header "n=" name ",r=" nonce         server-first  "r=" nonces ",s=" salt ",i=" number
    client-final  "c=" binding ",r=" nonces ",p=" proof    server-final  "v=" signature
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass, field

from proxy.errors import ProtocolViolation, ServerError

SCRAM_SHA_256 = b"SCRAM-SHA-256"
SCRAM_SHA_256_PLUS = b"SCRAM-SHA-256-PLUS"

_KEY_SIZE = 32
_NONCE_SIZE = 18  # random bytes, as PostgreSQL's SCRAM_RAW_NONCE_LEN
_MOST_DIGITS = 10  # of a number of iterations
_SECRET = re.compile(r"SCRAM-SHA-256\$(\d{1,10}):([^$:]+)\$([^$:]+):([^$:]+)")
_BOUND_HEADER = b"p=tls-server-end-point,,"


@dataclass(frozen=True, slots=True)
class Secret:
    """What `pg_authid.rolpassword` holds of a role."""

    salt: bytes
    iterations: int
    stored_key: bytes = field(repr=False)
    server_key: bytes = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> Secret | None:
        """Read `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`; None if it is no such secret."""
        if (match := _SECRET.fullmatch(text)) is None:
            return None
        try:
            salt, stored, server = (b64decode(part, validate=True) for part in match.groups()[1:])
        except Base64Error:
            return None
        if len(stored) != _KEY_SIZE or len(server) != _KEY_SIZE:
            return None
        return cls(salt, int(match[1]), stored, server)


class ServerPart:
    """The part of a server: takes the client's messages, ends with the ClientKey of who knew the password.

    binding  tls-server-end-point of the certificate that the client saw; None where PLUS is not offered
    """

    def __init__(self, binding: bytes | None) -> None:
        self._binding = binding
        self._header = b""
        self._client_first_bare = b""
        self._server_first = b""
        self._nonce = b""
        self._auth_message = b""

    @property
    def mechanisms(self) -> tuple[bytes, ...]:
        return (SCRAM_SHA_256,) if self._binding is None else (SCRAM_SHA_256_PLUS, SCRAM_SHA_256)

    def client_first(self, mechanism: bytes, message: bytes) -> None:
        """Take the first message. Raises ServerError, FATAL, as PostgreSQL would."""
        if mechanism not in self.mechanisms:
            raise ProtocolViolation("client selected an invalid SASL authentication mechanism")
        parts = message.split(b",", 2)
        if len(parts) != 3:
            raise _malformed()
        flag, authorization, bare = parts
        self._check_flag(flag, mechanism)
        if authorization:
            raise _fatal("0A000", "client uses authorization identity, but it is not supported")
        if bare.startswith(b"m="):
            raise _fatal("0A000", "client requires an unsupported SCRAM extension")
        self._header = flag + b",,"
        if not bare.startswith(
            b"n="
        ):  # whose value the server ignores: the name is that of the startup packet
            raise _malformed()
        self._client_first_bare = bare
        self._nonce = _attribute(bare, 1, b"r")

    def challenge(self, salt: bytes, iterations: int) -> bytes:
        """The server-first message."""
        self._nonce += _new_nonce()
        self._server_first = b"r=%b,s=%b,i=%d" % (self._nonce, b64encode(salt), iterations)
        return self._server_first

    def client_final(self, message: bytes, stored_key: bytes) -> bytes | None:
        """The ClientKey, if the proof is one of the password that StoredKey is made of; else None.

        Raises ServerError, FATAL, for a message that is malformed or bound to another channel.
        """
        without_proof, separator, proof64 = message.rpartition(b",p=")
        if not separator:
            raise _malformed()
        proof = _decode(proof64)
        if len(proof) != _KEY_SIZE:
            raise _malformed()
        bound = _decode(_attribute(without_proof, 0, b"c"))
        if not hmac.compare_digest(bound, self._header + self._bound_data()):
            raise _fatal("28000", "SCRAM channel binding check failed")
        if not hmac.compare_digest(_attribute(without_proof, 1, b"r"), self._nonce):
            raise ProtocolViolation("invalid SCRAM response")
        self._auth_message = b",".join((self._client_first_bare, self._server_first, without_proof))
        client_key = _xor(proof, _hmac(stored_key, self._auth_message))
        proved = hmac.compare_digest(hashlib.sha256(client_key).digest(), stored_key)
        return client_key if proved else None

    def server_final(self, server_key: bytes) -> bytes:
        """The server-final message."""
        return b"v=" + b64encode(_hmac(server_key, self._auth_message))

    def _check_flag(self, flag: bytes, mechanism: bytes) -> None:
        """Flag and mechanism have to agree, and nobody may have hidden PLUS from the client (RFC 5802, 6)."""
        if mechanism == SCRAM_SHA_256_PLUS:
            if flag.startswith(b"p=") and flag != b"p=tls-server-end-point":
                raise ProtocolViolation("unsupported SCRAM channel-binding type")
            if not flag.startswith(b"p="):
                raise _malformed()
        elif flag == b"y" and self._binding is not None:
            detail = (
                "The client supports SCRAM channel binding but thinks the server does not. "
                "However, this server does support channel binding."
            )
            raise _fatal("28000", "SCRAM channel binding negotiation error", detail)
        elif flag not in (b"n", b"y"):
            raise _malformed()

    def _bound_data(self) -> bytes:
        return (self._binding or b"") if self._header.startswith(b"p=") else b""


class ClientPart:
    """The part of a client that has the keys, not the password.

    binding  tls-server-end-point of the server's certificate, if it offers PLUS; None to go without
    """

    def __init__(self, binding: bytes | None) -> None:
        self._binding = binding
        self._header = b"n,," if binding is None else _BOUND_HEADER
        self._bare = b"n=,r=" + _new_nonce()
        self._server_first = b""
        self._auth_message = b""
        self.salt = b""
        self.iterations = 0

    @property
    def mechanism(self) -> bytes:
        return SCRAM_SHA_256 if self._binding is None else SCRAM_SHA_256_PLUS

    def client_first(self) -> bytes:
        return self._header + self._bare

    def server_first(self, message: bytes) -> None:
        """Take the server's challenge; `salt` and `iterations` are known then. Raises ProtocolViolation."""
        own = self._bare.partition(b",r=")[2]
        nonce = _attribute(message, 0, b"r")
        if not nonce.startswith(own) or len(nonce) == len(own):
            raise ProtocolViolation("the upstream server's SCRAM nonce does not continue ours")
        iterations = _attribute(message, 2, b"i")
        if not iterations.isdigit() or len(iterations) > _MOST_DIGITS:
            raise _malformed()
        self.salt = _decode(_attribute(message, 1, b"s"))
        self.iterations = int(iterations)
        self._server_first = message

    def client_final(self, client_key: bytes) -> bytes:
        nonces = _attribute(self._server_first, 0, b"r")
        without_proof = b"c=" + b64encode(self._header + (self._binding or b"")) + b",r=" + nonces
        self._auth_message = b",".join((self._bare, self._server_first, without_proof))
        signature = _hmac(hashlib.sha256(client_key).digest(), self._auth_message)
        return without_proof + b",p=" + b64encode(_xor(client_key, signature))

    def server_final(self, message: bytes, server_key: bytes) -> None:
        """Check that the server knows the role's secret, too. Raises ProtocolViolation."""
        expected = _hmac(server_key, self._auth_message)
        if not hmac.compare_digest(_decode(_attribute(message, 0, b"v")), expected):
            raise ProtocolViolation("the upstream server did not prove that it knows the role's secret")


def random_key() -> bytes:
    """A key that proves nothing, for a login that has to fail."""
    return secrets.token_bytes(_KEY_SIZE)


def _new_nonce() -> bytes:
    return b64encode(secrets.token_bytes(_NONCE_SIZE))


def _attribute(message: bytes, index: int, name: bytes) -> bytes:
    """The value of the attribute at this place, which has to have this name."""
    attributes = message.split(b",", index + 1)
    if index >= len(attributes) or not attributes[index].startswith(name + b"="):
        raise _malformed()
    value = attributes[index][2:]
    if not value:
        raise _malformed()
    return value


def _decode(text: bytes) -> bytes:
    try:
        return b64decode(text, validate=True)
    except Base64Error:
        raise _malformed() from None


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")


def _xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def _malformed() -> ServerError:
    return ProtocolViolation("malformed SCRAM message")


def _fatal(sqlstate: str, message: str, detail: str | None = None) -> ServerError:
    return ServerError(message, sqlstate=sqlstate, detail=detail, severity="FATAL")
