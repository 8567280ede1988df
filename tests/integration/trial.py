"""One case, tried in many ways in both databases of a pair: the same answers, or a clean refusal; no leak."""

from __future__ import annotations

from psycopg.pq.abc import PGconn

from tests.integration.cases import Case
from tests.integration.pair import Pair
from tests.integration.ways import ONE_STATEMENT, SIMPLE, WITH_PARAMETERS, Answer, Parameters, Way, simple
from tests.postgres import versions_to_test
from tests.proxy_process import canaries_in

NEWEST = max(versions_to_test())


def try_case(case: Case, pair: Pair) -> None:
    """Try a case in each of its ways; what works leaves the same rows in both databases."""
    for sql in case.setup:
        pair.directly(sql)
    try:
        pair.restore()
        for name, way in _ways(case, pair.plain.postgres.version).items():
            _try(case, pair, name, way)
            if _may_write(case):
                _same_rows(pair, name)
                pair.restore()
        _same_rows(pair, "all of them")
    except Exception:
        pair.disconnect()
        pair.assert_no_leak()
        raise
    finally:
        for sql in case.teardown:
            pair.directly(sql)


def _may_write(case: Case) -> bool:
    """Whether the tables may have other rows afterwards."""
    reads = case.sql.upper().startswith(("SELECT", "TABLE", "EXPLAIN")) and ";" not in case.sql
    return case.expectation != "refused" and not reads


def _ways(case: Case, version: int) -> dict[str, Way]:
    def as_simple(connection: PGconn, sql: str, _: Parameters, stdin: bytes) -> list[Answer]:
        return simple(connection, sql, stdin)

    ways = dict(WITH_PARAMETERS) if case.params is not None else {SIMPLE: as_simple, **ONE_STATEMENT}
    if case.ways:
        wanted = case.ways
    elif case.stdin:
        wanted = (SIMPLE,)
    elif version < NEWEST:  # the versions differ in syntax, not in how it is sent
        wanted = (SIMPLE, "extended", "literals")
    else:
        wanted = tuple(ways)
    return {name: way for name, way in ways.items() if name in wanted}


def _try(case: Case, pair: Pair, name: str, way: Way) -> None:
    veiled, plain = pair.connections()
    params = case.params or ()
    answers = way(veiled, case.sql, params, case.stdin)
    refused = case.expectation == "refused"
    expected = [] if refused else way(plain, case.sql, params, case.stdin)
    pair.assert_no_leak()
    assert not any(canaries_in(answer.message) for answer in answers), f"{name}: an error holds a value"
    if refused:
        states = [answer.sqlstate for answer in answers if answer.sqlstate]
        assert case.sqlstate in states, f"{name}: {answers}"
        assert set(states) <= {case.sqlstate, "skipped"}, f"{name}: {answers}"
    else:
        _compare(case, name, answers, expected)
    _goes_on(case, pair, name)


def _compare(case: Case, name: str, answers: list[Answer], expected: list[Answer]) -> None:
    failed = [answer for answer in answers if answer.sqlstate]
    if case.expectation == "ok":
        assert not failed, f"{name}: {failed}"
    elif case.sqlstate:
        assert failed, f"{name}: no error: {answers}"
        assert {a.sqlstate for a in failed} <= {case.sqlstate, "skipped"}, f"{name}: {failed}"
        return
    assert len(answers) == len(expected), f"{name}: {answers} instead of {expected}"
    ordered = "order by" in case.sql.lower()
    for answer, other in zip(answers, expected, strict=True):
        assert answer.same_as(other, ordered=ordered), f"{name}: {answer} instead of {other}"


def _goes_on(case: Case, pair: Pair, name: str) -> None:
    """The session is as usable as one of PostgreSQL's own, and both databases hold the same rows."""
    for sql in ("ROLLBACK", "DISCARD ALL"):
        answers, expected = pair.both(sql)
        assert answers == expected, f"{name}, afterwards {sql}: {answers} instead of {expected}"


def _same_rows(pair: Pair, name: str) -> None:
    """What pgveil has stored is what the twin has."""
    for sql in _ROWS:
        answers, expected = pair.both(sql)
        assert answers == expected, f"{name}, afterwards {sql}: {answers} instead of {expected}"


_ROWS = (
    "SELECT id, email, ssn, age, born, balance, doc, photo, nick, note FROM public.users ORDER BY id",
    "SELECT id, user_id, buyer, total, note FROM public.orders ORDER BY id",
    "SELECT id, name, value FROM public.plain ORDER BY id",
)
