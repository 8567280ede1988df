"""The one error of the wire package."""

from __future__ import annotations


class ProtocolError(ValueError):
    """Bytes that PostgreSQL's protocol does not allow; the message never repeats them."""
