"""Statements for hypothesis: SQL over the small schema, with parameters and literals, of any nesting.

Most of them pgveil can do; some of them it has to refuse. Each value stands where a field, or a plain
column, gives it its kind.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import strategies as st

Draw = Callable[[st.SearchStrategy], object]

# Kind -> the values that the tests write and look for (None: NULL).
VALUES: dict[str, list[str | None]] = {
    "mail": ["kanarie-1", "kanarie-2", "kanarie-3", "kanarie-9", "kanarie é'\\", ""],
    "ssn": ["kanarie ssn", "", "kanarie"],
    "age": ["17", "1733173317", "-5", "0"],
    "balance": ["12.50", "-0.01", "12.5", "0"],
    "nick": ["kanarie", "kanarie two", ""],
    "note": ["a", "b", "x", "it's"],
    "id": ["1", "2", "3", "4", "70"],
    "open": ["open", "b"],  # of VALUES: it meets nothing protected, or only by a join
}
TYPE = {
    "mail": "text",
    "ssn": "text",
    "age": "int",
    "balance": "numeric",
    "nick": "varchar",
    "note": "text",
    "id": "bigint",
    "open": "text",
}
NUMBERS = ("age", "balance", "id")

TABLES = {
    "users": {
        "id": "id",
        "email": "mail",
        "ssn": "ssn",
        "age": "age",
        "balance": "balance",
        "nick": "nick",
        "note": "note",
    },
    "orders": {"id": "id", "user_id": "id", "buyer": "mail", "note": "note"},
    "contacts": {"id": "id", "mail": "mail", "note": "note"},
}
WRITABLE = {
    "users": ["email", "ssn", "age", "balance", "nick", "note"],
    "orders": ["user_id", "buyer", "note"],
}

Scope = dict[str, str]  # column as it is written -> its kind


@dataclass
class Writer:
    """Writes one statement; `params` None: every value becomes a literal."""

    draw: Draw
    params: list[str | None] | None
    depth: int = 0
    aliases: int = 0
    sources: list[str] = field(default_factory=list)

    def one_of(self, items: list[str]) -> str:
        return str(self.draw(st.sampled_from(items)))

    def chance(self, of: int) -> bool:
        return self.draw(st.integers(0, of - 1)) == 0

    def count(self, most: int) -> int:
        number = self.draw(st.integers(1, most))
        assert isinstance(number, int)
        return number

    def alias(self) -> str:
        self.aliases += 1
        return f"t{self.aliases}"

    # --- values -----------------------------------------------------------------------------------------

    def value(self, kind: str) -> str:
        """A parameter or a literal, sometimes with a cast."""
        given = VALUES[kind][self.count(len(VALUES[kind])) - 1]
        if self.chance(12):
            return "NULL"
        if self.params is not None and self.chance(2):
            self.params.append(given)
            return f"${len(self.params)}" + (f"::{TYPE[kind]}" if self.chance(3) else "")
        return self.literal(kind, given or "")

    def literal(self, kind: str, given: str) -> str:
        if kind in NUMBERS and self.chance(2):
            return given
        quoted = "'" + given.replace("'", "''") + "'"
        if self.chance(5):
            return f"CAST({quoted} AS {TYPE[kind]})"
        return "E" + quoted.replace("\\", "\\\\") if self.chance(5) else quoted

    def array(self, kind: str) -> str:
        items = ["" if item is None else item for item in VALUES[kind][: self.count(3)]]
        escaped = ['"' + item.replace("\\", "\\\\").replace('"', '\\"') + '"' for item in items]
        text = "{" + ",".join(escaped) + "}"
        if self.params is not None and self.chance(2):
            self.params.append(text)
            return f"ANY (${len(self.params)}" + (f"::{TYPE[kind]}[])" if self.chance(2) else ")")
        return "ANY (ARRAY[" + ", ".join(self.literal(kind, item) for item in items) + "])"

    # --- expressions ------------------------------------------------------------------------------------

    def column(self, scope: Scope, kind: str | None = None) -> str:
        wanted = [name for name, known in scope.items() if kind is None or known == kind]
        return self.one_of(wanted) if wanted else "NULL"

    def expression(self, scope: Scope, kind: str) -> str:
        """Something of a kind: a column, a value, COALESCE, CASE, NULLIF, a scalar subquery."""
        if kind not in scope.values():  # beside NULL alone a value would meet nothing
            return self.one_of(["NULL", self.value(kind)]) if self.depth == 0 else "NULL"
        self.depth += 1
        try:
            form = self.one_of(["column"] * 6 + ["coalesce", "case", "nullif", "subquery"])
            if self.depth > 3 or form == "column":
                return self.column(scope, kind)
            if form == "coalesce":
                return f"COALESCE({self.column(scope, kind)}, {self.value(kind)})"
            if form == "case":
                return (
                    f"CASE WHEN {self.condition(scope)} THEN {self.expression(scope, kind)}"
                    f" ELSE {self.value(kind)} END"
                )
            if form == "nullif":
                return f"NULLIF({self.column(scope, kind)}, {self.value(kind)})"
            source, inner = self.table()
            if kind not in inner.values():  # a value that met nothing would be left alone
                return self.column(scope, kind)
            return f"(SELECT {self.column(inner, kind)} FROM {source} WHERE {self.by_id(inner)} LIMIT 1)"
        finally:
            self.depth -= 1

    def by_id(self, scope: Scope) -> str:
        return f"{self.column(scope, 'id')} = {self.one_of(['1', '2', '3'])}"

    def condition(self, scope: Scope) -> str:
        """A condition over the columns of a scope."""
        self.depth += 1
        try:
            forms = ["equal"] * 4 + ["in", "any", "null", "distinct", "row", "rare"]
            if self.depth < 4:
                forms += ["and", "or", "not", "in query", "exists", "any query"]
            return self._condition(scope, self.one_of(forms))
        finally:
            self.depth -= 1

    def _condition(self, scope: Scope, form: str) -> str:
        column = self.column(scope)
        kind = scope[column]
        match form:
            case "equal":
                sides = [self.expression(scope, kind) if self.chance(4) else column, self.value(kind)]
                return f" {self.one_of(['=', '<>', '='])} ".join(sides if self.chance(2) else sides[::-1])
            case "in":
                values = ", ".join(self.value(kind) for _ in range(self.count(3)))
                return f"{column} {self.one_of(['IN', 'NOT IN'])} ({values})"
            case "any":
                return f"{column} = {self.array(kind)}"
            case "null":
                return f"{column} IS {self.one_of(['', 'NOT '])}NULL"
            case "distinct":
                return f"{column} IS {self.one_of(['', 'NOT '])}DISTINCT FROM {self.value(kind)}"
            case "row":
                other = self.column(scope)
                return f"({column}, {other}) = ({self.value(kind)}, {self.value(scope[other])})"
            case "rare":
                return f"{column} {self.one_of(['<', '>=', 'BETWEEN 1 AND'])} {self.value(kind)}"
            case "and" | "or":
                return f"({self.condition(scope)} {form.upper()} {self.condition(scope)})"
            case "not":
                return f"NOT ({self.condition(scope)})"
            case "exists":
                source, inner = self.source()
                return f"EXISTS (SELECT 1 FROM {source} WHERE {self.condition({**scope, **inner})})"
        source, inner = self.source()
        operator = "= ANY" if form == "any query" else self.one_of(["IN", "NOT IN"])
        query = f"SELECT {self.column(inner, kind)} FROM {source} WHERE {self.condition(inner)}"
        return f"{column} {operator} ({query})"

    # --- FROM -------------------------------------------------------------------------------------------

    def table(self) -> tuple[str, Scope]:
        name, alias = self.one_of(list(TABLES)), self.alias()
        return f"{name} {alias}", {f"{alias}.{column}": kind for column, kind in TABLES[name].items()}

    def source(self) -> tuple[str, Scope]:
        """A table, a join, or a derived table."""
        form = self.one_of(["table"] * 4 + ["join", "join", "derived", "values"])
        if self.depth > 3 or form == "table":
            return self.table()
        self.depth += 1
        try:
            if form == "join":
                return self.join()
            alias = self.alias()
            if form == "derived":
                query, kinds = self.select()
                names = [f"c{i}" for i in range(len(kinds))]
                scope = {f"{alias}.{name}": kind for name, kind in zip(names, kinds, strict=True)}
                return f"({query}) AS {alias} ({', '.join(names)})", scope
            rows = ", ".join(f"({self.text('open')}, {self.text('note')})" for _ in range(self.count(3)))
            return f"(VALUES {rows}) AS {alias} (m, n)", {f"{alias}.m": "open", f"{alias}.n": "note"}
        finally:
            self.depth -= 1

    def text(self, kind: str) -> str:
        return self.literal(kind, VALUES[kind][self.count(2) - 1] or "")

    def join(self) -> tuple[str, Scope]:
        (left, one), (right, other) = self.source(), self.table()
        kind = self.one_of(["mail", "mail", "id", "note"])
        first = "open" if kind == "mail" and "open" in one.values() else kind
        sides = self.column(one, first), self.column(other, kind)
        return (
            f"{left} {self.one_of(['JOIN', 'LEFT JOIN', 'FULL JOIN'])} {right} ON {sides[0]} = {sides[1]}",
            {
                **one,
                **other,
            },
        )

    # --- SELECT -----------------------------------------------------------------------------------------

    def select(self) -> tuple[str, list[str]]:
        """A query and the kinds of its columns."""
        source, scope = self.source()
        kinds = [self.one_of(sorted(set(scope.values()))) for _ in range(self.count(3))]
        where = f" WHERE {self.condition(scope)}" if self.chance(2) else ""
        form = self.one_of(["plain"] * 4 + ["distinct", "group", "union"])
        if form == "group":
            columns = [self.column(scope, kind) for kind in kinds]
            grouped = f"SELECT {', '.join(columns)} FROM {source}{where} GROUP BY {', '.join(columns)}"
            if self.chance(2):
                grouped += f" HAVING count({columns[0]}) {self.one_of(['>', '<='])} 1"
            return grouped, kinds
        items = ", ".join(self.expression(scope, kind) for kind in kinds)
        query = f"SELECT {'DISTINCT ' if form == 'distinct' else ''}{items} FROM {source}{where}"
        if form == "union":
            other, inner = self.table()
            others = ", ".join(self.column(inner, kind) for kind in kinds)
            operator = self.one_of(["UNION", "UNION ALL", "INTERSECT", "EXCEPT"])
            return f"{query} {operator} SELECT {others} FROM {other}", kinds
        return query, kinds

    def whole_select(self) -> str:
        form = self.one_of(["plain"] * 3 + ["cte", "aggregate", "star"])
        if form == "cte":
            query, kinds = self.select()
            names = [f"c{i}" for i in range(len(kinds))]
            scope = {f"w.{name}": kind for name, kind in zip(names, kinds, strict=True)}
            return f"WITH w ({', '.join(names)}) AS ({query}) SELECT * FROM w WHERE {self.condition(scope)}"
        if form == "aggregate":
            source, scope = self.source()
            column = self.column(scope)
            items = [f"count({column})", "count(*)", f"count(*) FILTER (WHERE {self.condition(scope)})"]
            items += [f"count(DISTINCT {column})"] if self.chance(3) else []
            return f"SELECT {', '.join(items)} FROM {source}"
        if form == "star":
            source, scope = self.source()
            return f"SELECT * FROM {source} WHERE {self.condition(scope)}"
        return self.select()[0]

    # --- writes -----------------------------------------------------------------------------------------

    def insert(self) -> str:
        table = self.one_of(list(WRITABLE))
        columns = self.columns(table)
        kinds = [TABLES[table][column] for column in columns]
        if self.chance(4):
            source, scope = self.source()
            items = ", ".join(self.expression(scope, kind) for kind in kinds)
            rows = f"SELECT {items} FROM {source} WHERE {self.by_id(scope)}"
        else:
            lines = [", ".join(map(self.value, kinds)) for _ in range(self.count(2))]
            rows = "VALUES " + ", ".join(f"({line})" for line in lines)
        conflict = ""
        if table == "users" and self.chance(2):
            changed = self.one_of(WRITABLE["users"][1:])
            new = self.one_of([f"excluded.{changed}", self.value(TABLES["users"][changed])])
            conflict = f" ON CONFLICT (email) DO UPDATE SET {changed} = {new}"
        return f"INSERT INTO {table} ({', '.join(columns)}) {rows}{conflict}{self.returning(table)}"

    def columns(self, table: str) -> list[str]:
        return list(dict.fromkeys(self.one_of(WRITABLE[table]) for _ in range(self.count(4))))

    def returning(self, table: str) -> str:
        return f" RETURNING {table}.{self.one_of(list(TABLES[table]))}" if self.chance(2) else ""

    def update(self) -> str:
        table = self.one_of(list(WRITABLE))
        scope = {f"{table}.{column}": kind for column, kind in TABLES[table].items()}
        extra = ""
        if self.chance(4):
            source, inner = self.table()
            kind = self.one_of(["id", "mail"])
            extra = f" FROM {source} WHERE {self.column(scope, kind)} = {self.column(inner, kind)} AND "
            extra += self.by_id(inner)
        else:
            extra = f" WHERE {self.condition(scope)}"
        assigned = []
        for column in self.columns(table):
            kind = TABLES[table][column]
            new = self.value(kind) if column == "email" or self.chance(2) else self.expression(scope, kind)
            assigned.append(f"{column} = {new}")
        return f"UPDATE {table} SET {', '.join(assigned)}{extra}{self.returning(table)}"

    def delete(self) -> str:
        table = self.one_of(list(WRITABLE))
        scope = {f"{table}.{column}": kind for column, kind in TABLES[table].items()}
        return f"DELETE FROM {table} WHERE {self.condition(scope)}{self.returning(table)}"

    def statement(self) -> str:
        form = self.one_of(["select"] * 3 + ["insert", "update", "delete"])
        write = {
            "select": self.whole_select,
            "insert": self.insert,
            "update": self.update,
            "delete": self.delete,
        }
        return write[form]()


@dataclass(frozen=True)
class Statement:
    """SQL and its parameters (None: a simple query)."""

    sql: str
    params: tuple[str | None, ...] | None


@st.composite
def queries(draw: Draw) -> str:
    """A query without parameters."""
    return Writer(draw, None).whole_select()


@st.composite
def statements(draw: Draw) -> Statement:
    """One statement."""
    params: list[str | None] | None = [] if draw(st.booleans()) else None
    sql = Writer(draw, params).statement()
    return Statement(sql, None if params is None else tuple(params))
