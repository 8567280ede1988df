"""What SQL works, construct by construct: `supported/*.sql`, of which docs/supported-sql.md is made.

A construct is a line with its title and what is expected of it, more lines of some kinds, and the SQL:

    -- # Reading                         the heading that the next ones stand under
    -- the title | works refused         with a deterministic column, with a randomized one
    -- params: new | \\N                  the parameters' values, for a live server
    -- stdin: new                        a line of COPY data
    -- ways: extended                    the only ways in which it can be sent
    -- teardown: DROP INDEX i            run past pgveil afterwards

In the SQL `F` stands for the column, 'x' and 'y' for values that rows have, 'new' and 'newer' for others.
`python -m tests.sql.supported` writes the document's tables.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from proxy.errors import Refused
from proxy.sql.report import explain
from tests.documents import ROOT
from tests.sql.world import world

DIRECTORY = Path(__file__).parent / "supported"
DOCUMENT = ROOT / "docs" / "supported-sql.md"
MODES = {"deterministic": "email", "randomized": "ssn"}  # a column of the table users for each
_FIELD = re.compile(r"\bF\b")
_TABLES = re.compile(r"(?<=<!-- made by make docs -->\n).*(?=<!-- end of what is made -->)", re.DOTALL)


@dataclass
class Construct:
    """One construct; `works` by mode."""

    heading: str
    title: str
    works: dict[str, bool]
    sql: str = ""
    notes: dict[str, list[str]] = field(default_factory=dict)  # params, stdin, ways, teardown

    def text(self, mode: str) -> str:
        """The SQL with the column of that mode."""
        return _FIELD.sub(MODES[mode], self.sql)

    def refusal(self, mode: str) -> Refused | None:
        """How it is refused with a column of that mode; None if it is not."""
        try:
            explain(world(), self.text(mode), ("public",))
        except Refused as refused:
            return refused
        return None


def constructs() -> list[Construct]:
    """All constructs, in the order of the files."""
    found: list[Construct] = []
    heading = ""
    for path in sorted(DIRECTORY.glob("*.sql")):
        for line in path.read_text().splitlines():
            if line.startswith("-- # "):
                heading = line.removeprefix("-- # ")
            elif line.startswith("-- "):
                _describe(found, heading, line.removeprefix("-- "))
            else:
                found[-1].sql += line
    return found


def _describe(found: list[Construct], heading: str, line: str) -> None:
    key, _, value = line.partition(": ")
    if key in ("params", "stdin", "ways", "teardown"):
        found[-1].notes.setdefault(key, []).append(value)
        return
    title, _, expected = line.rpartition(" | ")
    words = expected.split()
    assert len(words) == len(MODES), f"what is expected of {line!r}"
    assert {*words} <= {"works", "refused"}, f"what is expected of {line!r}"
    found.append(Construct(heading, title, {m: w == "works" for m, w in zip(MODES, words, strict=True)}))


def document(text: str) -> str:
    """The document with its tables made anew."""
    return _TABLES.sub(lambda _: "\n" + "\n".join(_tables()), text)


def _tables() -> Iterator[str]:
    every = constructs()
    for heading in dict.fromkeys(construct.heading for construct in every):
        yield from _table(heading, [construct for construct in every if construct.heading == heading])


def _table(heading: str, listed: list[Construct]) -> Iterator[str]:
    """A heading, its table, and the messages that the table's numbers stand for."""
    messages: dict[str, int] = {}
    yield f"## {heading}\n"
    yield "| | statement | deterministic | randomized |"
    yield "|---|---|---|---|"
    for construct in listed:
        cells = [_outcome(construct.refusal(mode), mode, messages) for mode in MODES]
        statement = construct.sql.replace("|", "\\|")
        yield f"| {construct.title} | `{statement}` | {' | '.join(cells)} |"
    yield ""
    yield from (f"{number}. {message}" for message, number in messages.items())
    yield ""


def _outcome(refused: Refused | None, mode: str, messages: dict[str, int]) -> str:
    if refused is None:
        return "works"
    said = re.sub(rf"\b{MODES[mode]}\b", "F", refused.message)
    hint = f" {refused.hint}" if refused.hint else ""
    number = messages.setdefault(f"{said[:1].upper()}{said[1:]}.{hint}", len(messages) + 1)
    return f"refused ({number})"


if __name__ == "__main__":
    DOCUMENT.write_text(document(DOCUMENT.read_text()))
