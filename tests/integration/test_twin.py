"""Generated statements, sent to pgveil and to a plain twin: the same answers, or refused; never a leak."""

from __future__ import annotations

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg.pq.abc import PGconn

from tests.integration.generate import Statement, statements
from tests.integration.pair import Pair
from tests.integration.ways import Answer, extended, simple
from tests.proxy_process import canaries_in

REFUSED = "0A000"
_EVERYTHING = (
    "SELECT id, email, ssn, age, balance, nick, note FROM users ORDER BY id",
    "SELECT id, user_id, buyer, note FROM orders ORDER BY id",
)


@settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(statements(), min_size=1, max_size=4))
def test_the_same_answers_as_the_twin(pair: Pair, run: list[Statement]) -> None:
    """Lessons 11 to 18: the state that statements leave is there for the next one."""
    pair.restore()
    try:
        for statement in run:
            _compare(pair, statement)
        for sql in _EVERYTHING:
            answers, expected = pair.both(sql)
            assert answers == expected
    except BaseException:
        pair.disconnect()
        raise
    finally:
        pair.assert_no_leak()


def _compare(pair: Pair, statement: Statement) -> None:
    veiled, plain = pair.connections()

    def ask(connection: PGconn) -> list[Answer]:
        if statement.params is None:
            return simple(connection, statement.sql)
        return extended(connection, statement.sql, statement.params)

    (answer,) = ask(veiled)
    assert not canaries_in(answer.message)
    event("refused" if answer.sqlstate == REFUSED else "answered")
    if answer.sqlstate == REFUSED:
        return
    (expected,) = ask(plain)
    assert _alike(answer, expected), f"{answer} instead of {expected}"


_TEXT, _VARCHAR = 25, 1043


def _alike(answer: Answer, expected: Answer) -> bool:
    """Modifiers of expressions are left out, and whether an expression of texts is a text or a varchar."""
    if answer.sqlstate or expected.sqlstate:
        return answer.sqlstate == expected.sqlstate
    return (
        _types(answer) == _types(expected)
        and answer.tag == expected.tag
        and sorted(answer.rows, key=repr) == sorted(expected.rows, key=repr)
    )


def _types(answer: Answer) -> list[tuple[bytes, int]]:
    return [(name, _TEXT if oid == _VARCHAR else oid) for name, oid, _ in answer.columns]


def test_most_of_them_are_answered(pair: Pair) -> None:
    """So that the test above is of use: what is refused is the smaller part."""
    answered = refused = 0

    @settings(max_examples=60, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(statements())
    def count(statement: Statement) -> None:
        nonlocal answered, refused
        pair.restore()
        try:
            if statement.params is None:
                (answer,) = simple(pair.connections()[0], statement.sql)
            else:
                (answer,) = extended(pair.connections()[0], statement.sql, statement.params)
        finally:
            pair.assert_no_leak()
        refused += answer.sqlstate == REFUSED
        answered += not answer.sqlstate

    count()
    assert answered > refused, f"{answered} answered, {refused} refused"
