"""Functions that write and read for the application, as job queues have them: protected at the call."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.types.composite import CompositeInfo, register_composite

from tests.postgres import Database, Postgres
from tests.proxy_process import Veil, Veils

SCHEMA = """
CREATE TABLE jobs (id bigserial PRIMARY KEY, queue text NOT NULL, payload jsonb, label text, due bytea);
CREATE TYPE job_to_defer AS (queue text, payload jsonb, label text);
CREATE FUNCTION enqueue(queue text, payload jsonb, label text DEFAULT NULL) RETURNS bigint LANGUAGE sql AS
  'INSERT INTO jobs (queue, payload, label) VALUES (queue, payload, label) RETURNING id';
CREATE FUNCTION enqueue_all(jobs job_to_defer[]) RETURNS bigint[] LANGUAGE plpgsql AS $$
DECLARE ids bigint[];
BEGIN
  WITH made AS (INSERT INTO jobs (queue, payload, label)
    SELECT (j).queue, (j).payload, (j).label FROM unnest(enqueue_all.jobs) j RETURNING id)
  SELECT array_agg(id) FROM made INTO ids;
  RETURN ids;
END $$;
CREATE FUNCTION enqueue_one(job job_to_defer) RETURNS bigint LANGUAGE sql AS
  'INSERT INTO jobs (queue, payload, label) VALUES (job.queue, job.payload, job.label) RETURNING id';
CREATE FUNCTION fetch_job(of_queue text) RETURNS jobs LANGUAGE sql AS
  'SELECT * FROM jobs WHERE queue = of_queue ORDER BY id LIMIT 1';
CREATE FUNCTION fetch_jobs(of_queue text) RETURNS SETOF jobs LANGUAGE sql AS
  'SELECT * FROM jobs WHERE queue = of_queue ORDER BY id';
CREATE FUNCTION peek(of_id bigint) RETURNS jsonb LANGUAGE sql AS 'SELECT payload FROM jobs WHERE id = of_id';
CREATE FUNCTION overview() RETURNS TABLE (number bigint, what jsonb) LANGUAGE sql AS
  'SELECT id, payload FROM jobs ORDER BY id';
CREATE PROCEDURE relabel(of_id bigint, new_label text) LANGUAGE sql AS
  'UPDATE jobs SET label = new_label WHERE id = of_id';
CREATE FUNCTION find_label(wanted text) RETURNS bigint LANGUAGE sql AS
  'SELECT id FROM jobs WHERE label = wanted';
CREATE FUNCTION schedule(of_id bigint, due bytea) RETURNS void LANGUAGE sql AS
  'UPDATE jobs SET due = schedule.due WHERE id = of_id';
"""
POLICY = """
version: 1
classes: {pii: {mode: randomized}, lookup: {mode: deterministic}}
tables:
  jobs:
    payload: pii
    label: lookup
    due: {class: pii, type: date}
functions:
  enqueue: {args: [payload, label]}
  public.enqueue_all: {args: {jobs: {payload: jobs.payload, label: jobs.label}}}
  enqueue_one: {args: {1: {payload: jobs.payload, 3: jobs.label}}}
  peek: {returns: payload}
  overview: {returns: {what: jobs.payload}}
  relabel: {args: {2: label}}
  find_label: {args: {wanted: public.jobs.label}}
  schedule: {args: due}
"""


# What makes a call ambiguous, or another way to the same function.
OTHERS = """
CREATE FUNCTION named(jobs) RETURNS text LANGUAGE sql AS 'SELECT $1.label';
CREATE TABLE other (id bigint);
CREATE SCHEMA app;
CREATE FUNCTION app.find_label(text) RETURNS text LANGUAGE sql AS 'SELECT $1';
"""
OTHERS_POLICY = POLICY + "  named: {returns: label}\n  named_text: {args: {1: label}}\n"


@pytest.fixture(scope="module")
def shared_proxy(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Veil]:
    """pgveil before the functions, in each version in turn."""
    with postgres.database() as database:
        database.execute(SCHEMA)
        yield Veils(tmp_path_factory.mktemp("calls"))(database, POLICY)


@pytest.fixture(scope="module")
def with_others(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Veil]:
    """The same before other functions, too; for statements that are refused, and so change nothing."""
    with postgres.database() as database:
        database.execute(SCHEMA + OTHERS)
        yield Veils(tmp_path_factory.mktemp("others"))(database, OTHERS_POLICY)


@pytest.fixture
def proxy(shared_proxy: Veil) -> Iterator[Veil]:
    """The module's pgveil before an empty table; afterwards a look for leaks."""
    shared_proxy.database.execute("TRUNCATE jobs RESTART IDENTITY")
    yield shared_proxy
    shared_proxy.assert_no_leak()


