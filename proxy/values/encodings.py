"""Client encodings: PostgreSQL's names for them, Python's codecs, and the errors of both directions.

Source: PostgreSQL documentation 24.3, table 24.1 (client encodings). Encodings with no Python codec that
maps as PostgreSQL does are left out: a session that uses one has protected values in ASCII only, and errors
for others, since a wrong mapping would change values silently.
"""

from __future__ import annotations

import re

from proxy.errors import InvalidValue
from proxy.values.settings import UTF8

_PYTHON: dict[str, str] = {
    "UTF8": UTF8,
    "UNICODE": UTF8,
    "SQLASCII": UTF8,  # no conversion on the server's side: anything but UTF-8 is refused by the check
    "LATIN1": "latin-1",
    "ISO88591": "latin-1",
    **{
        f"LATIN{n}": f"iso8859-{part}"
        for n, part in ((2, 2), (3, 3), (4, 4), (5, 9), (6, 10), (7, 13), (8, 14))
    },
    "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16",
    **{f"ISO8859{part}": f"iso8859-{part}" for part in (5, 6, 7, 8)},
    **{
        f"WIN{page}": f"cp{page}" for page in (866, 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258)
    },
    "EUCCN": "gb2312",
    "GBK": "gbk",
    "GB18030": "gb18030",
    "UHC": "cp949",
    "KOI8": "koi8-r",
    "KOI8R": "koi8-r",
    "KOI8U": "koi8-u",
}


def python_encoding(client_encoding: str) -> str | None:
    """Python's codec for PostgreSQL's `client_encoding`; None where none is known to agree with it."""
    return _PYTHON.get(re.sub(r"[^A-Z0-9]", "", client_encoding.upper()))


def postgresql_encoding(encoding: str) -> str:
    """PostgreSQL's name of a Python codec, as its messages show it."""
    return next((name for name, codec in _PYTHON.items() if codec == encoding), encoding.upper())


def decode(raw: bytes, encoding: str) -> str:
    """A string of the client; raises 22021 for bytes that its encoding does not know, and for NUL."""
    try:
        text = raw.decode(encoding)
    except UnicodeDecodeError:
        raise _bad_bytes(encoding) from None
    if "\0" in text:
        raise _bad_bytes(encoding)
    return text


def encode(text: str, encoding: str) -> bytes:
    """A string for the client; raises 22P05 for a character that its encoding does not have."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        name = postgresql_encoding(encoding)
        raise InvalidValue(
            f'character has no equivalent in encoding "{name}"',
            sqlstate="22P05",
            hint="Set client_encoding to UTF8 to read this value.",
        ) from None


def _bad_bytes(encoding: str) -> InvalidValue:
    name = postgresql_encoding(encoding)
    return InvalidValue(f'invalid byte sequence for encoding "{name}"', sqlstate="22021")
