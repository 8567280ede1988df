"""Every construct of docs/supported-sql.md with a column of either mode, before a live server.

What works gives what a plain database gives. What is refused has the message that the document has.
"""

from __future__ import annotations

import re

import pytest

from tests.integration.cases import Case
from tests.integration.pair import Pair
from tests.integration.trial import try_case
from tests.integration.ways import simple
from tests.sql.supported import MODES, Construct, constructs

# What the document's values are here: what is searched for in the server's log is one word.
_VALUES = {"x": "kanarie-1", "y": "kanarie-2", "new": "kanarie-5", "newer": "kanarie-6"}


def _live(text: str) -> str:
    return re.sub(r"'(x|y|newer|new)'", lambda match: f"'{_VALUES[match[1]]}'", text)


def _named(text: str, mode: str) -> str:
    return re.sub(r"\bF\b", MODES[mode], text)


def _case(construct: Construct, mode: str) -> Case:
    expectation, sqlstate = ("ok", "") if construct.works[mode] else ("refused", "0A000")
    case = Case(construct.title, expectation, sqlstate, _live(construct.text(mode)))
    notes = construct.notes
    for values in notes.get("params", ()):
        texts = [_VALUES.get(value.strip(), value.strip()) for value in _named(values, mode).split("|")]
        case.params = tuple(None if text == "\\N" else text for text in texts)
    for line in notes.get("stdin", ()):
        case.stdin += line.encode().decode("unicode_escape").replace("new", "kanarie-5").encode() + b"\n"
    once = case.stdin or ";" in case.sql or construct.heading in ("Definitions", "Statements of the session")
    case.ways = tuple(" ".join(notes.get("ways", ())).split())
    if not case.ways and case.params is not None:
        case.ways = ("extended", "binary", "literals")
    elif not case.ways:
        case.ways = ("simple",) if once else ("simple", "binary")
    case.teardown = [_named(sql, mode) for sql in notes.get("teardown", ())]
    return case


PAIRS = [
    pytest.param(construct, mode, id=f"{construct.title}-{mode}".replace(" ", "_"))
    for construct in constructs()
    for mode in MODES
]


@pytest.mark.parametrize(("construct", "mode"), PAIRS)
def test_construct(construct: Construct, mode: str, pair: Pair) -> None:
    case = _case(construct, mode)
    try_case(case, pair)
    if not construct.works[mode] and case.params is None:
        (answer,) = [answer for answer in simple(pair.connections()[0], case.sql) if answer.sqlstate]
        simple(pair.connections()[0], "ROLLBACK")
        refused = construct.refusal(mode)
        assert refused is not None
        assert answer.message.split(" / ")[0] == refused.message