@pytest.fixture
def connection(proxy: Veil) -> Iterator[psycopg.Connection[Any]]:
    with proxy.connect() as connection:
        yield connection


def stored(veil: Veil) -> list[tuple[Any, ...]]:
    return veil.database.execute("SELECT queue, payload #>> '{}', label FROM jobs ORDER BY id")


CALLS = [
    ("SELECT enqueue(%s, %s, %s)", ("q", '{"who": "kanarie"}', "kanarie")),
    ("SELECT enqueue('q', '{\"who\": \"kanarie\"}', 'kanarie')", ()),
    ("SELECT enqueue(payload => %s, queue => 'q', label => %s)", ('{"who": "kanarie"}', "kanarie")),
    ("SELECT public.enqueue('q', label => 'kanarie', payload => '{\"who\": \"kanarie\"}'::jsonb)", ()),
    ("SELECT * FROM enqueue(%s, %s::jsonb, %s)", ("q", '{"who": "kanarie"}', "kanarie")),
    ("SELECT enqueue_one(ROW('q', %s, %s))", ('{"who": "kanarie"}', "kanarie")),
    ("SELECT enqueue_one(%s::job_to_defer)", ('(q,"{""who"": ""kanarie""}",kanarie)',)),
    ('SELECT enqueue_one(\'(q,"{""who"": ""kanarie""}",kanarie)\')', ()),
    (
        "SELECT unnest(enqueue_all(%s::job_to_defer[])) AS id",
        (r'{"(q,\"{\"\"who\"\": \"\"kanarie\"\"}\",kanarie)"}',),
    ),
    (
        "SELECT enqueue_all(ARRAY[ROW('q', %s, %s), ('q', NULL, 'kanarie')]::job_to_defer[])",
        ('{"who": "kanarie"}', "kanarie"),
    ),
]


@pytest.mark.parametrize(("sql", "parameters"), CALLS, ids=[sql for sql, _ in CALLS])
def test_values_are_sealed_at_the_call(
    proxy: Veil, connection: psycopg.Connection[Any], sql: str, parameters: tuple[str, ...]
) -> None:
    connection.execute(sql, parameters)
    queue, payload, label = stored(proxy)[0]
    assert (queue, payload[:5], label[:5]) == ("q", "pgv1:", "pgv1:")
    row = connection.execute(
        "SELECT queue, payload, label FROM jobs WHERE label = 'kanarie' LIMIT 1"
    ).fetchone()
    assert row == ("q", {"who": "kanarie"}, "kanarie")


@pytest.mark.parametrize("binary", [False, True])
def test_composites_as_drivers_send_them(
    proxy: Veil, connection: psycopg.Connection[Any], *, binary: bool
) -> None:
    info = CompositeInfo.fetch(connection, "job_to_defer")
    assert info is not None
    register_composite(info, connection)
    jobs = [
        info.python_type("q", json.dumps({"who": f'kanarie, "{i}" \\ (x)'}), "kanarie") for i in range(3)
    ] + [info.python_type("q", None, None)]
    cursor = connection.cursor(binary=binary)
    rows = cursor.execute("SELECT unnest(enqueue_all(%s::job_to_defer[])) AS id", [jobs]).fetchall()
    assert [number for (number,) in rows] == [1, 2, 3, 4]
    assert all(payload is None or payload.startswith("pgv1:") for _, payload, _ in stored(proxy))
    found = cursor.execute("SELECT payload, label FROM fetch_jobs('q')").fetchall()
    assert found[0] == ({"who": 'kanarie, "0" \\ (x)'}, "kanarie")
    assert found[3] == (None, None)


