"""DO, CREATE FUNCTION, CREATE PROCEDURE and CREATE TRIGGER: code that the server runs sees ciphertext.

Code that names a protected table is refused, unless the policy trusts the function, or the block by its text.
A function that puts SQL together is let through, as it does nothing by itself; a DO block that does has to be
provably harmless, or trusted.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass

from policy.server_code import (
    READABLE,
    TRUSTED,
    in_any_spelling,
    joined,
    may_change_search_path,
    mentions,
    row_columns,
)
from proxy.errors import Refused
from proxy.sql.code import Code, Named, Unreadable, read_nodes, read_plpgsql, read_sql
from proxy.sql.context import Context, descendants, refuse_statement
from proxy.sql.definitions import changes
from proxy.sql.dynamic import harmless
from proxy.sql.expressions import condition
from proxy.sql.parse import Node, ast
from proxy.sql.scope import Scope, Source

_RUNS_SQL = re.compile(r"(?i)\bexecute\b")
_MESSAGE = "code that names a protected table cannot be proved safe"
_OPAQUE = "The bodies of DO and of functions run in the server, where pgveil cannot encrypt their values."


@dataclass(frozen=True, slots=True)
class _Trust:
    """How the policy can be made to trust what was refused."""

    hint: str
    detail: str = ""


_FUNCTION = _Trust(
    "Name the function under trusted_functions in the policy, or create it on the server directly;"
    " inside it, protected columns hold ciphertext."
)


def do_block(context: Context, node: Node) -> None:
    """DO: refused if it names a protected table, or may, and the policy does not trust it."""
    options = {option.defname: option.arg for option in node.args or ()}
    language = options["language"].sval.lower() if "language" in options else "plpgsql"
    digest = hashlib.sha256(options["as"].sval.encode()).hexdigest() if "as" in options else ""
    if digest in context.binding.policy.trusted_blocks:
        context.look()
        changes(context)
    else:
        trust = _Trust(
            "Name the block under trusted_blocks in the policy, or run it on the server directly;"
            " inside it, protected columns hold ciphertext.",
            f" The block is sha256:{digest}.",
        )
        code = _judge(context, node, language, None, None, trust)
        if code is not None and code.dynamic:
            _require_harmless(context, code, trust)
            changes(context)
    if _may_change_path(context, node.args or (), None):
        context.lose_search_path()


def create_function(context: Context, node: Node) -> None:
    """CREATE FUNCTION and PROCEDURE: their code runs when they are called."""
    options = {option.defname: option.arg for option in node.options or ()}
    language = options["language"].sval.lower() if "language" in options else "sql"
    if not _trusted(context, [part.sval for part in node.funcname]):
        _judge(context, node, language, node.sql_body, options.get("as"), _FUNCTION)
        _require_same_trigger(context, node, options.get("as"))
    name = node.funcname[-1].sval
    known = name in context.binding.catalog.path_changers
    if (
        known
        or _may_change_path(context, node.options or (), node.sql_body)
        or name in context.listed_functions
    ):
        changes(context, functions=(name,))


def _trusted(context: Context, names: list[str]) -> bool:
    """Whether the policy trusts a function; one without a schema is made in the first of search_path."""
    trusted = context.binding.policy.trusted_functions
    if len(names) > 1:
        schema = names[-2]
    else:
        schemas = context.binding.catalog.schemas
        schema = next((name for name in context.search_path or () if name in schemas), "")
    return ("", names[-1]) in trusted or (schema, names[-1]) in trusted


def _judge(
    context: Context, node: Node, language: str, parsed_body: Node, body: Node, trust: _Trust
) -> Code | None:
    """Refuse code that names a protected table; None for code that is judged by its words."""
    context.look()
    worded = _words_name(context, node)
    texts = [item.sval for item in descendants(node) if isinstance(item, ast.String)]
    if not worded and not any(_RUNS_SQL.search(text) for text in texts):
        return None
    try:
        code = _read(context, node, language, parsed_body, body)
    except Unreadable:
        code = None
    if code is None:
        if worded:
            _refuse(None, trust)
        return None
    for named in code.named:
        if _protected(context, named):
            _refuse(named, trust)
    if any(context.mentions(text) for _, text in code.given) or (code.dynamic and worded):
        _refuse(None, trust)
    return code


def _read(context: Context, node: Node, language: str, parsed_body: Node, body: Node) -> Code:
    if parsed_body is not None:
        return read_nodes(parsed_body)
    if language == "plpgsql" and (text := context.parsed.text_of(node)) is not None:
        return read_plpgsql(text)
    if language == "sql" and body is not None:
        return read_sql("".join(item.sval for item in descendants(body) if isinstance(item, ast.String)))
    raise Unreadable


def _words_name(context: Context, node: Node) -> bool:
    """Whether the text may name a protected table, or put its name together from literals."""
    bodies = [item.sval for item in descendants(node) if isinstance(item, ast.String)]

    def named(text: str) -> bool:
        return context.mentions(text) or context.mentions(joined(text))

    text = context.parsed.text_of(node) or context.parsed.text
    return any(in_any_spelling(text, named) for text in (text, *bodies))


def _protected(context: Context, named: Named) -> bool:
    """Whether a name in code may mean a protected table, or a view of one; search_path is the caller's."""
    if not named.schema:
        return context.mentions(named.name)
    if (named.schema, named.name) in context.binding.policy.tables:
        return True
    relation = context.binding.catalog.lookup(named.schema, named.name)
    if relation is None or relation.kind in "vm":
        return context.mentions(named.name)
    return bool(context.binding.of(relation))


