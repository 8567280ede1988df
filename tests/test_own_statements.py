"""pgveil never builds a statement by formatting values into its text: values are parameters.

What it sends over connections of its own is a constant of a module. Only names of tables and columns, which
cannot be parameters, are put in, each quoted: the places that do so are listed with the reason.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.test_layout import MODULES, ROOT

_SENDS = {"copy_from_query", "execute", "executemany", "fetch", "fetchrow", "fetchval", "prepare"}
_PASSES_ON = {"_names", "_rows"}  # they send their second argument: callers are looked at
_NAMES = {
    ("crypto/keystore_listener.py", "mark"),  # keystore_table's _MARK, with the same quoted names as there
    ("proxy/sealed_rows.py", "query"),  # names of a relation and a column, by quote_identifier()
    # made of quote_identifier() and of the form of envelopes: tests/policy/test_guard.py
    ("proxy/guards.py", "query"),
    ("proxy/guards.py", "statement"),
    ("proxy/catalog_snapshot.py", "query"),  # the parameter of those in _PASSES_ON
}
# schema and table of the keystore and of fingerprints, quoted when they are made: test_keystore_table.py
_FORMATTED = {
    ("crypto/keystore_table.py", "**self._names"),
    ("proxy/key_fingerprints.py", "**self._names"),
}
OWN = [path for path in MODULES if "demo" not in path.as_posix()]  # which is an application


def _texts(tree: ast.Module) -> Iterator[ast.expr]:
    """The text of every statement that a module sends."""
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        if isinstance(call.func, ast.Attribute) and call.func.attr in _SENDS:
            if ast.unparse(call.func.value).endswith("connection"):
                yield call.args[0]
        elif ast.unparse(call.func) in _PASSES_ON and "connection" in map(ast.unparse, call.args):
            yield call.args[1]


def _constant(text: ast.expr) -> bool:
    """A literal, or the name of a module's constant; also a text put together of such."""
    if isinstance(text, ast.JoinedStr):
        return all(isinstance(part, ast.Constant) or _constant(part) for part in text.values)
    if isinstance(text, ast.FormattedValue):
        return _constant(text.value)
    name = text.attr if isinstance(text, ast.Attribute) else getattr(text, "id", "")
    return isinstance(text, ast.Constant) or name.isupper()


def _with_quoted_names(path: Path, text: ast.expr) -> bool:
    if isinstance(text, ast.Call) and isinstance(text.func, ast.Attribute) and text.func.attr == "format":
        arguments = ", ".join(ast.unparse(text).partition("(")[2].removesuffix(")").split(", "))
        return _constant(text.func.value) and (path.as_posix(), arguments) in _FORMATTED
    return isinstance(text, ast.Name) and (path.as_posix(), text.id) in _NAMES


def found(path: Path, source: str) -> list[str]:
    """What a module sends, or keeps as SQL, that is put together of anything but constants."""
    tree = ast.parse(source)
    wrong = [text for text in _texts(tree) if not _constant(text) and not _with_quoted_names(path, text)]
    if path.name.endswith("_sql.py") or path.name == "keystore_table.py":
        assigned = (node.value for node in tree.body if isinstance(node, ast.Assign))
        wrong += [text for text in assigned if isinstance(text, ast.JoinedStr) and not _constant(text)]
    return [f"line {text.lineno}: {ast.unparse(text)}" for text in wrong]


def test_statements_are_constants() -> None:
    wrong = {str(path): found(path, (ROOT / path).read_text()) for path in OWN}
    assert {path: texts for path, texts in wrong.items() if texts} == {}


def test_it_sees_the_statements() -> None:
    """The test above would find what it looks for, and does not look past what is sent."""
    sends = [path for path in OWN if any(True for _ in _texts(ast.parse((ROOT / path).read_text())))]
    assert {"crypto/keystore_table.py", "proxy/introspect.py", "proxy/guards.py"} <= {*map(str, sends)}
    for source in (
        'connection.execute(f"SELECT {value}")',
        'self._connection.fetch("SELECT " + value)',
        'connection.fetchval("SELECT %s" % value)',
        "connection.execute(_LOCK.format(value))",
        '_rows(connection, f"SELECT {value}")',
        "connection.execute(text)",
    ):
        assert found(Path("proxy/some.py"), source), source
