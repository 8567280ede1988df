"""The sessions that are measured without sockets do what real ones do: each case answers as it should."""

from __future__ import annotations

import pytest

from bench.database import POLICY
from bench.memory import World
from bench.sessions import Case, cases, prepare, run

WORLD = World(POLICY)


@pytest.mark.parametrize("case", cases(WORLD), ids=lambda case: case.name)
def test_a_protected_row_comes_back_in_clear_and_any_other_untouched(case: Case) -> None:
    session = prepare(WORLD, case)
    session.frontend_received(case.request)
    sent = b"".join(session.to_backend)
    session.backend_received(case.reply)
    shown = b"".join(session.to_frontend)
    if case.name.startswith("unprotected"):
        assert (sent, shown) == (case.request, case.reply)
    else:
        assert b"Given Family 4711" not in case.reply
        assert b"Given Family 4711" in shown
    assert (b"pgv1:" in sent) is case.name.startswith("by equality")
    run(session, case, 2)
