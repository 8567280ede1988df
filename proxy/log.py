"""The log: one JSON object a line on stderr, made of names and numbers only.

What an exception says, and its locals, may hold values of an application. So of an exception the log has its
type and where it was, never its text, unless the text is one that pgveil wrote itself (ServerError).
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
import traceback
from types import TracebackType
from typing import Any

LOGGER = logging.getLogger("pgveil")


def start(level: str, worker: int | None = None) -> None:
    """Write everything of this level and above to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Lines(worker))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.raiseExceptions = False  # a line that cannot be written must not be shown in another way


def event(name: str, *, level: int = logging.INFO, **fields: str | int | float | bool | None) -> None:
    """Log that something happened. No field may hold a value of an application, a key or a parameter."""
    if LOGGER.isEnabledFor(level):
        LOGGER.log(level, name, extra={"fields": fields})


def warning(name: str, **fields: str | int | float | bool | None) -> None:
    event(name, level=logging.WARNING, **fields)


def exception(name: str, error: BaseException, **fields: str | int | float | bool | None) -> None:
    """Log an exception nobody expected: its type and the places that it went through."""
    places = " < ".join(frames(error.__traceback__))
    event(name, level=logging.ERROR, error=type(error).__name__, at=places, **fields)


def frames(trace: TracebackType | None) -> list[str]:
    """`file.py:line` of each frame, the innermost first, without source lines or locals."""
    summary = traceback.StackSummary.extract(traceback.walk_tb(trace), lookup_lines=False)
    return [f"{_short(frame.filename)}:{frame.lineno}" for frame in reversed(summary)]


def _short(path: str) -> str:
    return os.sep.join(path.split(os.sep)[-2:])


class _Lines(logging.Formatter):
    def __init__(self, worker: int | None) -> None:
        super().__init__()
        self._worker = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
            + f".{record.msecs:03.0f}Z",
            "level": record.levelname.lower(),
            **self._worker,
            "event": record.getMessage() if record.name.split(".")[0] == LOGGER.name else _foreign(record),
            **getattr(record, "fields", {}),
        }
        if record.exc_info and record.exc_info[0] is not None:
            line |= {"error": record.exc_info[0].__name__, "at": " < ".join(frames(record.exc_info[2]))}
        return json.dumps(
            {name: value for name, value in line.items() if value is not None}, ensure_ascii=False
        )


def _foreign(record: logging.LogRecord) -> str:
    """What a library logs: who, and no more than the fixed part of its message."""
    return f"{record.name}: {record.msg if record.args else 'message withheld'}"
