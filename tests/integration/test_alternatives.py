"""Values that stand among a column's, made at random: shown, compared and stored.

Each answer is that of a plain twin, with the same types, limits and bytes in both formats; or it is refused.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest
from psycopg import pq
from psycopg.pq.abc import PGconn

from tests.integration.schema import POLICY
from tests.integration.ways import Answer, results, simple
from tests.postgres import Database, Postgres
from tests.proxy_process import Veil, Veils

# column -> its type, its class, stored values, and literals of it
COLUMNS: dict[str, tuple[str, str, list[str], list[str]]] = {
    "txt": ("text", "lookup", ["abc", "ab ", ""], ["'abc'", "'ab '", "'ab'", "''", "'a longer one'"]),
    "vc": ("varchar(5)", "lookup", ["abc", "ab ", "abcde"], ["'abc'", "'ab '", "'ab'", "'a longer one'"]),
    "ch": ("char(5)", "lookup", ["abc", "ab", "abcde"], ["'abc'", "'ab '", "'ab'", "'a longer one'"]),
    "i2": ("int2", "lookup", ["5", "-7", "300"], ["5", "-7", "'5'", "70000", "5.0", "5.5", "3000000000"]),
    "i4": ("int4", "lookup", ["5", "-7", "70000"], ["5", "-7", "'5'", "70000", "5.0", "5.5", "3000000000"]),
    "i8": ("int8", "lookup", ["5", "-7", "3000000000"], ["5", "'5'", "70000", "5.0", "5.5", "3000000000"]),
    "f4": ("float4", "lookup", ["5", "1.1", "-0.5"], ["5", "1.1", "'1.1'", "-0.5", "'5'", "1e3"]),
    "f8": ("float8", "lookup", ["5", "1.1", "-0.5"], ["5", "1.1", "'1.1'", "-0.5", "'5'", "1e3"]),
    "nu": (
        "numeric(6,2)",
        "lookup",
        ["5", "1.1", "-0.55"],
        ["5", "1.1", "5.00", "5.555", "'5.555'", "'5'", "123456", "-0.55", "'NaN'", "1.10"],
    ),
    "da": ("date", "lookup", ["2020-01-01", "1999-12-31"], ["'2020-01-01'", "'infinity'", "'2020-02-02'"]),
    "ti": ("time(0)", "lookup", ["12:00", "23:59:59"], ["'12:00'", "'12:00:00.4'", "'23:59:59'"]),
    "ts": (
        "timestamp(0)",
        "lookup",
        ["2020-01-01 12:00", "1999-12-31 23:59:59"],
        ["'2020-01-01 12:00'", "'2020-01-01 12:00:00.6'", "'infinity'"],
    ),
    "tz": (
        "timestamptz(1)",
        "lookup",
        ["2020-01-01 12:00+00", "1999-12-31 23:59:59.5+02"],
        ["'2020-01-01 12:00+00'", "'2020-01-01 12:00:00.66'", "'infinity'"],
    ),
    "bo": ("bool", "lookup", ["t", "f"], ["true", "'f'", "false"]),
    "uu": (
        "uuid",
        "lookup",
        ["6b616e61-7269-6500-0000-000000000001"],
        ["'6b616e61-7269-6500-0000-000000000001'", "'6B616E61-7269-6500-0000-000000000002'"],
    ),
    "by": ("bytea", "lookup", ["\\x6162", "\\x"], ["'ab'", "'\\x6162'"]),
    "ip": ("inet", "lookup", ["10.0.0.1", "10.0.0.0/8"], ["'10.0.0.1'", "'10.0.0.0/8'", "'10.0.0.1/32'"]),
    "num": ("numeric", "secret", ["5", "1.10"], ["5", "1.1", "'5.00'"]),
    "iv": ("interval", "secret", ["1 day", "24:00"], ["'1 day'", "'36:00'"]),
    "js": ("json", "secret", ['{"a" : 1}'], ["'{\"a\":  2}'", "'1'"]),
    "jb": ("jsonb", "secret", ['{"a" : 1}'], ["'{\"a\":  2}'", "'1'"]),
    "ints": ("int4[]", "lookup", ["{1,2}", "{}"], ["'{1,2}'", "ARRAY[1,2]", "'{5}'", "ARRAY['1']"]),
    "vcs": ("varchar(3)[]", "lookup", ["{ab,c}", "{}"], ["'{ab,c}'", "ARRAY['ab','c']", "'{a longer one}'"]),
    "nus": ("numeric(6,2)[]", "lookup", ["{1.1,5}"], ["'{1.1,5}'", "ARRAY[1.10,5.00]", "'{5.555}'"]),
}
CASTS = {
    "text": ["text", "varchar", "varchar(2)", "bpchar", "char(3)"],
    "number": ["int2", "int4", "int8", "numeric", "numeric(6,2)", "numeric(8,1)", "float8", "float4"],
    "moment": ["date", "timestamp", "timestamp(0)", "timestamptz", "time", "interval"],
}
FAMILY = {
    **dict.fromkeys(("txt", "vc", "ch"), "text"),
    **dict.fromkeys(("i2", "i4", "i8", "f4", "f8", "nu", "num"), "number"),
    **dict.fromkeys(("da", "ti", "ts", "tz", "iv"), "moment"),
}
# c: a column; {a} and {b}: values; {t}: a type
TEMPLATES = """
SELECT COALESCE(c, {a}) FROM l
SELECT COALESCE({a}, c) FROM l
SELECT COALESCE(c, {a})::{t} FROM l
SELECT c::{t} FROM l
SELECT id FROM l WHERE c::{t} = {a}
SELECT id, c FROM l WHERE c = {a}::{t}
SELECT CASE WHEN id = 1 THEN c ELSE {a} END FROM l
SELECT CASE WHEN id = 1 THEN {a} WHEN id = 2 THEN c END FROM l
SELECT CASE WHEN id = 1 THEN {a} WHEN id = 2 THEN c ELSE {b} END FROM l
SELECT CASE {a} WHEN c THEN 1 WHEN {b} THEN 2 END FROM l
SELECT CASE c WHEN {a} THEN {b} ELSE c END FROM l
SELECT NULLIF(c, {a}) FROM l
SELECT NULLIF({a}, c) FROM l
SELECT NULLIF(COALESCE(c, {a}), {b}) FROM l
SELECT c FROM l UNION ALL SELECT {a}
SELECT {a} UNION ALL SELECT c FROM l
SELECT c FROM l UNION SELECT {a}
SELECT {a} AS x UNION SELECT {b} UNION SELECT c FROM l
SELECT c FROM l EXCEPT SELECT {a}
SELECT c FROM l INTERSECT VALUES ({a}), ({b})
SELECT c FROM l UNION ALL VALUES ({a}), ({b})
SELECT x FROM (VALUES ({a})) v(x) LEFT JOIN l ON c = x
SELECT x, c FROM (VALUES ({a}), ({b})) v(x) LEFT JOIN l ON c = x
SELECT x, id FROM (SELECT {a} AS x UNION ALL SELECT {b}) v LEFT JOIN l ON c = x
SELECT id FROM l JOIN (VALUES ({a}), ({b})) v(x) ON c = x
SELECT id, x FROM l LEFT JOIN LATERAL (SELECT {a} AS x WHERE id > 1) v ON c = x
SELECT id, x FROM l, LATERAL (SELECT COALESCE(c, {a}) AS x) v WHERE x = {b}
WITH w AS (SELECT {a} AS x) SELECT x, id FROM w LEFT JOIN l ON c = x
WITH w(x) AS (VALUES ({a}), ({b})) SELECT id FROM l WHERE c IN (SELECT x FROM w)
WITH w(x) AS (VALUES ({a}), ({b})) SELECT x, (SELECT count(*) FROM l WHERE c = x) FROM w
SELECT id FROM l WHERE c IN ({a}, {b})
SELECT id FROM l WHERE c NOT IN ({a}, {b})
SELECT id FROM l WHERE c = ANY (ARRAY[{a}, {b}])
SELECT id FROM l WHERE c IN (VALUES ({a}), ({b}))
SELECT id FROM l WHERE c = (SELECT {a})
SELECT id FROM l WHERE COALESCE(c, {a}) = {b}
SELECT id FROM l WHERE COALESCE(c, {a}) IN ({a}, {b})
SELECT id FROM l WHERE c IS DISTINCT FROM {a}
SELECT id FROM l WHERE (c, id) = ({a}, 1)
SELECT id FROM l WHERE (c, id) IN (({a}, 1), ({b}, 2))
SELECT id FROM l WHERE CASE WHEN id = 1 THEN {a} ELSE c END = {b}
SELECT DISTINCT COALESCE(c, {a}) FROM l
SELECT COALESCE(c, {a}), count(*) FROM l GROUP BY 1
SELECT count(*) FROM l GROUP BY COALESCE(c, {a})
SELECT count(DISTINCT COALESCE(c, {a})) FROM l
SELECT count(DISTINCT x) FROM (VALUES ({a}), ({b})) v(x) LEFT JOIN l ON c = x
SELECT DISTINCT x FROM (VALUES ({a}), ({b})) v(x) LEFT JOIN l ON c = x
SELECT count(*) FROM (SELECT DISTINCT x FROM (VALUES ({a}), ({b})) v(x) LEFT JOIN l ON c = x) s
SELECT count(*) FROM (VALUES ({a})) v(x), (VALUES ({b})) w(y) LEFT JOIN l ON c = y WHERE x = y
SELECT count(*) FROM (SELECT c FROM l UNION VALUES ({a}), ({b})) s
SELECT array_agg(c ORDER BY id) FROM l
SELECT array_agg(COALESCE(c, {a}) ORDER BY id) FROM l
SELECT ARRAY[c, {a}] FROM l
SELECT (ARRAY[c, {a}])[2] FROM l
SELECT unnest(ARRAY[c, {a}]) FROM l
SELECT ARRAY(SELECT COALESCE(c, {a}) FROM l ORDER BY id)
SELECT to_json(c) FROM l
SELECT json_build_object('k', COALESCE(c, {a})) FROM l
SELECT row_to_json(s) FROM (SELECT id, COALESCE(c, {a}) AS k FROM l) s
SELECT first_value(c) OVER (ORDER BY id) FROM l
SELECT lag(c, 1, {a}) OVER (ORDER BY id) FROM l
SELECT lead(COALESCE(c, {a})) OVER (ORDER BY id) FROM l
SELECT row_number() OVER (PARTITION BY COALESCE(c, {a}) ORDER BY id) FROM l
SELECT (SELECT c FROM l WHERE id = 1) UNION ALL SELECT {a}
SELECT COALESCE((SELECT c FROM l WHERE id = 9), {a})
SELECT * FROM (SELECT c FROM l UNION ALL SELECT {a}) s (x) WHERE x = {b}
SELECT * FROM (SELECT COALESCE(c, {a}) FROM l) s (x) JOIN l ON c = x
SELECT s.x, r.id FROM (SELECT COALESCE(c, {a}) AS x FROM l) s LEFT JOIN l r ON r.c = s.x
UPDATE l SET c = COALESCE({a}, c) RETURNING id, c
UPDATE l SET c = COALESCE(c, {a}) RETURNING c
UPDATE l SET c = CASE WHEN id = 1 THEN {a} ELSE c END RETURNING c
UPDATE l SET c = {a} RETURNING c, COALESCE(c, {b})
UPDATE l SET c = v.x FROM (VALUES (1, {a}), (2, {b})) v(i, x) WHERE id = i RETURNING c, x
UPDATE l SET c = v.x FROM (SELECT COALESCE(c, {a}) AS x FROM l WHERE id = 3) v RETURNING c
UPDATE l SET c = v.x FROM (SELECT COALESCE(c, {a}) AS x FROM l WHERE id = 3) v RETURNING c, x
INSERT INTO l (id, c) VALUES (9, {a}), (8, {b}) RETURNING c
INSERT INTO l (id, c) SELECT 9, {a} UNION ALL SELECT 8, {b} RETURNING c
INSERT INTO l (id, c) SELECT id + 10, COALESCE(c, {a}) FROM l RETURNING c
INSERT INTO l (id, c) SELECT i, x FROM (VALUES (8, {a}), (9, {b})) v(i, x) RETURNING c
INSERT INTO l (id, c) SELECT DISTINCT 8, x FROM (VALUES ({a}), ({b})) v(x) RETURNING c
WITH w AS (SELECT {a} AS x), i AS (INSERT INTO l (id, c) SELECT 8, x FROM w RETURNING c) SELECT c, x FROM w, i
DELETE FROM l WHERE c = {a} RETURNING c, COALESCE(c, {b})
DELETE FROM l USING (VALUES ({a}), ({b})) v(x) WHERE c = x RETURNING c, x
MERGE INTO l USING (VALUES (1, {a}), (8, {b})) v(i, x) ON id = i WHEN MATCHED THEN UPDATE SET c = x
PREPARE p AS SELECT id, COALESCE(c, $1) FROM l; EXECUTE p({a}); DEALLOCATE p
PREPARE p AS SELECT id FROM l WHERE c = $1; EXECUTE p({a}); DEALLOCATE p
PREPARE p AS UPDATE l SET c = $1 RETURNING c; EXECUTE p({a}); DEALLOCATE p
PREPARE p AS UPDATE l SET c = COALESCE(c, $1) RETURNING c; EXECUTE p({a}); DEALLOCATE p
COPY (SELECT COALESCE(c, {a}) FROM l ORDER BY id) TO STDOUT
COPY (SELECT x FROM (VALUES ({a})) v(x) LEFT JOIN l ON c = x) TO STDOUT
""".strip().splitlines()


Parameters = list[tuple[str, int]]  # values and declared types
_DECLARED = (20, 21, 23, 25, 701, 1042, 1043, 1082, 1114, 1184, 1700)
_TEXT, _VARCHAR = 25, 1043


def _schema(types: dict[str, str]) -> str:
    columns = ", ".join(f"{name} {kind}" for name, kind in types.items())
    return f"CREATE TABLE public.l (id int, {columns});"


def _storage(kind: str) -> str:
    if kind in ("text", "json", "jsonb", "bytea"):
        return kind
    return "text" if "char" in kind and "[" not in kind else "bytea"


def _rows() -> str:
    lines = ["(4" + ", NULL" * len(COLUMNS) + ")"]
    for i in range(3):
        values = [f"'{row[2][i]}'" if i < len(row[2]) else "NULL" for row in COLUMNS.values()]
        lines.append(f"({i + 1}, {', '.join(values)})")
    return f"INSERT INTO l VALUES {', '.join(lines)}"


@pytest.fixture(scope="module")
def twins(postgres18: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Veil, Database]]:
    """A table with a column of each type, and its twin."""
    policy = POLICY + "  l:\n"
    for name, (kind, how, _, _) in COLUMNS.items():
        policy += f'    {name}: {{class: {how}, type: "{kind}"}}\n'
    with postgres18.database() as database, postgres18.database() as plain:
        database.execute("CREATE TABLE users (id int); CREATE TABLE orders (id int)")
        database.execute(_schema({name: _storage(row[0]) for name, row in COLUMNS.items()}))
        plain.execute(_schema({name: row[0] for name, row in COLUMNS.items()}))
        yield Veils(tmp_path_factory.mktemp("veil"))(database, policy, leaks=True), plain


class Maker:
    """Makes statements of the templates."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def statement(self) -> tuple[str, Parameters | None, bool]:
        """A statement, its parameters (None: a simple query), and whether its results are binary."""
        column, template = self.random.choice(list(COLUMNS)), self.random.choice(TEMPLATES)
        extended = not template.startswith(("PREPARE", "COPY"))
        params: Parameters | None = [] if extended and self.chance(0.4) else None
        text = template.replace("{t}", self.type(column))
        while (match := re.search(r"\{[ab]\}", text)) is not None:
            text = text[: match.start()] + self.value(column, params) + text[match.end() :]
        return re.sub(r"\bc\b", column, text), params, extended and self.chance(0.3)

    def type(self, column: str) -> str:
        kind = COLUMNS[column][0]
        unlimited = kind.split("(")[0] + "[]" * kind.endswith("[]")
        return self.random.choice([kind, unlimited, *CASTS.get(FAMILY.get(column, ""), [])])

    def value(self, column: str, params: Parameters | None) -> str:
        relatives = [name for name in COLUMNS if FAMILY.get(name, name) == FAMILY.get(column, column)]
        literal = self.random.choice(COLUMNS[self.random.choice([column] * 8 + relatives)][3])
        if params is not None and not literal.startswith("ARRAY") and self.chance(0.8):
            if params and self.chance(0.2):
                return f"${self.random.randrange(len(params)) + 1}"
            params.append((literal.strip("'"), self.random.choice(_DECLARED) if self.chance(0.3) else 0))
            return f"${len(params)}" + (f"::{self.type(column)}" if self.chance(0.2) else "")
        if not self.chance(0.25):
            return literal
        quoted = f"'{literal}'" if literal[0] in "-0123456789" else literal
        return f"{quoted}::{self.type(column)}" + (f"::{self.type(column)}" if self.chance(0.2) else "")


