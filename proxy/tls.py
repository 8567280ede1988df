"""TLS between a transport and a protocol: the same layer for both legs, and for both ways to begin.

asyncio's own `start_tls` cannot be given bytes that were already read, which a direct TLS connection needs
(its first byte tells it from a StartupMessage), so the records are handled here, over `ssl.MemoryBIO`.
What is above sees a transport that takes and gives plaintext; what is below, a protocol of ciphertext.
One chunk from below is at most one chunk above, and one write above is one write below.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from typing import Any, cast

_RECORD = 16_384  # bytes of plaintext that a TLS record holds at most (RFC 8446, 5.1)


class TLSTransport(asyncio.Transport, asyncio.Protocol):
    """A transport over another one.

    `handshake` is done with the first plaintext possible, or fails with ssl.SSLError or ConnectionError.
    The protocol above hears of no `connection_made`: it was there before.
    """

    def __init__(
        self,
        below: asyncio.Transport,
        above: asyncio.Protocol,
        context: ssl.SSLContext,
        *,
        server_side: bool,
        server_hostname: str | None = None,
    ) -> None:
        super().__init__()
        self._below = below
        self._above = above
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        self._established = False
        self._at_eof = False
        self.handshake: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        below.set_protocol(self)

    def begin(self, hello: bytes = b"") -> None:
        """Start the handshake, with what was already read of it."""
        if hello:
            self._incoming.write(hello)
        self._advance()

    def certificate(self) -> bytes | None:
        """The peer's certificate in DER."""
        return self._object.getpeercert(binary_form=True)

    def alpn(self) -> str | None:
        """The application protocol that both sides agreed on."""
        return self._object.selected_alpn_protocol()

    # As a protocol, for the transport below.

    def data_received(self, data: bytes) -> None:
        self._incoming.write(data)
        if not self._established:
            self._advance()
        else:
            self._deliver()

    def eof_received(self) -> bool:
        """The peer closed its half, with or without a close_notify: message lengths tell truncation."""
        if not self._established:
            self._give_up(ConnectionResetError("connection closed during the TLS handshake"))
            return False
        return self._end()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.handshake.done():
            self._give_up(exc or ConnectionResetError("connection closed during the TLS handshake"))
        self._above.connection_lost(exc)

    def pause_writing(self) -> None:
        self._above.pause_writing()

    def resume_writing(self) -> None:
        self._above.resume_writing()

    # As a transport, for the protocol above.

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        self._object.write(data)
        self._below.write(self._outgoing.read())

    def write_eof(self) -> None:
        self._notify_close()
        if self._below.can_write_eof():
            self._below.write_eof()

    def can_write_eof(self) -> bool:
        return self._below.can_write_eof()

    def close(self) -> None:
        if not self._below.is_closing():
            self._notify_close()
        self._below.close()

    def abort(self) -> None:
        self._below.abort()

    def is_closing(self) -> bool:
        return self._below.is_closing()

    def pause_reading(self) -> None:
        self._below.pause_reading()

    def resume_reading(self) -> None:
        self._below.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._above = cast(asyncio.Protocol, protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._above

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._below.get_extra_info(name, default)

    def get_write_buffer_size(self) -> int:
        return self._below.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._below.set_write_buffer_limits(high, low)

    # The records.

    def _advance(self) -> None:
        """Go on with the handshake."""
        try:
            self._object.do_handshake()
        except ssl.SSLWantReadError:
            self._flush()
            return
        except ssl.SSLError as error:
            self._flush()  # the alert that tells the peer why
            self._give_up(error)
            return
        self._established = True
        self._flush()
        if not self.handshake.done():
            self.handshake.set_result(None)
        if self._incoming.pending:
            self._deliver()

    def _deliver(self) -> None:
        """Hand up all that can be decrypted now."""
        pieces: list[bytes] = []
        read, incoming = self._object.read, self._incoming
        closed = False
        try:
            while True:
                piece = read(_RECORD)
                if not piece:
                    closed = True
                    break
                pieces.append(piece)
                if not incoming.pending:
                    break
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLError:
            self._flush()
            self._below.abort()
            return
        if self._outgoing.pending:  # the answer to a key update
            self._flush()
        if pieces:
            self._above.data_received(pieces[0] if len(pieces) == 1 else b"".join(pieces))
        if closed:
            self._end()

    def _end(self) -> bool:
        if self._at_eof:
            return True
        self._at_eof = True
        return bool(self._above.eof_received())

    def _flush(self) -> None:
        if data := self._outgoing.read():
            self._below.write(data)

    def _notify_close(self) -> None:
        with contextlib.suppress(ssl.SSLError):  # it wants the peer's, which nobody has to wait for
            self._object.unwrap()
        self._flush()

    def _give_up(self, error: Exception) -> None:
        if not self.handshake.done():
            self.handshake.set_exception(error)
            self.handshake.exception()  # whoever still waits gets it; nobody else need
        self._below.close()
