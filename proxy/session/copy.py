"""COPY streams, in either direction: protected fields are transformed, all others keep their bytes.

    transformer = copy_transformer(options, [None, seal, None])
    to_server = transformer.feed(data)      # for each CopyData, whatever its boundaries
    to_server = transformer.finish()        # at CopyDone

A transform takes the bytes of a value that is not NULL, without quotes and escapes, and returns those
to be written in its place. `feed` and `finish` raise what a transform raises, and ServerError 22P04 where
the rows are not as PostgreSQL would take them, with the context that PostgreSQL would give, less the value.
"""

from __future__ import annotations

from typing import Protocol

from proxy.session.copy_binary import BinaryCopy
from proxy.session.copy_csv import CsvCopy
from proxy.session.copy_options import ColumnTransform, CopyOptions, Transform, Transforms
from proxy.session.copy_text import TextCopy

__all__ = ["ColumnTransform", "CopyOptions", "CopyTransformer", "Transform", "Transforms", "copy_transformer"]


class CopyTransformer(Protocol):
    """One COPY stream on its way."""

    done: bytes  # after an error: the rows of the same `feed` or `finish` before the one that it is about
    skipped: int  # rows left out here that the client is to be told of (ON_ERROR ignore)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the stream; return the rows that are complete, transformed.

        After an error, `feed` may be called again, to go on with the row that failed.
        """

    def renew(self, transforms: Transforms) -> None:
        """Go on with other transforms: there are new keys."""

    def rewritten(self, data: bytes, at: int, size: int) -> tuple[bytes, int] | None:
        """The same for many CopyData messages of the server, from `at` on: the messages, and where they end.

        None where they have to be fed one by one.
        """

    def finish(self) -> bytes:
        """The stream has ended: return what is left, transformed."""


def copy_transformer(options: CopyOptions, transforms: Transforms) -> CopyTransformer:
    """The transformer of a stream whose field i goes through transforms[i], or is left alone if that is None.

    A transform that is a ColumnTransform takes many values at once where that can be.
    Raises Refused for a format or an encoding in which fields cannot be told apart for certain.
    """
    options.require_known()
    if options.format == "binary":
        return BinaryCopy(options, transforms)
    if options.format == "csv":
        return CsvCopy(options, transforms)
    return TextCopy(options, transforms)