def _ask(connection: PGconn, sql: str, params: Parameters | None, binary: bool) -> list[Answer]:
    """The answers of a transaction that is rolled back."""
    connection.exec_(b"BEGIN")
    if params is None and not binary:
        answers = simple(connection, sql)
    else:
        values, types = [value.encode() for value, _ in params or ()], [oid for _, oid in params or ()]
        connection.send_query_params(sql.encode(), values, types, result_format=int(binary))
        answers = results(connection)
    connection.exec_(b"ROLLBACK; DEALLOCATE ALL")
    return answers


def _seen(sql: str, answer: Answer) -> object:
    """What an application sees; the limits of a set operation's columns are the planner's choice."""
    columns = []
    for _, oid, modifier in answer.columns:
        strings = oid in (_TEXT, _VARCHAR)
        free = strings or re.search("UNION|EXCEPT|INTERSECT", sql) is not None
        columns.append((_TEXT if strings else oid, -1 if free else modifier))
    return columns, sorted(answer.rows, key=repr), answer.tag


@pytest.mark.parametrize("seed", range(4))
def test_the_same_as_the_twin_or_refused(twins: tuple[Veil, Database], seed: int) -> None:
    veil, plain = twins
    maker, same = Maker(seed), 0
    with veil.connect() as one, plain.connect() as other:
        here, there = one.pgconn, other.pgconn
        for connection in (here, there):
            for sql in ("SET TimeZone = 'Europe/Berlin'", "TRUNCATE l", _rows()):
                assert connection.exec_(sql.encode()).status == pq.ExecStatus.COMMAND_OK
        for _ in range(500):
            sql, params, binary = maker.statement()
            found, expected = (_ask(connection, sql, params, binary) for connection in (here, there))
            if any(answer.sqlstate for answer in [*found, *expected]):
                continue  # refused; or an error of one, which pgveil may have for another reason
            seen = [[_seen(sql, answer) for answer in answers] for answers in (found, expected)]
            assert seen[0] == seen[1], (sql, params)
            same += 1
    assert same > 150
