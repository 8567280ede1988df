"""Authentication: from the StartupMessage that went upstream until the server has let the client in, or not.

    Rule 1  What the server asks and the client answers is relayed as it came, one answer to one request.
    Rule 2  A password in clear is asked for only where nobody can listen between client and pgveil.
    Rule 3  TLS ends at pgveil, so SCRAM-SHA-256-PLUS is taken out of the server's offer, unless pgveil shows
            the server's own certificate, to which the client then binds rightly.
    Rule 4  Where the client's leg is TLS and secrets of roles can be read, pgveil takes both parts of SCRAM
            (passthrough.py) and offers PLUS for its own certificate.
    Rule 5  The server has the last word: it checks the password, and speaks every refusal.
    Rule 6  A protocol newer than pgveil knows is refused, if the server would agree to it.
    Rule 7  After an error the session ends.

Source: PostgreSQL documentation, 54.2.1 and 54.3; docs/decisions/0001-scram-behind-tls.md.
Pure: no socket and no clock.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass, field

from proxy.errors import ProtocolViolation, ServerError
from proxy.session.channel_binding import end_point_hash
from proxy.session.passthrough import PassThrough
from proxy.session.scram import SCRAM_SHA_256, SCRAM_SHA_256_PLUS, Secret
from proxy.session.startup import SessionRequest
from proxy.wire import backend, frontend, login
from proxy.wire.errors import ProtocolError
from proxy.wire.frames import (
    AUTHENTICATION,
    AUTHENTICATION_LIMIT,
    ERROR_RESPONSE,
    HEADER,
    NEGOTIATE_PROTOCOL_VERSION,
    NOTICE_RESPONSE,
    PASSWORD,
    frame_size,
)

NEWEST_MINOR = 2  # of protocol 3: the newest whose messages pgveil knows

_OAUTHBEARER = b"OAUTHBEARER"  # its token is as good as a password to whoever reads it
_FRONTEND_LIMITS = {PASSWORD: AUTHENTICATION_LIMIT}
_BACKEND_LIMITS = dict.fromkeys(
    (AUTHENTICATION, ERROR_RESPONSE, NOTICE_RESPONSE, NEGOTIATE_PROTOCOL_VERSION), AUTHENTICATION_LIMIT
)
_MAY_FOLLOW = (b"", b"E", b"N")  # what says nothing yet of whether the client is let in
_UNANSWERED = (login.AUTH_OK, login.AUTH_SASL_FINAL)


class State(enum.Enum):
    """Where an authentication stands."""

    RUNNING = enum.auto()
    NEEDS_SECRET = enum.auto()  # `resume` goes on
    DONE = enum.auto()  # the server has let the client in; what else it said is in the rest
    FAILED = enum.auto()  # once `to_frontend` is sent, both connections end


@dataclass(frozen=True, slots=True)
class Legs:
    """What is known of the two connections.

    protected             nobody can listen between client and pgveil: TLS, a Unix socket, or the same host
    certificate           what pgveil shows the client, in DER; None where the client's leg is not TLS
    upstream_certificate  what the server showed pgveil, in DER; None where that leg is not TLS
    secrets               whether the secrets of roles may be readable, so that it is worth asking for one
    """

    protected: bool
    certificate: bytes | None = field(default=None, repr=False)
    upstream_certificate: bytes | None = field(default=None, repr=False)
    secrets: bool = False


class Authentication:
    """The authentication of one session: fed by the shell, which sends what is in the two lists."""

    def __init__(self, request: SessionRequest, legs: Legs) -> None:
        self.to_frontend: list[bytes] = []
        self.to_backend: list[bytes] = [request.raw]
        self.state = State.RUNNING
        self.sqlstate = ""  # of the error that it has failed with
        self.frontend_rest = b""
        self.backend_rest = b""
        self._legs = legs
        self._minor = request.minor
        self._extensions = request.extensions
        self._answers = 0  # how many the server waits for: none or one
        self._accepted = False  # AuthenticationOk went by; an error may still follow, such as of the database
        self._offer: tuple[bytes, ...] = ()
        self._hides_plus = False
        self._passthrough: PassThrough | None = None

    @property
    def full(self) -> bool:
        """Whether enough bytes of the client wait here: the shell then stops reading."""
        return len(self.frontend_rest) > AUTHENTICATION_LIMIT

    @property
    def asking(self) -> bool:
        """Whether the server waits for an answer of the client."""
        return self._answers > 0

    def frontend_received(self, data: bytes) -> None:
        """Bytes of the client; what was not asked for waits."""
        self.frontend_rest += data
        self._guarded(self._advance)

    def backend_received(self, data: bytes) -> None:
        """Bytes of the server."""
        self.backend_rest += data
        self._guarded(self._advance)

    def resume(self, secret: str | None, *, readable: bool) -> None:
        """The role's secret as `pg_authid` holds it, None if it has none; or it is not readable."""
        self.state = State.RUNNING
        self._guarded(lambda: self._offer_sasl(secret or "", both_parts=readable))
        self._guarded(self._advance)

    def fail(self, error: ServerError) -> None:
        """Tell the client, and end."""
        if self.state not in (State.DONE, State.FAILED):
            self.state = State.FAILED
            self.sqlstate = error.sqlstate
            self.to_frontend.append(error_response(error))

    def _guarded(self, step: Callable[[], None]) -> None:
        try:
            step()
        except ServerError as error:
            self.fail(error)
        except ProtocolError as error:
            self.fail(ProtocolViolation(str(error)))

    def _advance(self) -> None:
        """Handle every message that is there whole, as long as its turn has come."""
        while self.state is State.RUNNING:
            if self._accepted and self.backend_rest[:1] not in _MAY_FOLLOW:
                self.state = State.DONE
            elif self._answers and (message := self._next_answer()) is not None:
                self._answers = 0
                self._answered(message)
            elif (message := self._next_of_backend()) is not None:
                self._requested(message)
            else:
                return

    def _next_answer(self) -> bytes | None:
        buffer = self.frontend_rest
        if buffer and buffer[0] != PASSWORD:
            raise ProtocolViolation(f"expected password response, got message type {buffer[0]}")
        if len(buffer) < HEADER or len(buffer) < (size := frame_size(buffer, 0, _FRONTEND_LIMITS)):
            return None
        message, self.frontend_rest = buffer[:size], buffer[size:]
        return message

    def _next_of_backend(self) -> bytes | None:
        buffer = self.backend_rest
        if len(buffer) < HEADER or len(buffer) < (size := frame_size(buffer, 0, _BACKEND_LIMITS)):
            return None
        message, self.backend_rest = buffer[:size], buffer[size:]
        return message

    def _requested(self, message: bytes) -> None:
        """One message of the server."""
        kind, body = message[0], message[HEADER:]
        if kind == AUTHENTICATION:
            self._authentication(message, login.Authentication.parse(body))
            return
        if kind == NEGOTIATE_PROTOCOL_VERSION:
            agreed = login.NegotiateProtocolVersion.parse(body)
            self._minor = min(self._minor, agreed.version & 0xFFFF)
            self._extensions -= {name.decode("utf-8", "surrogateescape") for name in agreed.options}
        self.to_frontend.append(message)
        if kind == ERROR_RESPONSE:
            self.state = State.FAILED
            self.sqlstate = backend.ErrorResponse.parse(body).fields.get("C", b"").decode("ascii", "replace")

    def _authentication(self, message: bytes, request: login.Authentication) -> None:
        self._check_protocol()
        if self._passthrough is not None and not self._passthrough.finished:
            message = self._passthrough.server_message(request)
        elif request.code == login.AUTH_CLEARTEXT_PASSWORD and not self._legs.protected:
            raise _unprotected()
        elif request.code == login.AUTH_SASL:
            self._offered(login.AuthenticationSASL.parse(message[HEADER:]).mechanisms)
            return
        self.to_frontend.append(message)
        if request.code == login.AUTH_OK:
            self._accepted = True
        elif request.code not in _UNANSWERED:
            self._answers = 1

    def _check_protocol(self) -> None:
        """By the first authentication request the server has said what it will not do."""
        if self._minor > NEWEST_MINOR or self._extensions:
            extensions = ", ".join(sorted(self._extensions))
            what = f"protocol 3.{self._minor}" if self._minor > NEWEST_MINOR else f"extension {extensions}"
            raise _fatal("0A000", f"pgveil does not know the {what}, which the server agreed to")

    def _offered(self, mechanisms: tuple[bytes, ...]) -> None:
        """The server offers SASL: relay, or ask for the role's secret first."""
        self._offer = mechanisms
        worth_it = self._legs.certificate is not None and self._legs.secrets and SCRAM_SHA_256 in mechanisms
        if worth_it and not self._shows_the_servers_certificate():
            self.state = State.NEEDS_SECRET
        else:
            self._offer_sasl("", both_parts=False)

    def _offer_sasl(self, secret: str, *, both_parts: bool) -> None:
        self._answers = 1
        if both_parts:
            assert self._legs.certificate is not None
            binding = end_point_hash(self._legs.certificate)
            self._passthrough = PassThrough(Secret.parse(secret), binding, self._upstream_binding())
            self.to_frontend.append(self._passthrough.offer())
            return
        hidden = set() if self._legs.protected else {_OAUTHBEARER}
        if not self._shows_the_servers_certificate():
            hidden.add(SCRAM_SHA_256_PLUS)
        mechanisms = tuple(name for name in self._offer if name not in hidden)
        if not mechanisms:
            raise _unprotected()
        self._hides_plus = SCRAM_SHA_256_PLUS in self._offer and SCRAM_SHA_256_PLUS in hidden
        self.to_frontend.append(login.AuthenticationSASL(mechanisms).pack())

    def _shows_the_servers_certificate(self) -> bool:
        return (
            self._legs.certificate is not None and self._legs.certificate == self._legs.upstream_certificate
        )

    def _upstream_binding(self) -> bytes | None:
        certificate = self._legs.upstream_certificate
        if certificate is None or SCRAM_SHA_256_PLUS not in self._offer:
            return None
        return end_point_hash(certificate)

    def _answered(self, message: bytes) -> None:
        """One answer of the client, which the server (or pgveil in its place) has asked for."""
        if self._passthrough is not None:
            self.to_backend.append(self._passthrough.client_message(message[HEADER:]))
            return
        if self._hides_plus:
            _refuse_downgrade(frontend.SASLInitialResponse.parse(message[HEADER:]))
            self._hides_plus = False  # which was about the first answer only
        self.to_backend.append(message)


def error_response(error: ServerError) -> bytes:
    """An ErrorResponse that ends the session, whatever the error's own severity."""
    return backend.ErrorResponse.of(
        "FATAL", error.sqlstate, error.message, detail=error.detail, hint=error.hint
    ).pack()


def _refuse_downgrade(first: frontend.SASLInitialResponse) -> None:
    """A client that could have bound the channel says so (flag y), and the server would call it an attack."""
    if first.response is not None and first.response.startswith(b"y,"):
        raise _fatal(
            "28000",
            "SCRAM-SHA-256 cannot be relayed: TLS ends at pgveil, and both legs could bind the channel",
            "Connect with channel_binding=disable, or let pgveil's maintenance login read pg_authid.",
        )


def _unprotected() -> ServerError:
    return _fatal(
        "28000",
        "the server asks for a password in clear, and this connection is not encrypted",
        "Connect to pgveil with sslmode=require, or use scram-sha-256 in the server's pg_hba.conf.",
    )


def _fatal(sqlstate: str, message: str, hint: str | None = None) -> ServerError:
    return ServerError(message, sqlstate=sqlstate, hint=hint, severity="FATAL")
