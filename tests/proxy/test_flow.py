"""The flow of a session, with transports that only take notes."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from proxy import flow as flow_module
from proxy.errors import ServerError
from proxy.flow import Flow
from proxy.session.events import SecurityEvent, ValueNotOpened
from tests.passing import PassingSession

TERMINATE = b"X\0\0\0\x04"
READY = b"Z\0\0\0\x05I"


class Transport(asyncio.Transport):
    """Notes what is done to it."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.writes = 0
        self.reading = True
        self.eof = False
        self.closed = False
        self.aborted = False
        self.protocol = asyncio.Protocol()

    def write(self, data: Any) -> None:
        assert not self.closed
        assert not self.eof
        self.written += data
        self.writes += 1

    def write_eof(self) -> None:
        self.eof = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.closed = True

    def abort(self) -> None:
        self.closed = self.aborted = True

    def is_closing(self) -> bool:
        return self.closed

    def pause_reading(self) -> None:
        assert self.reading
        self.reading = False

    def resume_reading(self) -> None:
        assert not self.reading
        self.reading = True

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self.protocol = cast(asyncio.Protocol, protocol)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass


class Stage:
    """A flow between two transports, and what it asked for."""

    def __init__(self) -> None:
        self.session = PassingSession()
        self.frontend, self.backend = Transport(), Transport()
        self.requests: list[Any] = []
        self.granted = asyncio.Event()
        self.error: Exception | None = None
        self.announced = 0
        self.noted: list[SecurityEvent] = []
        self.ended = 0
        self.flow = Flow(
            self.session,
            self.frontend,
            self.backend,
            fulfil=self.fulfil,
            announce=self.announce,
            note=self.noted.append,
            crashed=lambda error: b"crashed: " + type(error).__name__.encode(),
            ended=self.end,
        )

    async def fulfil(self, request: Any) -> None:
        self.requests.append(request)
        await self.granted.wait()
        if self.error is not None:
            raise self.error

    def announce(self) -> None:
        self.announced += 1

    def end(self) -> None:
        self.ended += 1

    def client(self, data: bytes) -> None:
        self.frontend.protocol.data_received(data)

    def server(self, data: bytes) -> None:
        self.backend.protocol.data_received(data)


@pytest.fixture
async def stage() -> Stage:
    stage = Stage()
    stage.flow.start(b"", b"")
    return stage


async def test_events_for_the_audit_trail_are_handed_on_once(stage: Stage) -> None:
    stage.session.events.append(ValueNotOpened("public.users.email", None))
    stage.client(b"now")
    stage.server(b"then")
    assert stage.noted == [ValueNotOpened("public.users.email", None)]


async def test_one_chunk_is_one_write(stage: Stage) -> None:
    stage.session.to_backend += [b"held ", b"before "]
    stage.client(b"now")
    assert (stage.backend.written, stage.backend.writes) == (b"held before now", 1)
    stage.server(b"answer")
    assert (stage.frontend.written, stage.frontend.writes) == (b"answer", 1)


async def test_what_was_read_before_comes_first() -> None:
    stage = Stage()
    stage.flow.start(b"early query", b"late greeting")
    assert stage.backend.written == b"early query"
    assert stage.frontend.written == b"late greeting"


async def test_each_direction_waits_for_its_own_receiver(stage: Stage) -> None:
    stage.backend.protocol.pause_writing()
    assert (stage.frontend.reading, stage.backend.reading) == (False, True)
    stage.frontend.protocol.pause_writing()
    assert (stage.frontend.reading, stage.backend.reading) == (False, False)
    stage.backend.protocol.resume_writing()
    assert (stage.frontend.reading, stage.backend.reading) == (True, False)
    stage.frontend.protocol.resume_writing()
    assert (stage.frontend.reading, stage.backend.reading) == (True, True)


async def test_a_client_that_does_not_read_our_own_answers_is_not_read(stage: Stage) -> None:
    stage.frontend.protocol.pause_writing()
    assert stage.frontend.reading
    stage.session.to_frontend.append(b"refused")
    stage.client(b"query")
    assert not stage.frontend.reading
    stage.frontend.protocol.resume_writing()
    assert stage.frontend.reading


async def test_a_session_that_holds_enough_is_not_fed(stage: Stage) -> None:
    stage.session.reading = False
    stage.client(b"query")
    assert not stage.frontend.reading
    stage.session.reading = True
    stage.server(b"answer")
    assert stage.frontend.reading


