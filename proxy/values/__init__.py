"""PostgreSQL's text and binary formats <-> canonical bytes, one codec a type."""

from __future__ import annotations

from proxy.values.codec import Codec
from proxy.values.compare import comparand
from proxy.values.convert import convert
from proxy.values.encodings import python_encoding
from proxy.values.settings import Settings
from proxy.values.table import codec

__all__ = ["Codec", "Settings", "codec", "comparand", "convert", "python_encoding"]
