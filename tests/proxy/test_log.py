"""Lines of JSON without a value in them."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from proxy import log

CANARY = "kanarie"


@pytest.fixture
def lines() -> Iterator[Any]:
    """Everything that is logged, parsed."""
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    log.start("info", worker=3)
    stream = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    root.handlers[:], level, logging.raiseExceptions = before
    root.setLevel(level)


def test_an_event_is_one_line(lines: Any) -> None:
    log.event("session ended", sqlstate="57P01", detail=None, reason='a "quoted"\nreason')
    (line,) = lines()
    assert line["event"] == "session ended"
    assert line["worker"] == 3
    assert line["reason"] == 'a "quoted"\nreason'
    assert "detail" not in line
    assert line["time"].endswith("Z")


def test_the_level_decides(lines: Any) -> None:
    log.event("details", level=logging.DEBUG)
    log.warning("trouble")
    assert [line["level"] for line in lines()] == ["warning"]


def failing(value: str) -> None:
    raise ValueError(f"bad value {value}")


def test_an_exception_is_its_type_and_its_places(lines: Any) -> None:
    try:
        failing(CANARY)
    except ValueError as error:
        log.exception("session crashed", error, id="abc")
    (line,) = lines()
    assert line["error"] == "ValueError"
    assert line["at"].split(" < ")[0].startswith("proxy/test_log.py:")
    assert CANARY not in json.dumps(line)


def test_libraries_have_nothing_of_their_values_logged(lines: Any) -> None:
    library = logging.getLogger("asyncio")
    library.error("%r was never taken", CANARY)
    library.error(f"received {CANARY}")
    try:
        failing(CANARY)
    except ValueError:
        library.exception("task failed %s", CANARY)
    text = json.dumps(lines())
    assert CANARY not in text
    assert "was never taken" in text
    assert "ValueError" in text


def test_parts_of_pgveil_say_what_they_mean(lines: Any) -> None:
    logging.getLogger("pgveil.keys").info("made a key for %r", "public.users.email")
    assert lines()[0]["event"] == "made a key for 'public.users.email'"


def test_a_line_that_cannot_be_written_is_lost(lines: Any, capsys: pytest.CaptureFixture[str]) -> None:
    log.event("before", value="not JSON")
    logging.getLogger("pgveil").info("%d", CANARY)  # logging's own complaint would repeat the arguments
    assert CANARY not in capsys.readouterr().err
    assert [line["event"] for line in lines()] == ["before"]
