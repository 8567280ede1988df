"""Plans for the statements of a session: what has to be known, read or fetched before one can be judged."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum, auto
from typing import NoReturn

from crypto.manager import KeyNeed
from proxy.errors import CatalogLocked, InvalidValue, KeysUnavailable, Refused, ServerError
from proxy.protector import key_need
from proxy.session.inquiry import Inquiry
from proxy.session.names import Statement, Uncertain
from proxy.session.requests import FetchKeys, RefreshCatalog
from proxy.session.results import require_copies
from proxy.session.state import Resume, State
from proxy.sql.analysis import UNKNOWN
from proxy.sql.context import UnknownRelations, Unseen
from proxy.sql.plan import Widths
from proxy.sql.planner import Planned
from proxy.sql.render import render

_IDLE = ord("I")
_IN_TRANSACTION = ord("T")
_FAILED = ord("E")


class _Errand(Enum):
    CATALOG = auto()
    INQUIRY = auto()


class Wait(Exception):
    """The message cannot be judged before outstanding replies, or an errand of the shell, are done.

    `flush`: the server has to be made to answer. `inquiry`: what it has to be asked.
    `taken`: the message itself is done with; what is behind it waits.
    """

    def __init__(self, *, flush: bool = False, inquiry: Inquiry | None = None, taken: bool = False) -> None:
        super().__init__("wait")
        self.flush = flush
        self.taken = taken
        self.inquiry = inquiry


class Planning:
    """Plans the statements of one session. `resume` is called when an errand is done."""

    def __init__(self, state: State, resume: Resume) -> None:
        self._state = state
        self._resume = resume
        self._read_again = False  # the catalogue, for the statement at hand
        self._looked_for: frozenset[str] = frozenset()  # or only these names in it
        # what was asked for, for the message at hand: keys, the catalogue, what the open transaction has made
        self.asked: set[KeyNeed | _Errand] = set()
        self.error: ServerError | None = None  # of the errand for the message at hand
        self._locked: CatalogLocked | None = None  # the same, where the transaction itself was asked instead

    def plan(self, text: bytes) -> Planned:
        """The plan of a statement text. Raises Wait, or the ServerError that refuses it."""
        state = self._state
        if state.barrier and state.replies:
            raise Wait(flush=True)
        planner = state.planner()
        if state.catalog_changed and not state.replies and planner.binding.policy.protects:
            self._read_catalog(None)
        if self.error is not None:
            self._look_within()
            self._raise_error()
        encoded = text if state.utf8 and text.isascii() else self._utf8(text)
        if encoded is None:
            if planner.mentions(text.decode("latin-1")):
                raise InvalidValue("the statement is not in the client's encoding", sqlstate="22021")
            if state.unseen:
                self._ask(Unseen())
            return Planned(UNKNOWN)
        if state.unseen and state.backslash_quotes and b"\\" in encoded:
            self._ask(Unseen())
        if state.backslash_quotes and b"\\" in encoded and planner.mentions_bytes(encoded):
            raise Refused(
                "a backslash in a statement on protected tables, while standard_conforming_strings is off",
                hint="SET standard_conforming_strings = on",
            )
        final, self._read_again = self._read_again, False
        looked_for, self._looked_for = self._looked_for, frozenset()
        try:
            planned = planner.plan(encoded, state.view(), final=final, looked_for=looked_for)
            if looked_for:
                self._ask_for(looked_for)
                self._require_no_function(looked_for)
            if not planned.plan.plain:
                require_copies(state, planned.plan)
                state.require_trail(planned.plan)
            return planned
        except UnknownRelations as unknown:
            # what was looked for may bring up more, where somebody else has had it read meanwhile
            self._looked_for = looked_for | unknown.names
            self._read_catalog(unknown.names or None)
        except Unseen as unseen:
            self._ask(unseen)
        except Uncertain:
            raise Wait(flush=True) from None

    def confirm(self, statement: Statement) -> None:
        """Make sure that a prepared statement still means what it did. Raises Wait, or Refused if not."""
        planner, view = self._state.planner(), self._state.view()
        if not statement.confirmed(planner, view):
            statement.confirm(self.plan(statement.sql).plan, planner, view)

    def rendered(self, planned: Planned) -> tuple[bytes, Callable[[], Widths]] | None:
        """The text for the server, and what gives the widths of its parts; None where it goes as it came.

        The keys of every field that the plan writes are there before anything of it is sent. Raises Wait.
        """
        keyring = self._state.context.keyring()
        for field in planned.plan.writes:
            if keyring.active(field.field.key_name, field.field.algorithm) is None:
                self.fetch_key(key_need(field))
        if planned.plan.template is None:
            return None
        text, widths = render(planned, self._state.protector.seal_literal)
        return text.encode(self._state.settings.encoding), widths

    def fetch_key(self, need: KeyNeed) -> NoReturn:
        """Have a key made. Raises Wait, or ServerError where that has failed."""
        self._raise_error()
        if need in self.asked:
            raise KeysUnavailable(f'there is no key for "{need.name}"')
        self.asked.add(need)
        self._state.ask(FetchKeys((need,)), self._resume)
        raise Wait

    def done(self) -> None:
        """The message at hand is done, or skipped: what was read for it counts for no other."""
        self.asked.clear()
        self.error = self._locked = None
        self._read_again, self._looked_for = False, frozenset()

    def _look_within(self) -> None:
        """Who has locked the catalogue may wait for this transaction: so it is asked itself. Raises Wait.

        It sees all relations of the names that were looked for; of functions only that there are some.
        """
        error = self.error
        if isinstance(error, CatalogLocked) and self._looked_for and self._state.status == _IN_TRANSACTION:
            self._locked, self.error = error, None
            self._ask_for(self._looked_for)

    def _require_no_function(self, names: frozenset[str]) -> None:
        """A function that nobody knows may do anything. Raises CatalogLocked."""
        uncommitted = self._state.uncommitted
        if self._locked is not None and uncommitted is not None and uncommitted.functions & names:
            raise self._locked

    def _raise_error(self) -> None:
        if self.error is not None:
            error, self.error = self.error, None
            self._read_again, self._looked_for = False, frozenset()
            raise error

    def _read_catalog(self, names: frozenset[str] | None) -> NoReturn:
        self.asked.add(_Errand.CATALOG)
        self._locked = None
        patient = self._state.status == _IDLE and self._state.uncommitted is None
        self._state.ask(RefreshCatalog(names, patient), self._resume)
        self._state.catalog_changed = False
        self._read_again = names is None
        raise Wait

    def _ask(self, unseen: Unseen) -> NoReturn:
        """Have the server say what the transaction sees. Raises Wait, or what is given if that is known."""
        state = self._state
        if state.replies:
            raise Wait(flush=True)
        uncommitted = state.uncommitted
        if state.status == _FAILED or (uncommitted is None and state.status == _IDLE):
            raise unseen  # it is not done, or has been read from the committed catalogue
        if _Errand.INQUIRY in self.asked:
            raise unseen
        self.asked.add(_Errand.INQUIRY)
        if uncommitted is None or uncommitted.seen:  # a function, say, may have made it since
            state.ask_for(())
        assert state.uncommitted is not None
        raise Wait(inquiry=Inquiry(state.uncommitted.names))

    def _ask_for(self, names: frozenset[str]) -> None:
        """Nobody knows these: a function, say, has made them in the open transaction. Raises Wait.

        Temporary tables are asked for once in a session, everything else once in a transaction.
        """
        state = self._state
        looked_for, names = names, names - state.temporary
        known = state.uncommitted.names if state.uncommitted is not None else frozenset()
        again = (
            self._locked is not None and _Errand.INQUIRY not in self.asked
        )  # others may have made it since
        if state.status == _IN_TRANSACTION and (again or not names <= known):
            if state.replies:
                raise Wait(flush=True)
            state.ask_for(names)
            self._looked_for = looked_for
            self.asked.discard(_Errand.INQUIRY)  # what was known of: these names are asked for once
            self._ask(Unseen())

    def _utf8(self, text: bytes) -> bytes | None:
        """The text in UTF-8; None where it is not in the client's encoding."""
        encoding = self._state.settings.encoding
        try:
            if not self._state.encoding_known:
                return text if text.isascii() else None
            if encoding == "utf-8":
                if not text.isascii():
                    text.decode()
                return text
            return text.decode(encoding).encode()
        except UnicodeDecodeError:
            return None
