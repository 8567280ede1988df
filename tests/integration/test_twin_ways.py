"""Generated statements on the less common ways: pipelines, COPY, cursors, PREPARE, JSON, transactions.

As in test_twin.py, pgveil gives the answers of a plain twin, or refuses; nothing ever leaks.
"""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg.pq.abc import PGconn

from tests.integration.generate import Statement, queries, statements
from tests.integration.pair import Pair
from tests.integration.test_twin import REFUSED, _alike
from tests.integration.ways import Answer, extended, results, simple
from tests.proxy_process import canaries_in

_SETTINGS = settings(
    max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def _in_both(pair: Pair, ask: Callable[[PGconn], list[Answer]]) -> list[tuple[Answer, Answer]]:
    """The answers of both; none where pgveil refuses, or has nothing but an error that both have."""
    veiled, plain = pair.connections()
    try:
        answers = ask(veiled)
        assert not any(canaries_in(answer.message) for answer in answers)
        refused = any(answer.sqlstate == REFUSED for answer in answers)
        event("refused" if refused else "answered")
        if refused:
            simple(veiled, "ROLLBACK")
            return []
        expected = ask(plain)
        errors = [[answer.sqlstate for answer in side if answer.sqlstate] for side in (answers, expected)]
        assert errors[0] == errors[1]
        if errors[0]:
            pair.both("ROLLBACK")
        if len(answers) != len(expected):  # pgveil has found the error before the first statement of a text
            assert errors[0]
            return []
        return list(zip(answers, expected, strict=True))
    except BaseException:
        pair.disconnect()
        raise
    finally:
        pair.assert_no_leak()


def _pipeline(connection: PGconn, run: list[Statement]) -> list[Answer]:
    """All of them before one Sync: one implicit transaction."""
    connection.enter_pipeline_mode()
    for statement in run:
        parameters = [None if value is None else value.encode() for value in statement.params or ()]
        connection.send_query_params(statement.sql.encode(), parameters)
    connection.pipeline_sync()
    answers = [answer for _ in run for answer in results(connection)]
    assert connection.get_result() is not None  # of the Sync
    connection.exit_pipeline_mode()
    return answers


@_SETTINGS
@given(st.lists(statements(), min_size=2, max_size=5))
def test_a_pipeline_of_statements(pair: Pair, run: list[Statement]) -> None:
    pair.restore()
    for answer, expected in _in_both(pair, lambda connection: _pipeline(connection, run)):
        assert _alike(answer, expected), f"{answer} instead of {expected}"


def _transaction(connection: PGconn, run: list[Statement], end: str) -> list[Answer]:
    """One by one in a transaction, with a savepoint before each of them."""
    answers = simple(connection, "BEGIN")
    for statement in run:
        answers += simple(connection, "SAVEPOINT s")
        (answer,) = extended(connection, statement.sql, statement.params or ())
        answers.append(answer)
        if answer.sqlstate == REFUSED:
            return answers
        answers += simple(connection, "ROLLBACK TO s" if answer.sqlstate else "RELEASE s")
    return answers + simple(connection, end)


@_SETTINGS
@given(st.lists(statements(), min_size=1, max_size=4), st.sampled_from(["COMMIT", "ROLLBACK"]))
def test_a_transaction_with_savepoints(pair: Pair, run: list[Statement], end: str) -> None:
    pair.restore()
    for answer, expected in _in_both(pair, lambda connection: _transaction(connection, run, end)):
        assert _alike(answer, expected), f"{answer} instead of {expected}"


@_SETTINGS
@given(queries(), st.sampled_from(["text", "csv"]))
def test_a_query_that_is_copied(pair: Pair, query: str, form: str) -> None:
    sql = f"COPY ({query}) TO STDOUT (FORMAT {form})"
    for answer, expected in _in_both(pair, lambda connection: simple(connection, sql)):
        assert (answer.sqlstate, sorted(answer.rows)) == (expected.sqlstate, sorted(expected.rows))


@_SETTINGS
@given(queries(), st.integers(1, 3))
def test_a_query_behind_a_cursor(pair: Pair, query: str, size: int) -> None:
    """Its rows are fetched in pieces, and then once more backwards."""
    fetches = f"FETCH {size} FROM c; FETCH ALL FROM c; FETCH BACKWARD ALL FROM c; CLOSE c"
    sql = f"BEGIN; DECLARE c SCROLL CURSOR FOR {query}; {fetches}; COMMIT"
    pairs = _in_both(pair, lambda connection: simple(connection, sql))
    assert [a.tag for a, _ in pairs] == [b.tag for _, b in pairs]
    fetched = [[row for a in side for row in a.rows] for side in zip(*pairs, strict=True)]
    assert not fetched or sorted(fetched[0], key=repr) == sorted(fetched[1], key=repr)


@_SETTINGS
@given(queries())
def test_a_query_that_is_prepared(pair: Pair, query: str) -> None:
    def ask(connection: PGconn) -> list[Answer]:
        answers = simple(connection, f"PREPARE q AS {query}")
        if not answers[0].sqlstate:
            answers += simple(connection, "EXECUTE q") + simple(connection, "DEALLOCATE q")
        return answers

    for answer, expected in _in_both(pair, ask):
        assert _alike(answer, expected), f"{answer} instead of {expected}"


@_SETTINGS
@given(
    queries(),
    st.sampled_from(
        ["json_agg(t)", "jsonb_agg(t)", "json_agg(row_to_json(t))", "array_to_json(array_agg(t))"]
    ),
)
def test_a_query_as_json(pair: Pair, query: str, builder: str) -> None:
    sql = f"SELECT {builder} FROM ({query}) AS t"
    for answer, expected in _in_both(pair, lambda connection: simple(connection, sql)):
        assert answer.sqlstate == expected.sqlstate
        assert _elements(answer) == _elements(expected)


def _elements(answer: Answer) -> list[str]:
    """The elements of a JSON array, whatever their order: numbers by their spelling, members by theirs."""
    if answer.sqlstate or answer.rows[0][0] is None:
        return []
    elements = json.loads(
        answer.rows[0][0], parse_int=str, parse_float=str, object_pairs_hook=lambda pairs: pairs
    )
    return sorted(map(repr, elements))