def test_rows_that_functions_give_are_opened(connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT enqueue('q', '{\"who\": \"kanarie\"}', 'kanarie')")
    payload = {"who": "kanarie"}
    for sql, expected in (
        ("SELECT queue, payload, label FROM fetch_job('q')", ("q", payload, "kanarie")),
        ("SELECT j.* FROM fetch_jobs('q') AS j", (1, "q", payload, "kanarie", None)),
        ("SELECT (fetch_job('q')).payload", (payload,)),
        ("SELECT peek(1)", (payload,)),
        ("SELECT * FROM peek(1) AS it", (payload,)),
        ("SELECT what, number FROM overview()", (payload, 1)),
        ("SELECT o.* FROM jobs, LATERAL overview() o WHERE jobs.label = 'kanarie'", (1, payload)),
        ("SELECT find_label('kanarie')", (1,)),
        ("SELECT find_label(label) FROM jobs", (1,)),
    ):
        assert connection.execute(sql).fetchone() == expected, sql


def test_procedures_and_storage_in_bytea(proxy: Veil, connection: psycopg.Connection[Any]) -> None:
    connection.execute("SELECT enqueue('q', NULL)")
    connection.execute("CALL relabel(1, %s)", ["kanarie"])
    connection.execute("SELECT schedule(1, %s)", ["1973-03-31"])
    connection.execute("SELECT schedule(1, '1973-03-31')")
    row = connection.execute("SELECT label, due FROM jobs WHERE due IS NOT NULL")
    assert row.fetchone() == ("kanarie", date(1973, 3, 31))
    [(due,)] = proxy.database.execute("SELECT due FROM jobs")
    assert due.startswith(b"\xffPV")


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT enqueue('q', to_jsonb('kanarie'::text))",
        "SELECT enqueue('q', payload => '{}', label => lower('KANARIE'))",
        "SELECT enqueue_all(ARRAY(SELECT ROW('q', '{}', 'kanarie')::job_to_defer))",
        "SELECT enqueue(label, payload) FROM jobs",
        "SELECT enqueue('q', payload, label || 'kanarie') FROM jobs",
        "SELECT enqueue('q', NULL, 'kanarie', 'kanarie')",
        "SELECT upper(peek(1)::text)",
        "SELECT * FROM fetch_jobs('q') ORDER BY payload",
        "SELECT number FROM overview() WHERE what = '{}'",
    ],
)
def test_what_cannot_be_protected_is_refused(connection: psycopg.Connection[Any], sql: str) -> None:
    with pytest.raises(errors.FeatureNotSupported):
        connection.execute(sql)


def test_a_function_made_a_moment_ago(database: Database, veil: Veils) -> None:
    """Its parameters are read before it is called; made past pgveil, too."""
    database.execute(SCHEMA)
    proxy = veil(database, POLICY)
    database.execute(
        "DROP FUNCTION enqueue;"
        "CREATE FUNCTION enqueue(payload jsonb, queue text) RETURNS bigint LANGUAGE sql AS"
        " 'INSERT INTO jobs (queue, payload) VALUES (queue, payload) RETURNING id'"
    )
    proxy.execute("COMMENT ON TABLE jobs IS 'read again'; CREATE SCHEMA other")
    proxy.execute("SELECT enqueue('{\"who\": \"kanarie\"}', 'q')")
    assert stored(proxy)[0][1].startswith("pgv1:")


# --- other ways to the same functions --------------------------------------------------------------------

_LONG_DOCUMENT = '{"who": "kanarie' + 70_000 * "x" + '"}'


def test_a_long_text_that_names_no_table(proxy: Veil, connection: psycopg.Connection[Any]) -> None:
    """A call is found in a text that is too long to be parsed for nothing."""
    connection.execute(f"SELECT enqueue('q', '{_LONG_DOCUMENT}', 'kanarie')")
    assert stored(proxy)[0][1][:5] == "pgv1:"


VIEWS = """
CREATE VIEW tables AS SELECT * FROM overview();
CREATE VIEW rows AS SELECT * FROM fetch_jobs('q');
CREATE VIEW scalars AS SELECT peek(1) AS what, (fetch_job('q')).label AS name;
CREATE VIEW over_views AS SELECT label AS tag FROM rows;
"""


