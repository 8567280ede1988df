"""JSON made of protected values of every type, and records that JSON brings: as a plain twin has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from psycopg import pq
from psycopg.pq.abc import PGconn

from tests.integration.generate import Draw
from tests.integration.schema import KINDS, KINDS_POLICY, KINDS_SCHEMA, KINDS_TWIN, SCHEMA
from tests.integration.ways import Answer, binary, extended, simple
from tests.postgres import DIRECT, Postgres
from tests.proxy_process import Veils, canaries_in

# Column -> the values of two rows; the third row has NULLs.
ROWS: dict[str, tuple[str, str]] = {
    "a_text": ('kanarie "é"\\\\ \t漢\u0001', ""),
    "a_varchar": ("kanarie", "pgv1:no"),
    "a_char": ("kanarie", ""),
    "a_bytea": ("\\x6b616e61726965", "\\x"),
    "a_bool": ("t", "f"),
    "an_int2": ("-7", "0"),
    "an_int4": ("1733173317", "-1"),
    "an_int8": ("9223372036854775807", "5"),
    "a_float4": ("1.5e20", "0.1"),
    "a_float8": ("1e-7", "NaN"),
    "a_numeric": ("1733173317.500", "NaN"),
    "a_price": ("12.5", "-0.01"),
    "a_date": ("1973-03-31", "infinity"),
    "a_time": ("12:34:56.789", "24:00"),
    "a_timestamp": ("1973-03-31 12:00", "infinity"),
    "a_timestamptz": ("1973-03-31 12:00:00.5+02", "-infinity"),
    "an_interval": ("1 year 2 days 03:04:05.6", "-1 mons"),
    "a_uuid": ("6b616e61-7269-6500-0000-000000000001", "00000000-0000-0000-0000-000000000000"),
    "a_json": ('{"kanarie" :  [1.50, null]}', " null "),
    "a_jsonb": ('{"kanarie" :  [1.50, null]}', '"x"'),
    "an_inet": ("10.1.2.3/8", "::1"),
    "some_texts": ('{kanarie,NULL,"a \\"b\\""}', "{}"),
    "some_ints": ("{1,NULL,-3}", "{7}"),
    "some_dates": ("{1973-03-31,infinity}", "{NULL}"),
}
NAMES = sorted(ROWS)


@dataclass
class Twins:
    """A connection to the table of all kinds through pgveil, and one to its plain twin."""

    veiled: PGconn
    plain: PGconn


@pytest.fixture(scope="module")
def twins(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Twins]:
    with postgres.database() as database, postgres.database() as plain:
        database.execute(SCHEMA + KINDS_SCHEMA)
        plain.execute(KINDS_TWIN)
        veil = Veils(tmp_path_factory.mktemp("veil"))(database, KINDS_POLICY)
        dsns = veil.dsn(), plain.dsn + f"?application_name={DIRECT}"
        connections = [pq.PGconn.connect(dsn.encode()) for dsn in dsns]
        columns = ", ".join(NAMES)
        holes = ", ".join(f"${i + 1}" for i in range(len(NAMES)))
        for connection in connections:
            simple(connection, "SET TimeZone = 'Europe/Berlin'")
            for row in (
                [ROWS[name][0] for name in NAMES],
                [ROWS[name][1] for name in NAMES],
                [None] * len(NAMES),
            ):
                (answer,) = extended(connection, f"INSERT INTO kinds ({columns}) VALUES ({holes})", row)
                assert not answer.sqlstate, answer.message
        yield Twins(*connections)
        for connection in connections:
            connection.finish()
        veil.assert_no_leak()


# --- documents -------------------------------------------------------------------------------------------


@dataclass
class Writer:
    """Writes a query of documents, of any nesting."""

    draw: Draw
    depth: int = 0
    aliases: int = 0

    def one_of(self, items: list[str]) -> str:
        return str(self.draw(st.sampled_from(items)))

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    def several(self, source: str) -> list[str]:
        return [self.value(source) for _ in range(int(str(self.draw(st.integers(1, 3)))))]

    def value(self, source: str) -> str:
        """What stands in a document: a column, a value that is nobody's, or another document."""
        self.depth += 1
        try:
            form = self.one_of(["column"] * 5 + ["plain", "document", "document"])
            if form == "plain":
                return self.one_of(["NULL", "1.50", "true", "'x\"'::text", f"{source}.id", "'{}'::jsonb"])
            if form == "column" or self.depth > 3:
                return f"{source}.{self.one_of(NAMES)}"
            return self.document(source, self.one_of(["json", "jsonb"]))
        finally:
            self.depth -= 1

    def document(self, source: str, kind: str) -> str:
        values = self.several(source)
        form = self.one_of(["object", "array", "value", "row", "cast", "sql", "coalesce", "case", "operator"])
        match form:
            case "array":
                return f"{kind}_build_array({', '.join(values)})"
            case "value":
                return f"to_{kind}({source}.{self.one_of(NAMES)})"
            case "row":
                columns = ", ".join(f"{value} AS c{i}" for i, value in enumerate(values))
                row = f"(SELECT e FROM (SELECT {columns}) AS e)"
                return f"to_jsonb({row})" if kind == "jsonb" else f"row_to_json({row})"
            case "cast":
                return f"{self.document(source, self.one_of(['json', 'jsonb']))}::{kind}"
            case "coalesce":
                return f"COALESCE({self.document(source, kind)}, '{{}}')"
            case "case":
                return f"CASE WHEN {source}.id < 3 THEN {self.document(source, kind)} ELSE 'null'::{kind} END"
            case "operator" if kind == "jsonb":
                left, right = self.object(source, values), self.object(source, self.several(source))
                return self.one_of(
                    [f"({left} || {right})", f"({left} - 'k0')", f"({left} || '{{\"z\": 1}}')"]
                )
            case "sql":
                items = ", ".join(f"'k{i}': {value}" for i, value in enumerate(values))
                return f"JSON_OBJECT({items} RETURNING {kind})"
        return self.object(source, values, kind)

    def object(self, source: str, values: list[str], kind: str = "jsonb") -> str:
        pairs = ", ".join(f"'k{i}', {value}" for i, value in enumerate(values))
        return f"{kind}_build_object({pairs})"

    def query(self) -> str:
        kind = self.one_of(["json", "jsonb"])
        k, t = self.alias(), self.alias()
        document = self.document(k, kind)
        rows = f"(SELECT {k}.id, {document} AS d, {k}.{self.one_of(NAMES)} AS c FROM kinds {k})"
        match self.one_of(["rows", "list", "map", "table", "lateral", "arrays", "text"]):
            case "list":
                return f"SELECT COALESCE({kind}_agg({self.value(k)} ORDER BY {k}.id), '[]') FROM kinds {k}"
            case "map":
                return (
                    f"SELECT {kind}_object_agg({k}.id, {document}) FILTER (WHERE {k}.id > 1) FROM kinds {k}"
                )
            case "table":
                return f"SELECT {kind}_agg({t} ORDER BY {t}.id) FROM {rows} {t}"
            case "lateral":
                inner = (
                    f"SELECT coalesce(json_agg({self.value(t)} ORDER BY {t}.id), '[]') AS d FROM kinds {t}"
                )
                return (
                    f"SELECT row_to_json(o) FROM (SELECT {k}.id, l.d FROM kinds {k} "
                    f"LEFT JOIN LATERAL ({inner} WHERE {t}.id >= {k}.id) l ON true ORDER BY {k}.id) o"
                )
            case "arrays":
                both = f"array_agg({t}.d ORDER BY {t}.id), array_to_json(array_agg({t}.d))"
                return f"SELECT {both} FROM {rows} {t}"
            case "text":
                return f"SELECT {kind}_agg({t}.d ORDER BY {t}.id)::text FROM {rows} {t}"
        return f"SELECT {t}.d, {t}.c FROM {rows} {t} ORDER BY {t}.id"


