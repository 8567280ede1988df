"""Connections to the upstream: several hosts in turn, TCP or Unix sockets, TLS by either way of beginning.

Modes of TLS are those of libpq's `sslmode`; `prefer` and `allow`, which an attacker can talk out of TLS, are
not among them. Source: PostgreSQL documentation, 34.1.2 (connection parameters) and 54.2.10 (SSLRequest).
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass

from proxy.addresses import Endpoint
from proxy.inbox import Inbox
from proxy.session.startup import ALPN
from proxy.sockets import keep_alive
from proxy.tls import TLSTransport
from proxy.wire.startup import SSLRequest


class Unreachable(Exception):
    """No host of the upstream could be reached; the text says what happened at each, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where sessions go.

    context          None: no TLS. Unix sockets never use it
    direct           TLS from the first byte (sslnegotiation=direct), which PostgreSQL 17 and later know
    connect_timeout  seconds for each host, TLS included
    """

    hosts: tuple[Endpoint, ...]
    context: ssl.SSLContext | None = None
    direct: bool = False
    connect_timeout: float = 10.0

    async def connect(self, inbox: Inbox) -> asyncio.Transport:
        """Connect to the first host that can be had. Raises Unreachable."""
        failures = []
        for host in self.hosts:
            try:
                async with asyncio.timeout(self.connect_timeout):
                    return await self.connect_to(host, inbox)
            except (OSError, TimeoutError) as error:
                failures.append(f"{host}: {_reason(error)}")
        raise Unreachable("; ".join(failures))

    async def connect_to(self, host: Endpoint, inbox: Inbox) -> asyncio.Transport:
        """Connect to one host. Raises OSError, of which ssl.SSLError is one."""
        loop = asyncio.get_running_loop()
        if host.unix:
            path = host.socket_path
            path = "\0" + path[1:] if path.startswith("@") else path  # the abstract name space, as in libpq
            transport, _ = await loop.create_unix_connection(lambda: inbox, path)
            return transport
        transport, _ = await loop.create_connection(lambda: inbox, host.host, host.port)
        keep_alive(transport)
        if self.context is None:
            return transport
        try:
            return await self._secure(transport, inbox, host.host)
        except BaseException:
            transport.abort()
            raise

    async def _secure(self, transport: asyncio.Transport, inbox: Inbox, name: str) -> TLSTransport:
        if not self.direct:
            transport.write(SSLRequest().pack())
            answer = await inbox.receive()
            if answer != b"S":  # more than one byte was put there by someone between us and the server
                raise ConnectionError(_REFUSALS.get(answer[:1], "unexpected answer to an SSL request"))
        assert self.context is not None
        layer = TLSTransport(transport, inbox, self.context, server_side=False, server_hostname=name)
        inbox.transport = layer
        layer.begin()
        await layer.handshake
        if self.direct and layer.alpn() != ALPN:
            raise ConnectionError("the server did not agree to ALPN for direct TLS")
        return layer


_REFUSALS = {
    b"N": "the server does not support TLS",
    b"E": "the server refused the SSL request",
    b"S": "received unencrypted data after the answer to an SSL request",
    b"": "the server closed the connection",
}


def _reason(error: OSError) -> str:
    """What went wrong, in words that name no secret."""
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"certificate verify failed: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason or 'failed'}"
    return error.strerror or str(error) or type(error).__name__
