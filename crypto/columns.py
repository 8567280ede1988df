"""Many ASCII envelopes of one key at once: what does not need the cipher is done for all of them together.

A column opener takes the values of a column and gives their canonical bytes. It raises DecryptionError where
it cannot open every one of them, be it that another key has written some: each is then opened by itself.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable

from crypto.envelope import FORMAT, FROM_URL, PADDING
from crypto.errors import DecryptionError
from crypto.scheme import FAILURES

ColumnOpener = Callable[[list[bytes]], list[bytes]]


def ascii_column_opener(prefix: bytes, decrypt_all: ColumnOpener) -> ColumnOpener:
    """The opener of envelopes with this ASCII prefix; `decrypt_all` takes what follows it, decoded."""
    start = b"\n" + prefix.translate(FROM_URL)  # no base64 text has an end of line: it says where one begins
    a2b, padding = binascii.a2b_base64, PADDING

    def open_all(values: list[bytes]) -> list[bytes]:
        if not values:
            return []
        texts = (b"\n" + b"\n".join(values)).translate(FROM_URL).split(start)
        if len(texts) != len(values) + 1 or texts[0]:
            raise DecryptionError
        del texts[0]
        try:
            plain = decrypt_all([a2b(text + padding[len(text) & 3], strict_mode=True) for text in texts])
        except FAILURES:
            raise DecryptionError from None
        if b"".join([text[:1] for text in plain]) != FORMAT * len(plain):
            raise DecryptionError
        return [text[1:] for text in plain]

    return open_all