@st.composite
def queries(draw: Draw) -> str:
    return Writer(draw).query()


REFUSED = "0A000"


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(queries(), st.sampled_from([extended, binary]))
def test_documents_are_those_of_the_twin(twins: Twins, query: str, way: object) -> None:
    assert way in (extended, binary)
    ask = binary if way is binary else extended
    (answer,) = ask(twins.veiled, query)
    assert not canaries_in(answer.message)
    event("refused" if answer.sqlstate == REFUSED else answer.sqlstate or "answered")
    if answer.sqlstate == REFUSED:
        assert "two forms" in answer.message
        return
    (expected,) = ask(twins.plain, query)
    assert _alike(answer, expected), f"{answer} instead of {expected}"


def _alike(answer: Answer, expected: Answer) -> bool:
    """Values beside documents have the types of their columns, with or without a limit."""
    types = [[(name, oid) for name, oid, _ in one.columns] for one in (answer, expected)]
    return types[0] == types[1] and (answer.rows, answer.sqlstate) == (expected.rows, expected.sqlstate)


# --- records ---------------------------------------------------------------------------------------------

# Column -> values as JSON brings them.
BROUGHT: dict[str, list[object]] = {
    "a_text": ["kanarie é", "", 1.5, True, {"kanarie": [1, None]}, 'a "b"\\\t'],
    "a_varchar": ["kanarie", "x" * 40, "x" * 41, 7],
    "a_char": ["kanarie", "a  ", "x" * 13],
    "a_bytea": ["\\x6b616e61726965", "kanarie", "\\"],
    "a_bool": [True, False, "yes", 1, "kanarie"],
    "an_int2": [-7, "8", 70000, 1.5],
    "an_int4": [1733173317, "0", 1 << 40],
    "an_int8": [1733173317173317, "-1"],
    "a_float8": [1.5, "NaN", 1e300, -0.25],
    "a_numeric": [1.5, "1733173317.50", 100],
    "a_price": [12.345, "12.5", 10**12],
    "a_date": ["1973-03-31", "infinity", "kanarie", 5],
    "a_timestamptz": ["1973-03-31T12:00:00Z", "1973-03-31 12:00"],
    "an_interval": ["1 day", "PT36H"],
    "a_uuid": ["6b616e61-7269-6500-0000-000000000001", "kanarie"],
    "a_json": [{"kanarie": [1.50]}, "kanarie", [1], 1.5],
    "a_jsonb": [{"b": 1, "a": ["kanarie"]}, "kanarie", True],
    "some_texts": [["kanarie", None, "a,b"], "{a,b}", []],
    "some_ints": [[1, None], "{}", ["3"], ["kanarie"]],
}


