"""What the two directions of a session share: the server's settings, names, expected replies, output."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from crypto.keyring import Keyring
from proxy.errors import AuditUnavailable, Contradiction, ServerError
from proxy.openers import Openers
from proxy.protector import Protector
from proxy.session.copy import CopyTransformer
from proxy.session.events import SecurityEvent, event_of
from proxy.session.inquiry import Answer, Inquiry
from proxy.session.names import Names
from proxy.session.replies import SYNC, Replies
from proxy.session.requests import Request
from proxy.session.script import Script
from proxy.session.search_path import SearchPath
from proxy.session.startup_options import initial_search_path
from proxy.session.uncommitted import Uncommitted
from proxy.sql.analysis import SessionView
from proxy.sql.plan import CatalogChange, Results, TextPlan
from proxy.sql.planner import Planner
from proxy.sql.search_path import effective, parse_search_path
from proxy.values import Settings, python_encoding
from proxy.wire.backend import ErrorResponse
from proxy.wire.frames import LARGE

Resume = Callable[[ServerError | None], None]


@dataclass(frozen=True, slots=True)
class SessionContext:
    """What a session is given: where plans and keys come from, and how it was started.

    `planner` and `keyring` give the current snapshots. `parameters` are those of the StartupMessage.
    `objection` is the error that work with protected fields has to get now, if there is one.
    """

    planner: Callable[[], Planner]
    keyring: Callable[[], Keyring]
    user: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    max_message_size: int = LARGE
    objection: Callable[[], AuditUnavailable | None] = lambda: None


class State:
    """The shared state of the two directions, `Frontend` and `Backend`."""

    def __init__(self, context: SessionContext) -> None:
        self.context = context
        self.to_frontend: list[bytes] = []
        self.to_backend: list[bytes] = []
        self.replies: Replies = deque([SYNC])  # the first ReadyForQuery comes unasked
        self.names = Names()
        self.status = ord("I")  # of the transaction, as ReadyForQuery says, or what has ended it since
        self.requests: deque[tuple[Request, Resume]] = deque()  # the first one is being done
        self.events: list[SecurityEvent] = []  # for the audit trail
        self.closing = False
        self.announce_ddl = False
        self.spoiled = (
            False  # a value did not open: the client was told of an error that the server knows not
        )
        self.unsettled = False  # something has to be done when the transaction ends
        self.failed = False  # an error since the last ReadyForQuery
        self.skipping = False  # the server ignores messages up to the next Sync
        self.barrier = False  # replies are outstanding that change what the next statement means
        self.catalog_changed = False  # DDL was committed that no snapshot has
        self.planner = (
            context.planner
        )  # or of the session's own, while the open transaction has DDL of its own
        self.uncommitted: Uncommitted | None = None  # that DDL
        self.temporary: frozenset[str] = (
            frozenset()
        )  # names of temporary tables, as far as they were asked for
        self.unseen = False  # it has to be asked for (inquiry.py)
        self.inquiry: Inquiry | None = None  # which is being answered
        self.script: Script | None = None  # the simple query that is being sent in parts
        self.owes_ready = False  # the simple query that waited for it has failed with it
        self.copy_in: CopyTransformer | None = None
        self.copy_skipped = 0  # rows of the COPY at hand that ON_ERROR ignore has left out here
        self.copy_mode: int | None = None  # type byte of the CopyResponse while a COPY is open
        self.taking_copy = False  # between CopyInResponse (or CopyBothResponse) and CopyDone or CopyFail
        self.encoding_known = True
        self.utf8 = True  # the client's encoding is UTF-8
        self._reported = {"DateStyle": "ISO, MDY", "IntervalStyle": "postgres", "TimeZone": "UTC"}
        self._settings = Settings("utf-8", "ISO, MDY", "postgres", "UTC")
        self._protector: Protector | None = None
        self._openers: Openers | None = None
        self._view: SessionView | None = None
        self._view_version = -1  # of the search_path that the view was made of
        self.backslash_quotes = False  # standard_conforming_strings is off
        catalog = context.planner().binding.catalog
        wanted = initial_search_path(context.parameters) or catalog.search_path(context.user)
        self.search_path = SearchPath(parse_search_path(wanted))

    # --- settings ---------------------------------------------------------------------------------------

    def parameter_status(self, name: str, value: str) -> None:
        """A setting that the server reports."""
        if name == "standard_conforming_strings":
            self.backslash_quotes = value == "off"
            return
        if name == "search_path":
            self.search_path.report(parse_search_path(value))
            return
        if name == "client_encoding":
            encoding = python_encoding(value)
            self.encoding_known = encoding is not None
            self.utf8 = encoding == "utf-8"
            name, value = "encoding", encoding or "ascii"  # what all encodings have in common
        elif name not in self._reported:
            return
        self._reported[name] = value
        reported = self._reported
        self._settings = Settings(
            reported.get("encoding", "utf-8"),
            reported["DateStyle"],
            reported["IntervalStyle"],
            reported["TimeZone"],
        )
        self._protector = self._openers = None

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def protector(self) -> Protector:
        """For the current keys and settings; made anew when either changes."""
        keyring = self.context.keyring()
        if self._protector is None or self._protector.keyring is not keyring:
            self._protector = Protector(keyring, self._settings)
        return self._protector

    @property
    def openers(self) -> Openers:
        """The same, for what is opened."""
        keyring = self.context.keyring()
        if self._openers is None or self._openers.keyring is not keyring:
            self._openers = Openers(keyring, self._settings)
        return self._openers

    def end_of_transaction(self) -> None:
        """ReadyForQuery says idle: what an implicit transaction has set is kept, unless it failed."""
        self.search_path.end(committed=not self.failed)
        self.spoiled = (
            False  # a value did not open: the client was told of an error that the server knows not
        )
        self.failed = False
        self.end_of_changes()
        if not self.replies:
            self.names.end_of_transaction()
        self.unsettled = bool(self.replies)  # then portals stay until the last of them has come

    # --- the catalogue ----------------------------------------------------------------------------------

    def change_catalog(self, change: CatalogChange) -> None:
        """DDL has gone by, or some of the open transaction's was undone: it is not known any more."""
        self._own().change(change)

    def ask_for(self, names: Iterable[str]) -> None:
        """The open transaction may have made relations of these names, whoever has done it."""
        self._own().ask_for(names)

    def _own(self) -> Uncommitted:
        if self.uncommitted is None:
            self.uncommitted = Uncommitted()
            self.planner = self._own_planner
        self.unseen = self.unsettled = True
        return self.uncommitted

    def catalog_seen(self, answer: Answer) -> None:
        """The server has said what the open transaction sees."""
        if self.uncommitted is not None:
            self.uncommitted.answered(answer)
        self.temporary |= answer.temporary
        self.unseen = False

    def _own_planner(self) -> Planner:
        shared = self.context.planner()
        return self.uncommitted.planner(shared) if self.uncommitted is not None else shared

    def end_of_changes(self) -> None:
        """The open transaction is over: what it has done to the catalogue is to be read by everybody."""
        if self.uncommitted is not None:
            if self.uncommitted.changed:
                self.catalog_changed = self.announce_ddl = True
            self.uncommitted, self.unseen = None, False
            self._view = None  # statements were planned for what may have changed, whoever notices it when
            self.planner = self.context.planner

    def view(self) -> SessionView:
        """What a plan may ask of this session. It stays the same object while nothing in it changes."""
        path, view = self.search_path, self._view
        if view is not None and self._view_version == path.version and view.unseen is self.unseen:
            return view
        self._view_version = path.version
        view = self._view = SessionView(
            None if path.value is None else effective(path.value, self.context.user),
            self._prepared,
            self._cursor,
            self.unseen,
            path.uncommitted,
        )
        return view

    def _cursor(self, name: str) -> Results | None:
        portal = self.names.portal(name.encode())
        return portal.results if portal is not None else None

    def _prepared(self, name: str) -> TextPlan | None:
        """The plan of an SQL EXECUTE's statement. Raises Refused where it is out of date."""
        statement = self.names.statements.get(name.encode())
        if statement is None:
            return None
        planner, view = self.planner(), self.view()
        if not statement.confirmed(planner, view):
            statement.confirm(planner.plan(statement.sql, view, final=True).plan, planner, view)
        return statement.plan

    def end_copy(self) -> None:
        """No COPY is open any more."""
        self.copy_mode = self.copy_in = None
        self.copy_skipped = 0
        self.taking_copy = False

    def ask(self, request: Request, resume: Resume) -> None:
        """Have the shell do something, and `resume` called (with the error, if it failed) when it is done."""
        self.requests.append((request, resume))

    # --- errors -----------------------------------------------------------------------------------------

    def note(self, error: ServerError) -> None:
        """Have the audit trail told of an error, if that is of concern to it."""
        if (event := event_of(error)) is not None:
            self.events.append(event)

    def require_trail(self, plan: TextPlan) -> None:
        """Raise AuditUnavailable where a plan must not be carried out without the audit trail."""
        if plan.protects and (objection := self.context.objection()) is not None:
            raise objection

    def error_response(self, error: ServerError) -> ErrorResponse:
        return ErrorResponse.of(
            error.severity,
            error.sqlstate,
            error.message,
            detail=error.detail,
            hint=error.hint,
            position=error.position,
            context=error.context,
            routine=error.routine,
            encoding=self._settings.encoding,
        )

    def fail(self, error: ServerError) -> None:
        """End the session with a FATAL error."""
        if self.closing:
            return
        if isinstance(error, Contradiction):  # the next session shall not meet it again
            self.announce_ddl = True
        fatal = ServerError(
            error.message,
            sqlstate=error.sqlstate,
            detail=error.detail,
            hint=error.hint,
            severity="FATAL",
        )
        self.to_frontend.append(self.error_response(fatal).pack())
        self.closing = True
