"""Cases of SQL as data: `statements/*.sql`, read by test_leak.py.

A case is a line `-- case: title | expectation`, more lines of the same kind, and the SQL:

    -- case: what it shows | ok           the same answers as from the twin, a database with no encryption
    -- case: what it shows | refused      0A000, or `refused 42P01`; the session goes on
    -- case: what it shows | error        the SQLSTATE of the twin, or `error 22001`
    -- params: kanarie-1 | \\N | 5         parameters of one execution, \\N for NULL
    -- stdin: 7\\tkanarie                  a line of COPY data, with the escapes of Python
    -- ways: simple                       only these ways to send it (see ways.py)
    -- since: 18                          the first version of PostgreSQL that knows the syntax
    -- setup: CREATE ROLE ...             run directly, in both databases, before (`teardown:` after)
    -- bug: what is wrong                 expected to fail until that is mended
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

DIRECTORY = Path(__file__).parent / "statements"
_KEYS = ("case", "params", "stdin", "ways", "since", "setup", "teardown", "bug")


@dataclass
class Case:
    """One case; `params` None: it has none."""

    name: str
    expectation: str
    sqlstate: str
    sql: str = ""
    params: tuple[str | None, ...] | None = None
    stdin: bytes = b""
    ways: tuple[str, ...] = ()
    since: int = 0
    setup: list[str] = field(default_factory=list)
    teardown: list[str] = field(default_factory=list)
    bug: str = ""


def load(file: str) -> list[Case]:
    """The cases of a file, in order."""
    cases: list[Case] = []
    for line in (DIRECTORY / file).read_text().splitlines():
        key, _, value = line.removeprefix("-- ").partition(":")
        if line.startswith("-- ") and key in _KEYS:
            if key == "case":
                cases.append(_start(file, value.strip()))
            else:
                _note(cases[-1], key, value.strip())
        elif cases:
            cases[-1].sql += line + "\n"
    for case in cases:
        case.sql = case.sql.strip()
        assert case.sql, f"{file}: the case {case.name!r} has no SQL"
    return cases


def _start(file: str, header: str) -> Case:
    title, _, expected = header.rpartition(" | ")
    expectation, _, sqlstate = expected.strip().partition(" ")
    assert expectation in ("ok", "refused", "error"), f"{file}: expectation of {header!r}"
    default = "0A000" if expectation == "refused" else ""
    return Case(f"{Path(file).stem}: {title}", expectation, sqlstate or default)


def _note(case: Case, key: str, value: str) -> None:
    match key:
        case "params":
            case.params = tuple(None if item.strip() == "\\N" else item.strip() for item in value.split("|"))
        case "stdin":
            case.stdin += value.encode().decode("unicode_escape").encode("latin-1") + b"\n"
        case "ways":
            case.ways = tuple(value.split())
        case "since":
            case.since = int(value)
        case "setup":
            case.setup.append(value)
        case "teardown":
            case.teardown.append(value)
        case "bug":
            case.bug = value