@st.composite
def imports(draw: Draw) -> tuple[str, str]:
    """An INSERT of records, and the document."""
    names = draw(st.lists(st.sampled_from(sorted(BROUGHT)), min_size=1, max_size=3, unique=True))
    assert isinstance(names, list)
    values = st.fixed_dictionaries(
        {}, optional={name: st.none() | st.sampled_from(BROUGHT[name]) for name in [*names, "a_text"]}
    )
    records = draw(st.lists(values, max_size=3))
    columns = ", ".join(names)
    if draw(st.booleans()):
        source = draw(st.sampled_from(["json_populate_recordset", "jsonb_populate_recordset"]))
        rows = f"{source}(NULL::kinds, $1) AS r"
    else:
        definitions = ", ".join(f"{name} {KINDS[name][0]}" for name in names)
        rows = f"{draw(st.sampled_from(['json', 'jsonb']))}_to_recordset($1) AS r({definitions})"
    document = json.dumps(
        records, ensure_ascii=bool(draw(st.booleans())), indent=draw(st.sampled_from([None, 1]))
    )
    return f"INSERT INTO kinds ({columns}) SELECT {columns} FROM {rows} RETURNING {columns}", document


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(imports())
def test_records_become_the_rows_of_the_twin(twins: Twins, statement: tuple[str, str]) -> None:
    sql, document = statement
    answers = []
    for connection in (twins.veiled, twins.plain):
        simple(connection, "BEGIN")
        answers += extended(connection, sql, [document])
        simple(connection, "ROLLBACK")
    assert not canaries_in(answers[0].message)
    event(answers[0].sqlstate or "answered")
    if all(answer.sqlstate for answer in answers):  # of several errors, another one may come first
        return
    assert _alike(*answers), f"{answers[0]} instead of {answers[1]}"