async def test_an_errand_is_done_and_the_session_goes_on(stage: Stage) -> None:
    stage.session.request = "catalogue"
    stage.client(b"query")
    await asyncio.sleep(0)
    assert stage.requests == ["catalogue"]
    stage.client(b"more")  # the same request: asked for once
    await asyncio.sleep(0)
    assert stage.requests == ["catalogue"]
    stage.granted.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert stage.session.resumed_with == [None]


async def test_an_errand_that_fails_is_the_sessions_to_tell(stage: Stage) -> None:
    stage.error = ServerError("no")
    stage.granted.set()
    stage.session.request = "keys"
    stage.client(b"query")
    await asyncio.sleep(0.01)
    assert stage.session.resumed_with == [stage.error]


async def test_ddl_is_announced_once(stage: Stage) -> None:
    stage.session.announce_ddl = True
    stage.server(b"ready")
    stage.server(b"ready")
    assert stage.announced == 1


async def test_a_closed_half_is_closed_on_the_other_side_after_what_came_before(stage: Stage) -> None:
    stage.session.request = "catalogue"  # the session still holds what the client sent
    stage.client(b"query")
    assert stage.frontend.protocol.eof_received()
    assert not stage.backend.eof
    stage.granted.set()
    await asyncio.sleep(0.01)
    assert stage.backend.eof
    stage.server(b"answer")
    assert stage.frontend.written == b"answer"
    stage.backend.protocol.eof_received()
    assert stage.frontend.closed
    assert stage.frontend.written == b"answer"


async def test_a_closed_half_stays_open_on_the_other_side_for_what_waits(stage: Stage) -> None:
    stage.session.waiting = True  # for an answer of the server
    stage.client(b"query")
    assert stage.frontend.protocol.eof_received()
    stage.server(b"answer")
    assert not stage.backend.eof
    stage.session.waiting = False
    stage.session.to_backend.append(b"what waited")
    stage.server(b"answer")
    assert stage.backend.written == b"querywhat waited"
    assert stage.backend.eof


async def test_the_client_hears_of_a_server_that_is_gone(stage: Stage) -> None:
    stage.server(b"part of a row")
    stage.backend.protocol.eof_received()
    assert stage.frontend.written.startswith(b"part of a row")
    assert b"C08006\0" in stage.frontend.written
    assert stage.frontend.closed
    assert stage.backend.closed


@pytest.mark.parametrize(
    "last", [b"E\0\0\0\x20SFATAL\0VFATAL\0C57P01\0", b"E\0\0\0\x20SPANIK\0VPANIC\0CXX000\0"]
)
async def test_the_servers_last_words_are_enough(stage: Stage, last: bytes) -> None:
    stage.server(last)
    stage.backend.protocol.eof_received()
    assert stage.frontend.written == last


async def test_after_goodbye_nothing_is_said(stage: Stage) -> None:
    stage.client(b"query" + TERMINATE)
    stage.server(b"answer")
    stage.backend.protocol.connection_lost(None)
    assert stage.frontend.written == b"answer"
    assert stage.frontend.closed


async def test_a_client_that_is_gone_takes_the_server_with_it(stage: Stage) -> None:
    stage.client(b"query")
    stage.frontend.closed = True
    stage.frontend.protocol.connection_lost(ConnectionResetError())
    assert stage.backend.closed
    assert not stage.backend.aborted  # what it had sent is still delivered
    assert stage.ended == 0
    stage.backend.protocol.connection_lost(None)
    assert stage.ended == 1


async def test_an_idle_server_is_told_goodbye(stage: Stage) -> None:
    stage.server(READY)
    stage.flow.shutdown()
    assert stage.backend.written == TERMINATE
    assert b"C57P01\0" in stage.frontend.written


async def test_an_exception_ends_this_session_only(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(data: bytes) -> None:
        raise KeyError(data)

    monkeypatch.setattr(stage.session, "backend_received", broken)
    stage.server(b"a value")
    assert stage.frontend.written == b"crashed: KeyError"
    assert stage.frontend.closed
    assert stage.backend.closed
    stage.server(b"more")  # on its way already: nobody listens
    assert stage.frontend.written == b"crashed: KeyError"


async def test_who_does_not_take_the_last_words_is_dropped(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flow_module, "LINGER", 0.01)
    stage.flow.fail(ServerError("enough"))
    assert not stage.frontend.aborted
    await asyncio.sleep(0.05)
    assert stage.frontend.aborted
    assert stage.backend.aborted


async def test_the_end_comes_once(stage: Stage) -> None:
    stage.flow.abort()
    stage.flow.fail(ServerError("late"))
    stage.flow.shutdown()
    stage.frontend.protocol.connection_lost(None)
    stage.backend.protocol.connection_lost(None)
    assert stage.ended == 1
    assert stage.frontend.written == b""