def test_views_over_functions(database: Database, veil: Veils) -> None:
    """A view that names no table, but a function, has protected columns all the same."""
    database.execute(SCHEMA + VIEWS)
    with veil(database, POLICY).connect() as connection:
        connection.execute("SELECT enqueue('q', '{\"who\": \"kanarie\"}', 'kanarie')")
        who = {"who": "kanarie"}
        for sql, row in (
            ("SELECT what FROM tables", (who,)),
            ("SELECT payload, label FROM rows WHERE label = 'kanarie'", (who, "kanarie")),
            ("SELECT * FROM scalars", (who, "kanarie")),
            ("SELECT tag FROM over_views WHERE tag IN ('kanarie', 'x')", ("kanarie",)),
        ):
            assert connection.execute(sql).fetchall() == [row]


@pytest.mark.parametrize(
    "sql",
    [
        "DO $$ BEGIN PERFORM find_label('kanarie'); END $$",
        "DO $$ BEGIN PERFORM 1 FROM fetch_jobs('q') WHERE label = 'kanarie'; END $$",
        "DO $$ DECLARE n bigint := public.find_label('kanarie'); BEGIN CALL relabel(n, 'kanarie'); END $$",
        "CREATE FUNCTION f() RETURNS bigint LANGUAGE sql AS $$ SELECT find_label('kanarie') $$",
        "CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT find_label('kanarie'); END",
        "SELECT query_to_xml('SELECT find_label(''kanarie'')', true, true, '')",
        "CREATE TABLE t (a bigint DEFAULT find_label('kanarie'))",
        "CREATE TABLE t (a bigint DEFAULT FIND_LABEL('kanarie'))",
        "ALTER TABLE other ALTER id SET DEFAULT find_label('kanarie')",
        "CREATE INDEX ON other ((id = find_label('kanarie')))",
        "SELECT (ROW('q', '{}', 'kanarie')::job_to_defer).enqueue_one",
        "SELECT x.enqueue_one FROM (SELECT '(q,{},kanarie)'::job_to_defer AS x) t, LATERAL (SELECT t.x.*) x",
        "CREATE OPERATOR ### (RIGHTARG = text, FUNCTION = find_label)",
        "CREATE AGGREGATE a (text) (SFUNC = public.named_text, STYPE = text)",
        "CREATE CAST (text AS bigint) WITH FUNCTION find_label(text)",
        "ALTER FUNCTION find_label(text) RENAME TO other",
        "ALTER ROUTINE public.find_label SET SCHEMA pg_temp",
        "SET search_path = app, public; SELECT find_label('kanarie')",
        "SELECT j.named FROM jobs j",
        "SELECT id FROM jobs j WHERE j.named = 'kanarie'",
        "SELECT (j).named FROM jobs j",
        "SELECT jobs.row_to_json FROM jobs",
        "SELECT label FROM ROWS FROM (fetch_jobs('q'), generate_series(1, 2)) WHERE label = 'kanarie'",
    ],
)
def test_other_ways_to_call_are_refused(with_others: Veil, sql: str) -> None:
    """Nothing is sent of a call whose values cannot be sealed where they stand."""
    with pytest.raises(errors.FeatureNotSupported) as caught:
        with_others.execute(sql)
    assert "kanarie" not in str(caught.value)
    with_others.assert_no_leak()


def test_a_function_of_the_same_name_elsewhere(database: Database, veil: Veils) -> None:
    """What a call without a schema cannot reach is another function; what it names is left alone."""
    database.execute(SCHEMA + "CREATE SCHEMA app")
    database.execute("CREATE FUNCTION app.find_label(text) RETURNS text LANGUAGE sql AS 'SELECT upper($1)'")
    with veil(database, POLICY).connect() as connection:
        assert connection.execute("SELECT app.find_label('x')").fetchone() == ("X",)
        assert connection.execute("SELECT find_label('kanarie')").fetchone() == (None,)


