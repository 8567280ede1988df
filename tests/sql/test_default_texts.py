"""DEFAULTs that are ciphertext: which statements may show one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from policy.binding import Binding, bind
from policy.storage import is_sealed
from proxy.sql.analysis import SessionView
from proxy.sql.planner import Planner
from tests.policy.samples import catalog_of, column, policy_of, table

DEFAULT = "'pgv1:AQabc-_'::text"


def _binding(directory: Path, default: str) -> Binding:
    policy = policy_of(directory, "  users:\n    email: {class: equal}\n")
    columns = (column("id", 1, "int8"), column("email", 2, "text", has_default=True, default=default))
    return bind(policy, catalog_of(replace(table(70, "users", {}), columns=columns)))


def _results(binding: Binding, sql: str) -> object:
    return Planner(binding).plan(sql.encode(), SessionView(), final=True).plan.first.results


def test_statements_that_read_defaults(tmp_path: Path) -> None:
    results = (
        Planner(_binding(tmp_path, DEFAULT))
        .plan(b"SELECT pg_get_expr(adbin, adrelid), * FROM pg_attrdef", SessionView(), final=True)
        .plan.first.results
    )
    assert results is not None
    columns = results.fit(3)
    assert columns is not None
    (known,) = {default for column in columns if column is not None for default in column.defaults}
    assert (known.before, known.sealed, known.after, known.text) == ("", "pgv1:AQabc-_", "", DEFAULT)


def test_others_do_not(tmp_path: Path) -> None:
    sealed, clear = _binding(tmp_path, DEFAULT), _binding(tmp_path, "'guest'::text")
    assert _results(sealed, "SELECT 1 FROM pg_class") is None
    assert _results(sealed, "DELETE FROM pg_attrdef") is None
    assert _results(clear, "SELECT adbin FROM pg_attrdef") is None


def test_what_is_ciphertext_and_nothing_else() -> None:
    assert is_sealed(DEFAULT)
    assert is_sealed("'\\xff505601ab'::bytea")
    assert is_sealed("'\"pgv1:AQabc\"'::jsonb")
    assert is_sealed("('pgv1:AQabc'::text)::character varying(400)")
    for other in (
        None,
        "",
        "'guest'::text",
        "'pgv1: x'::text",
        "'\\x00'::bytea",
        f"({DEFAULT} || 'guest'::text)",
    ):
        assert not is_sealed(other)
