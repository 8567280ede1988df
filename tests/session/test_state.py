"""What a session starts with, and what the server tells it in between."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crypto.keyring import Keyring
from proxy.errors import Refused
from proxy.session.state import SessionContext, State
from proxy.sql.planner import Planner
from tests.session.playbook import KEYS, lines
from tests.sql.world import world


def new_state(keys: list[Keyring] | None = None, **parameters: str) -> State:
    planner = Planner(world())
    keyrings = keys or [KEYS]
    return State(SessionContext(lambda: planner, lambda: keyrings[-1], "app", parameters))


def test_search_path_is_the_servers_unless_the_client_asks() -> None:
    assert new_state().view().search_path == ("app", "public")
    assert new_state(search_path="audit, public").view().search_path == ("audit", "public")
    assert new_state(options="-c search_path=archive").view().search_path == ("archive",)


def test_a_roles_own_search_path() -> None:
    binding = world()
    settings = {("app", ""): "audit", ("", "app"): "archive"}
    catalog = replace(binding.catalog, role_settings=settings)
    planner = Planner(replace(binding, catalog=catalog))
    for user, path in {"app": ("audit",), "other": ("archive",)}.items():
        state = State(SessionContext(lambda: planner, lambda: KEYS, user))
        assert state.view().search_path == path


@pytest.mark.parametrize(
    ("name", "value", "attribute", "expected"),
    [
        ("client_encoding", "LATIN1", "encoding", "latin-1"),
        ("client_encoding", "WIN1252", "encoding", "cp1252"),
        ("DateStyle", "German, DMY", "date_style", "German, DMY"),
        ("IntervalStyle", "iso_8601", "interval_style", "iso_8601"),
        ("TimeZone", "Europe/Berlin", "time_zone", "Europe/Berlin"),
    ],
)
def test_settings_that_the_server_reports(name: str, value: str, attribute: str, expected: str) -> None:
    import codecs

    state = new_state()
    before = state.protector
    state.parameter_status(name, value)
    found = getattr(state.settings, attribute)
    assert found == expected or codecs.lookup(found).name == codecs.lookup(expected).name
    assert state.protector is not before


def test_other_settings_change_nothing() -> None:
    state = new_state()
    before = state.protector, state.settings
    for name in ("application_name", "server_version", "is_superuser", "in_hot_standby"):
        state.parameter_status(name, "x")
    assert (state.protector, state.settings) == before


def test_an_encoding_that_python_does_not_know() -> None:
    state = new_state()
    state.parameter_status("client_encoding", "MULE_INTERNAL")
    assert not state.encoding_known
    state.parameter_status("client_encoding", "UTF8")
    assert state.encoding_known


def test_search_path_is_reported_by_new_servers() -> None:
    state = new_state()
    state.parameter_status("search_path", '"$user", audit')
    assert state.view().search_path == ("app", "audit")


def test_backslashes_may_quote() -> None:
    state = new_state()
    assert not state.backslash_quotes
    state.parameter_status("standard_conforming_strings", "off")
    assert state.backslash_quotes
    state.parameter_status("standard_conforming_strings", "on")
    assert not state.backslash_quotes


def test_new_keys_make_a_new_protector() -> None:
    keys = [Keyring(())]
    state = new_state(keys)
    empty = state.protector
    assert state.protector is empty
    keys.append(KEYS)
    assert state.protector is not empty
    assert state.protector.keyring is KEYS


def test_errors_are_told_in_the_clients_encoding() -> None:
    state = new_state()
    state.parameter_status("client_encoding", "LATIN1")
    data = state.error_response(Refused("naïve 漢", hint="é")).pack()
    assert b"na\xefve ?" in data
    assert b"H\xe9\0" in data


def test_a_session_fails_once() -> None:
    state = new_state()
    state.fail(Refused("first", hint="a hint"))
    state.fail(Refused("second"))
    assert state.closing
    assert lines(b"".join(state.to_frontend), to_server=False) == ["FATAL 0A000: first"]


def test_the_end_of_a_failed_transaction_takes_settings_back() -> None:
    state = new_state()
    state.replies.clear()
    state.search_path.set(("audit",))
    state.failed = True
    state.end_of_transaction()
    assert state.view().search_path == ("app", "public")
    assert not state.failed
