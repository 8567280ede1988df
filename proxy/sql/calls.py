"""Calls of functions that the policy names: their arguments are sealed, their results are fields' values.

A function that gives rows of a table with protected columns gives protected columns, also where the policy
does not name it. Where several functions of one name disagree about an argument or a result, it is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from policy.binding import BoundField
from policy.catalog import Parameter, Signature
from policy.model import Field, FunctionFields
from proxy.sql.context import Context, descendants, refuse_statement
from proxy.sql.parse import Node, ast
from proxy.sql.plan import Record, Use
from proxy.sql.scope import Columns, Scope
from proxy.sql.unify import fit
from proxy.sql.value import HINTS, PLAIN, Open, Value, refuse, require_plain

Infer = Callable[[Context, Scope, Node], Value]
_Target = Field | Mapping[str, Field]
_OPEN = (ast.ParamRef, ast.A_Const)
# Give a function another name, or an operator, a cast or an aggregate that calls it.
_OTHER_NAMES = (ast.AlterObjectSchemaStmt, ast.CreateCastStmt, ast.DefineStmt, ast.RenameStmt)
# PostgreSQL's own functions that show a row of any type.
_OF_ANY_ROW = frozenset({"any_value", "concat", "max", "min", "quote_literal", "quote_nullable"}) | {
    *("array_agg", "json_agg", "json_agg_strict", "json_build_array", "row_to_json", "to_json", "record_out"),
    *("jsonb_agg", "jsonb_agg_strict", "jsonb_build_array", "to_jsonb", "record_send"),
}


class Call:
    """One call of a function that the policy names, or that gives rows of a relation."""

    def __init__(self, context: Context, node: Node) -> None:
        names = [part.sval for part in node.funcname]
        self.name = ".".join(names)
        self._context = context
        self._node = node
        self._arguments: tuple[Node, ...] = node.args or ()
        schema = names[-2] if len(names) > 1 else None
        listed = context.binding.policy.functions
        self.listed = [f for f in listed.values() if f.name == names[-1] and schema in (None, f.schema)]
        of_name = context.binding.catalog.signatures.get(names[-1], ())
        if self.listed and names[-1] in context.changed:  # which parameters it has by now is not known
            of_name = ()
        reachable = [s for s in of_name if schema in (None, s.schema)]
        # where none fits by its number of parameters, one may be variadic
        self.signatures = [s for s in reachable if len(self._arguments) <= len(s.parameters)] or reachable

    @property
    def concerns(self) -> bool:
        return bool(self.listed or self.signatures)

    # --- arguments --------------------------------------------------------------------------------------

    def arguments(self, scope: Scope, infer: Infer) -> None:
        """Judge the arguments: those of fields are sealed, the others have to be plain."""
        self._context.judged_calls.add(self._node.location)
        for i, argument in enumerate(self._arguments):
            target, parameter = self._target(i, argument)
            value_node = argument.arg if isinstance(argument, ast.NamedArgExpr) else argument
            construct = f"the argument {parameter.name or i + 1} of {self.name}()"
            if target is None:
                value = infer(self._context, scope, value_node)
                require_plain(value, f"the function {self.name}()")
            elif isinstance(target, Field):
                field = self._bound(target)
                value = infer(self._context, scope, value_node)
                fit(value, field, self._context.roles, construct, use=Use.STORED, alone=_alone(value_node))
            else:
                self._composite(scope, value_node, target, parameter, construct, infer)

    def _target(self, place: int, argument: Node) -> tuple[_Target | None, Parameter]:
        """What the policy says of an argument. Raises Refused where it cannot be told."""
        known = max((len(s.parameters) for s in self.signatures), default=len(self._arguments))
        if self.listed and (self._node.func_variadic or place >= known):
            self.refuse("VARIADIC in its call", "Write the arguments one by one.")
        found: list[tuple[_Target | None, Parameter]] = []
        for function in self.listed:
            signatures = [s for s in self.signatures if s.schema == function.schema]
            found += [_by_signature(function, s, place, argument) for s in signatures]
            if not signatures:
                found.append(self._by_policy(function, place, argument))
        if self.listed and self._others():
            found.append((None, Parameter("")))
        targets = [target for target, _ in found]
        if any(target != targets[0] for target in targets):
            self.refuse("functions of one name that differ in the argument", "Write the function's schema.")
        return found[0] if found else (None, Parameter(""))

    def _others(self) -> list[Signature]:
        """Functions of the name that the policy does not mean, and that the call may reach."""
        schemas = {function.schema for function in self.listed}
        path = self._context.search_path
        qualified = len(self._node.funcname) > 1
        return [
            s
            for s in self.signatures
            if s.schema not in schemas and (qualified or path is None or s.schema in path)
        ]

    def _by_policy(
        self, function: FunctionFields, place: int, argument: Node
    ) -> tuple[_Target | None, Parameter]:
        """Without a signature only what the policy and the call name alike can be matched."""
        key = argument.name if isinstance(argument, ast.NamedArgExpr) else str(place + 1)
        by_name = [name for name in function.args if not name.isdigit()]
        if key.isdigit() and by_name:
            self.refuse(
                "arguments by position, while no function of this name and number of arguments is known",
                f"Write {by_name[0]} => … for the argument, or its position into the policy.",
            )
        return function.args.get(key), Parameter(key)

    def _composite(
        self,
        scope: Scope,
        node: Node,
        fields: Mapping[str, Field],
        parameter: Parameter,
        construct: str,
        infer: Infer,
    ) -> None:
        """A composite value, or an array of them: as one parameter or literal, or as ROW()."""
        members = tuple(self._member(name, field, parameter) for name, field in fields.items())
        inner = _without_casts(node)
        if isinstance(inner, ast.A_Const) and inner.isnull:
            return
        if isinstance(inner, _OPEN):
            record = Record(tuple(sorted(members, key=lambda member: member[0])))
            self._context.roles.assign_record(_open(self._context, inner), record, parameter.array, construct)
            return
        rows = inner.elements or () if isinstance(inner, ast.A_ArrayExpr) else (inner,)
        for row in rows:
            self._row(scope, _without_casts(row), dict(members), construct, infer)

    def _row(
        self, scope: Scope, row: Node, members: Mapping[int, BoundField], construct: str, infer: Infer
    ) -> None:
        if not isinstance(row, ast.RowExpr):
            refuse(next(iter(members.values())), f"an expression in {construct}", HINTS["value"])
        for i, item in enumerate(row.args or ()):
            value = infer(self._context, scope, item)
            if i in members:
                roles = self._context.roles
                fit(value, members[i], roles, construct, use=Use.STORED, alone=_alone(item))
            else:
                require_plain(value, construct)

    def _member(self, name: str, field: Field, parameter: Parameter) -> tuple[int, BoundField]:
        """The index of an attribute, and its field."""
        if name in parameter.attributes:
            return parameter.attributes.index(name), self._bound(field)
        if name.isdigit() and int(name) > 0:
            return int(name) - 1, self._bound(field)
        self.refuse(f"an argument without the attribute {name!r}", "Correct the policy: see pgveil check.")
        raise AssertionError

    # --- results ----------------------------------------------------------------------------------------

    def columns(self) -> Columns | None:
        """The columns of the result as FROM shows them; None for a scalar or what is not known."""
        found = [columns for columns in self._results() if columns is not None]
        if not found:
            return None
        if any(columns != found[0] for columns in found):
            self.refuse("functions of one name that differ in their results", "Write the function's schema.")
        return found[0]

    def _results(self) -> Iterator[Columns | None]:
        for signature in self.signatures:
            function = next((f for f in self.listed if f.schema == signature.schema), None)
            relation = self._context.binding.catalog.relations.get(signature.returns)
            if relation is not None:
                yield None if signature.array else self._context.columns(relation)
            elif function is not None and isinstance(function.returns, Mapping):
                returns = function.returns
                yield [
                    (name, Value(field=self._bound(returns[name])) if name in returns else PLAIN)
                    for name in signature.columns
                ]
            else:
                yield None
        if not self.signatures and any(isinstance(f.returns, Mapping) for f in self.listed):
            self.refuse("results of a function that is not known", "Create the function first.")

    def value(self) -> Value:
        """The result as an expression."""
        scalars = [f.returns for f in self.listed if f.returns is not None and isinstance(f.returns, Field)]
        if scalars:
            if (
                self._others()
                or len(scalars) != len(self.listed)
                or any(field != scalars[0] for field in scalars)
            ):
                self.refuse("functions of one name that differ in their results", "Write the schema.")
            return Value(field=self._bound(scalars[0]))
        if any(signature.array for signature in self.signatures):
            self._refuse_rows()
        columns = self.columns()
        if columns is None or not any(value.protected for _, value in columns):
            return PLAIN
        return columns[0][1] if len(columns) == 1 else Value(row=tuple(columns))

    def _refuse_rows(self) -> None:
        for signature in self.signatures:
            relation = self._context.binding.catalog.relations.get(signature.returns)
            for _, value in self._context.columns(relation) if relation is not None else ():
                require_plain(value, f"the result of {self.name}()", "Return rows, and no array of them.")

    # --- fields -----------------------------------------------------------------------------------------

    def _bound(self, field: Field) -> BoundField:
        catalog = self._context.binding.catalog
        relation = catalog.lookup(field.schema, field.table)
        bound = self._context.binding.of(relation).get(field.column) if relation is not None else None
        if bound is None or bound.problem is not None:
            self.refuse(
                f'values of "{field}", which cannot be stored now',
                "The policy names the field for this function: see pgveil check.",
            )
            raise AssertionError
        self._context.touched.add(bound)
        return bound

    def refuse(self, problem: str, hint: str) -> None:
        """Refuse the call."""
        refuse_statement(f"{self.name}() is named by the policy; not possible are {problem}", hint)


def require_no_call(context: Context, name: str, row: Value) -> None:
    """`row.name`, where that is no column, is name(row): PostgreSQL documentation, 8.16.5."""
    catalog = context.binding.catalog
    given = [catalog.relations.get(signature.returns) for signature in catalog.signatures.get(name, ())]
    columns = [column for relation in given if relation is not None for column in context.columns(relation)]
    listed = any(function.name == name for function in context.binding.policy.functions.values())
    if listed or any(value.protected for _, value in columns):
        refuse_statement(
            f"{name}() called as a column cannot be followed",
            f"Write {name}(…), with the row as its argument.",
        )
    if name in _OF_ANY_ROW:
        require_plain(row, f"the function {name}() called as a column")


def require_all_judged(context: Context) -> None:
    """Refuse calls of functions of the policy whose arguments were not looked at, as in a DEFAULT."""
    names = {function.name for function in context.binding.policy.functions.values()}
    text = context.parsed.text.lower()
    if not any(name.lower() in text for name in names) and 'u&"' not in text:
        return
    statements = [s for s in context.parsed.statements if not isinstance(s, ast.CreateFunctionStmt)]
    for statement in statements:
        if isinstance(statement, _OTHER_NAMES):
            _require_no_other_name(statement, names)
    for node in descendants(tuple(statements)):
        if isinstance(node, ast.FuncCall) and node.funcname[-1].sval in names:
            call = Call(context, node)
            if call.listed and node.location not in context.judged_calls:
                call.refuse("calls inside a definition", "Call it in a statement of its own.")


def _require_no_other_name(statement: Node, names: set[str]) -> None:
    for node in descendants(statement):
        if isinstance(node, ast.String) and node.sval in names:
            refuse_statement(
                f"{node.sval}() is named by the policy; by another name its values would not be protected",
                "Do this on the server directly, and name the new function in the policy.",
            )


def _by_signature(
    function: FunctionFields, signature: Signature, place: int, argument: Node
) -> tuple[_Target | None, Parameter]:
    parameters = signature.parameters
    if isinstance(argument, ast.NamedArgExpr):
        place = next((i for i, p in enumerate(parameters) if p.name == argument.name), -1)
        if place < 0:
            return None, Parameter(argument.name)
    if place >= len(parameters):
        return None, Parameter("")
    parameter = parameters[place]
    args = function.args
    return (args.get(parameter.name) if parameter.name else None) or args.get(str(place + 1)), parameter


def _without_casts(node: Node) -> Node:
    while isinstance(node, ast.TypeCast):
        node = node.arg
    return node


def _alone(node: Node) -> bool:
    return isinstance(node, ast.TypeCast) and isinstance(node.arg, _OPEN)


def _open(context: Context, node: Node) -> Open:
    if isinstance(node, ast.ParamRef):
        return Open(node.location, parameter=node.number)
    return Open(context.parsed.constant_at(node))
