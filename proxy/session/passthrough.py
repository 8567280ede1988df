"""One SCRAM login taken at both ends: the server's part towards the client, the client's part upstream.

    client                          pgveil                          server
      |                               | <---------- offer (as relayed) |
      | <----- offer, PLUS of its own |                                |
      | client-first ---------------> | own client-first ------------> |
      |                               | <------- server-first: salt, i |
      | <- own nonce, the same salt,i |                                |
      | client-final ---> ClientKey   | client-final by ClientKey ---> |
      |                               | <---------------- server-final |
      | <------------ own server-final|                                |

The salt and the number of iterations are always the server's own answer, also for a role that does not exist.
Who proves nothing is logged in upstream with a random key, so that the server refuses, logs and delays as it
does without pgveil, and nobody can tell an unknown role from a wrong password.
"""

from __future__ import annotations

from proxy.errors import ProtocolViolation
from proxy.session.scram import ClientPart, Secret, ServerPart, random_key
from proxy.wire import frontend, login


class PassThrough:
    """The two parts, and where they stand. Each method takes one message and appends what goes out.

    secret            of the role; None where it has none of SCRAM's, so that the login has to fail
    binding           tls-server-end-point of pgveil's own certificate; None: no PLUS for the client
    upstream_binding  that of the server's certificate; None: no PLUS upstream
    """

    def __init__(self, secret: Secret | None, binding: bytes | None, upstream_binding: bytes | None) -> None:
        self._secret = secret
        self._server = ServerPart(binding)
        self._client = ClientPart(upstream_binding)
        self._started = False
        self._proved = False
        self.finished = False

    def offer(self) -> bytes:
        """What the client may choose from."""
        return login.AuthenticationSASL(self._server.mechanisms).pack()

    def client_message(self, body: bytes) -> bytes:
        """The body of a `p` message of the client; returns the frame to send upstream. Raises ServerError."""
        if not self._started:
            self._started = True
            first = frontend.SASLInitialResponse.parse(body)
            if first.response is None:
                raise ProtocolViolation("malformed SCRAM message")
            self._server.client_first(first.mechanism, first.response)
            return frontend.SASLInitialResponse(self._client.mechanism, self._client.client_first()).pack()
        client_key = self._server.client_final(body, self._stored_key())
        self._proved = client_key is not None
        return frontend.SASLResponse(self._client.client_final(client_key or random_key())).pack()

    def server_message(self, request: login.Authentication) -> bytes:
        """An authentication request of the server; returns the frame to send to the client."""
        if request.code == login.AUTH_SASL_CONTINUE and not self._client.salt:
            self._client.server_first(request.data)
            challenge = self._server.challenge(self._client.salt, self._client.iterations)
            return login.Authentication(login.AUTH_SASL_CONTINUE, challenge).pack()
        if request.code == login.AUTH_SASL_FINAL and self._secret is not None and self._proved:
            self._client.server_final(request.data, self._secret.server_key)
            final = self._server.server_final(self._secret.server_key)
            self.finished = True
            return login.Authentication(login.AUTH_SASL_FINAL, final).pack()
        raise ProtocolViolation("unexpected authentication request of the upstream server")

    def _stored_key(self) -> bytes:
        """What the client's proof is checked with: nothing fits a secret that is out of date."""
        secret = self._secret
        if secret is None or (secret.salt, secret.iterations) != (self._client.salt, self._client.iterations):
            return random_key()
        return secret.stored_key
