"""DEFAULTs that are ciphertext: how the catalogue shows them, and where a statement may read that."""

from __future__ import annotations

import re

from policy.binding import Binding
from policy.storage import SEALED_LITERAL
from proxy.sql.parse import Node, ast
from proxy.sql.plan import DefaultText, ResultColumn, Results, Shape

_READS = re.compile(r"(?i)\b(?:pg_attrdef|columns)\b")


class DefaultTexts:
    """The ciphertext DEFAULTs of one binding."""

    def __init__(self, binding: Binding) -> None:
        texts = tuple(_texts(binding))
        column = ResultColumn((), Shape.DEFAULT, None, defaults=texts)
        self._results = Results((), gap=0, rest=column) if texts else None

    def results(self, node: Node, text: str) -> Results | None:
        """The results of a statement that shows no field and may show a DEFAULT; None for any other."""
        if self._results is None or not isinstance(node, ast.SelectStmt) or _READS.search(text) is None:
            return None
        return self._results


def _texts(binding: Binding) -> list[DefaultText]:
    found = []
    for oid, fields in binding.fields.items():
        for column in binding.catalog.relations[oid].columns:
            bound = fields.get(column.number)
            if bound is None or (match := SEALED_LITERAL.search(column.default or "")) is None:
                continue
            text = match.string
            found.append(DefaultText(bound, text[: match.start()], match[1], text[match.end() :], text))
    return found
