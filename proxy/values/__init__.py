"""PostgreSQL's text and binary formats of a value <-> its canonical bytes, which are what is encrypted.

Canonical bytes do not depend on the driver, its formats or the session's settings: text `42` and binary int4
42 are the same plaintext. They are frozen: what a released version has written, every later one reads, so a
row of this table changes only by a new one beside it. tests/values/vectors/ holds examples of each, forever.

    type                       canonical bytes                                          equality by bytes
    text, varchar(n), char(n)  UTF-8; of char(n) without trailing spaces                yes
    bytea                      the bytes                                                yes
    bool                       one byte, 0 or 1                                         yes
    int2, int4, int8           8 bytes, big-endian, two's complement                    yes, across widths
    float4, float8             4 or 8 bytes, IEEE 754, big-endian; -0 as 0, one NaN     yes
    numeric(p,s)               PostgreSQL's text, rounded to s digits: `-1.50`, `NaN`   yes
    numeric                    PostgreSQL's text, with its own scale                    no: 1.5 and 1.50
    date                       4 bytes, big-endian: days from 2000-01-01                yes
    time(p)                    8 bytes, big-endian: microseconds from midnight          yes
    timestamp(p)               8 bytes, big-endian: microseconds from 2000-01-01 00:00  yes
    timestamptz(p)             the same, from 2000-01-01 00:00 UTC                      yes
    interval                   16 bytes: microseconds (8), days (4), months (4)         no: 1 day and 24:00:00
    uuid                       16 bytes                                                 yes
    json                       the text as it was written, in UTF-8                     no
    jsonb                      PostgreSQL's own text of it: `{"a": 1}`                  no: 1 and 1.0
    inet                       family, bits, 0, length of the address, address          yes
    arrays of these            for each element: length (4), canonical bytes; -1: NULL  as the element's

Infinity and -infinity of date, timestamp and timestamptz are the largest and the smallest integer; those of
interval are all three parts at their largest and smallest. Types of one family (policy.types) share
canonical bytes, so that a column may move between them. Two losses against the server are meant: -0 comes
back as 0, and char without a limit comes back without trailing spaces.

    codec(type)        reads and prints values of a type, strictly as the server would
    convert(...)       a parameter of any declared type, assigned to a field
    comparand(...)     a parameter of any declared type, compared with a field by equality
    read_cast(...)     a parameter of any declared type under an explicit cast
    displayers(...)    a parameter of any declared type among alternatives of a type, as it is shown

`now`, `today` and their kind are refused: encrypted, they would be the time at the proxy. Forms of dates,
times and intervals that PostgreSQL takes and pgveil cannot read with certainty are refused with a hint, never
guessed.
"""

from __future__ import annotations

from proxy.values.codec import Codec
from proxy.values.compare import comparand, comparers
from proxy.values.convert import Reader, convert, displayers, read_cast, readers
from proxy.values.encodings import python_encoding
from proxy.values.settings import Settings
from proxy.values.table import codec

__all__ = [
    "Codec",
    "Reader",
    "Settings",
    "codec",
    "comparand",
    "comparers",
    "convert",
    "displayers",
    "python_encoding",
    "read_cast",
    "readers",
]