def _refuse(named: Named | None, trust: _Trust) -> None:
    where = ""
    if named is not None:
        name = f"{named.schema}.{named.name}" if named.schema else named.name
        where = f'Line {named.line} of its body names "{name}". '
    refuse_statement(_MESSAGE, trust.hint, where + _OPAQUE + trust.detail)


def _require_harmless(context: Context, code: Code, trust: _Trust) -> None:
    """A DO block runs at once: SQL that it puts together may write to any table."""
    policy = context.binding.policy
    columns = {field.column for field in policy.fields()}
    for line, node in code.dynamic:
        if policy.tables and not harmless(node, columns):
            raise Refused(
                "DO with EXECUTE of SQL that is put together cannot be proved safe",
                detail=f"Line {line} of its body runs SQL that may name any table, a protected one too."
                + trust.detail,
                hint="Send the statements themselves, or name the block under trusted_blocks in the policy."
                " GRANT, DROP, CREATE INDEX and such are let through if names are put in by format('%I').",
            )


# --- triggers --------------------------------------------------------------------------------------------


def trigger(context: Context, node: Node) -> None:
    """CREATE TRIGGER: its function sees ciphertext; its WHEN may not look at a protected value."""
    changes(context)
    relation = context.relation(node.relation)
    if relation is None:
        return
    context.all_columns(relation)
    columns = context.columns(relation)
    protected = {name for name, value in columns if value.protected}
    _require_untouched(context, node, protected)
    if node.whenClause is not None:
        rows = [Source(name, columns, relation=relation) for name in ("old", "new")]
        scope = Scope(sources=rows)
        condition(context, scope, node.whenClause, "a trigger's WHEN")


def _require_untouched(context: Context, node: Node, protected: set[str]) -> None:
    """A trigger's function may not read or write a protected column, unless the policy trusts it."""
    names = [part.sval for part in node.funcname]
    if not protected or _trusted(context, names):
        return
    used = {argument.sval for argument in node.args or ()}
    for body in context.binding.catalog.trigger_code.get(names[-1], ()):
        used |= {column for column, _ in row_columns(body)}
    _refuse_columns(names[-1], used & protected)
    context.called(names[-1])


def _refuse_columns(function: str, columns: set[str]) -> None:
    for name in sorted(columns):
        refuse_statement(
            f'the function {function}() of a trigger uses protected column "{name}"',
            "Leave the column to the application, or name the function under trusted_functions: it sees"
            f" ciphertext, and must not write {name}.",
        )


def _require_same_trigger(context: Context, node: Node, body: Node) -> None:
    """A function that is replaced may be that of a trigger of a protected table already."""
    name = node.funcname[-1].sval
    texts = [item.sval for item in descendants(body) if isinstance(item, ast.String)]
    used = {column for text in texts for column, _ in row_columns(text)}
    for oid, bound in context.binding.columns.items() if used else ():
        triggers = [d for d in context.binding.catalog.relations[oid].dependents if d.kind == "trigger"]
        if any(f"{name}(" in d.definition.replace('"', "") for d in triggers):
            _refuse_columns(name, used & bound.keys())


def _may_change_path(context: Context, options: Iterable[Node], parsed_body: Node) -> bool:
    """Whether the code of a function or DO block may leave another search_path behind."""
    given = {option.defname: option.arg for option in options}
    language = given["language"].sval.lower() if "language" in given else "plpgsql"
    if language in TRUSTED:
        return False
    if language not in READABLE:
        return True
    words = [item.sval for item in descendants(given.get("as")) if isinstance(item, ast.String)]
    for item in descendants(parsed_body):
        if isinstance(item, ast.FuncCall):
            words.append(item.funcname[-1].sval)
        elif isinstance(item, ast.RangeVar):
            words.append(item.relname)
    body = "\n".join(words)
    return may_change_search_path(body) or mentions(body, context.binding.catalog.path_changers)