def test_calls_that_look_like_columns(database: Database, veil: Veils) -> None:
    """Where a function gives nothing protected, `row.function` is none of pgveil's business."""
    database.execute(
        SCHEMA
        + """
        CREATE TABLE hobby (name text, person text); CREATE TABLE person (name text);
        INSERT INTO hobby VALUES ('chess', 'ann'), ('go', 'ann'); INSERT INTO person VALUES ('ann');
        CREATE FUNCTION hobbies(person) RETURNS SETOF hobby LANGUAGE sql AS
          'SELECT * FROM hobby WHERE person = $1.name';
        CREATE FUNCTION work(person) RETURNS SETOF jobs LANGUAGE sql AS 'SELECT * FROM jobs';
        CREATE FUNCTION work(hobby) RETURNS SETOF hobby LANGUAGE sql AS 'SELECT $1';
        """
    )
    with veil(database, POLICY).connect() as connection:
        found = connection.execute("SELECT p.name, name(p.hobbies), (p.hobbies).person FROM person p")
        assert found.fetchall() == [("ann", "chess", "ann"), ("ann", "go", "ann")]
        for sql in ("SELECT (p.work).queue FROM person p", "SELECT (h).work FROM hobby h"):
            with pytest.raises(errors.FeatureNotSupported, match="called as a column"):
                connection.execute(sql)
            connection.rollback()


CHANGES = {
    "the order of attributes": (
        "ALTER TYPE letter DROP ATTRIBUTE id, ADD ATTRIBUTE id text",
        "SELECT send(letter => ROW('kanarie', '1')::letter)",
    ),
    "the names of attributes": (
        "ALTER TYPE letter RENAME ATTRIBUTE id TO other; ALTER TYPE letter RENAME ATTRIBUTE label TO id;"
        "ALTER TYPE letter RENAME ATTRIBUTE other TO label",
        "SELECT send(letter => ROW('kanarie', '1')::letter)",
    ),
    "the order of parameters": (
        "DROP FUNCTION post(text, text);"
        "CREATE FUNCTION post(label text, queue text) RETURNS void LANGUAGE sql AS"
        " 'INSERT INTO jobs (label) VALUES ($1)'",
        "SELECT post('kanarie', 'mail')",
    ),
    "a name": ("ALTER FUNCTION later(text, text) RENAME TO deliver", "SELECT deliver('kanarie', 'mail')"),
}


@pytest.mark.parametrize("how", ["by the same text", "by the same transaction", "before"])
@pytest.mark.parametrize("what", CHANGES)
def test_a_function_that_changes(database18: Database, veil: Veils, what: str, how: str) -> None:
    """What is not known to be for a field of the policy is refused; afterwards the new one is known."""
    database18.execute(
        "CREATE TABLE jobs (label text); CREATE TYPE letter AS (id text, label text);"
        "CREATE FUNCTION send(letter letter) RETURNS void LANGUAGE sql AS"
        " 'INSERT INTO jobs (label) VALUES (letter.label)';"
        "CREATE FUNCTION post(queue text, label text) RETURNS void LANGUAGE sql AS"
        " 'INSERT INTO jobs (label) VALUES ($2)';"
        "CREATE FUNCTION later(label text, queue text) RETURNS void LANGUAGE sql AS"
        " 'INSERT INTO jobs (label) VALUES ($1)'"
    )
    proxy = veil(
        database18,
        "version: 1\nclasses: {lookup: {mode: deterministic}}\ntables: {jobs: {label: lookup}}\n"
        "functions:\n  send: {args: {letter: {label: jobs.label}}}\n  post: {args: label}\n"
        "  deliver: {args: label}\n"
        "trusted_functions: [post]\n",
    )
    change, call = CHANGES[what]
    with proxy.connect() as connection:
        connection.execute("SELECT FROM jobs")
        if how == "before":
            connection.execute(change)
            connection.execute(call)
            assert connection.execute("SELECT label FROM jobs").fetchall() == [("kanarie",)]
        else:
            if how == "by the same transaction":
                connection.execute("BEGIN")
                connection.execute(change)
            text = call if how == "by the same transaction" else f"{change}; {call}"
            with pytest.raises(errors.FeatureNotSupported):
                connection.execute(text)
