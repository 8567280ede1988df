"""The trail of one process: collects what happens, and has it written beside the data path.

Rule 1  `note` never waits, and never fails. What is to be written waits in memory, at most LIMIT records.
Rule 2  Events that are all alike and wait together become one record with a count: a flood is one line.
Rule 3  One batch is written at a time, in a thread of its own, and again until that has succeeded.
Rule 4  What LIMIT has no room for is counted, and the next record that is written says how many are lost.
Rule 5  The trail keeps its own key: that keys are let go of is a thing that it has to be able to say.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, Protocol

from crypto.chain_key import AUDIT, ChainKey
from crypto.errors import CryptoError
from crypto.events import Details, KeyEvent
from crypto.keystore import KeyRecord
from proxy import log
from proxy.audit.chain import ChainKeys, UnknownChainKey
from proxy.audit.record import Entry, Event, Fields, clipped, fields_of, key_fields
from proxy.errors import AuditUnavailable
from proxy.metrics import Metrics

LIMIT = 10_000  # records that wait
BATCH = 1000
GATHER = 0.05  # seconds between two batches, for events that are alike to become one
RETRY = 1.0  # seconds between two tries
STUCK = 5.0  # seconds after which a write that has not ended is taken for a failure
CLOSE = 5.0  # seconds for the last records at the end

_ACTOR = "pgveil"


class Sink(Protocol):
    """Where records go. The methods block; they raise OSError, `write` also UnknownChainKey."""

    def check(self) -> None: ...
    def write(self, entries: Sequence[Entry], keys: ChainKeys) -> None: ...
    def close(self, keys: ChainKeys) -> None: ...


class Keys(Protocol):
    """What a trail needs of the key manager."""

    async def ensure_chain(self, name: str) -> None: ...
    async def refresh(self) -> object: ...
    def chain_keys(self, name: str) -> tuple[ChainKey, ...]: ...


class Trail:
    """`sink` None: nothing is kept. `origin` is what every record has: who writes it.

    `refuses`: whether work with protected fields is refused while the trail cannot be written (the policy).
    """

    def __init__(
        self, sink: Sink | None, metrics: Metrics, *, actor: str = _ACTOR, **origin: str | int | None
    ) -> None:
        self.refuses = False
        self._sink = sink
        self._metrics = metrics
        self._actor = actor
        self._origin = origin
        self._waiting: dict[tuple[str, str, Fields], Entry] = {}
        self._batch: list[Entry] = []  # which is being written, and kept until that has succeeded
        self._lost = 0
        self._failure: str | None = None
        self._manager: Keys | None = None
        self._keys: ChainKeys | None = None
        self._wake = asyncio.Event()
        self._tried = asyncio.Event()
        self._closing = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None

    # --- what happens -----------------------------------------------------------------------------------

    def note(self, event: Event | KeyEvent, *, actor: str | None = None, **fields: str | int | None) -> None:
        """Something has happened. No field may hold a value of an application, a statement or a key."""
        self._note(event.value, self._actor if actor is None else clipped(actor), fields)

    def key_event(self, event: KeyEvent, record: KeyRecord | None, details: Details) -> None:
        """What the key manager and rotations tell (crypto.events.Observer)."""
        self._note(
            event.value, self._actor, {**(key_fields(record) if record is not None else {}), **details}
        )

    def _note(self, event: str, actor: str, fields: Mapping[str, str | int | None]) -> None:
        if self._sink is None:
            return
        now = time.time()
        place = (event, actor, fields_of({**self._origin, **fields}))
        if (known := self._waiting.get(place)) is not None:
            self._waiting[place] = replace(known, count=known.count + 1, last=now)
        elif len(self._waiting) >= LIMIT:
            self._lost += 1
            self._metrics.add("audit_lost_records_total")
        else:
            self._waiting[place] = Entry(event, now, actor, place[2])
        self._wake.set()

    @property
    def problem(self) -> str | None:
        """Why records are not written now; None if they are."""
        if self._failure is None and len(self._waiting) >= LIMIT:
            return "more happens than can be written"
        return self._failure

    def objection(self) -> AuditUnavailable | None:
        """The error for work that must not be done without a trail; None where it may be."""
        if self.refuses and self.problem is not None:
            return AuditUnavailable(
                "the audit trail cannot be written, and the policy refuses work without it"
            )
        return None

    # --- writing ----------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Make what the sink needs, if it is not there; what goes wrong shows when a record is written."""
        if self._sink is not None:
            with suppress(OSError):
                self._sink.check()

    async def start(self, manager: Keys) -> None:
        """Begin to write; returns when that was tried once. `manager` has the chain's key."""
        self._manager = manager
        if self._sink is not None:
            self._writer = asyncio.create_task(self._write_on(), name="pgveil audit")
            self._wake.set()
            await self._tried.wait()

    async def close(self) -> int:
        """Write what is left, as far as that is possible in CLOSE seconds; how many records are lost then."""
        if self._sink is None:
            return 0
        self._closing.set()
        self._wake.set()
        if self._writer is not None:
            await asyncio.wait((self._writer,), timeout=CLOSE)
            if self._writer.done() and self._keys is not None and self._failure is None:
                await asyncio.wait((asyncio.ensure_future(self._end(self._keys)),), timeout=CLOSE)
            self._writer.cancel()
        if left := len(self._batch) + len(self._waiting) + self._lost:
            log.event("audit records are lost", level=logging.ERROR, records=left)
        return left

    async def _end(self, keys: ChainKeys) -> None:
        assert self._sink is not None
        with suppress(OSError, UnknownChainKey):
            await _in_thread(self._sink.close, keys)

    async def _write_on(self) -> None:
        """Until the trail is closed, and nothing is left, or it cannot be written."""
        done = False
        while not self._closing.is_set() or (done and (self._batch or self._waiting)):
            await self._wake.wait()
            done = await self._write()
            self._tried.set()
            if done and not (self._batch or self._waiting):
                self._wake.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), GATHER if done else RETRY)

    async def _write(self) -> bool:
        """Write one batch; whether that has succeeded."""
        try:
            try:
                await self._write_batch()
            except UnknownChainKey:  # another process has heard of the key's new version before this one
                assert self._manager is not None
                await self._manager.refresh()
                await self._write_batch()
        except (OSError, CryptoError, UnknownChainKey) as error:
            self._failed(_reason(error))
        except Exception as error:
            log.exception("audit records cannot be written", error)
            self._failed(type(error).__name__)
        else:
            self._metrics.add("audit_records_total", len(self._batch))
            self._batch = []
            self._recovered()
            return True
        return False

    async def _write_batch(self) -> None:
        assert self._sink is not None
        keys = await self._chain_keys()
        self._take_batch()
        if self._batch:
            await self._watched(_in_thread(self._sink.write, self._batch, keys))

    async def _chain_keys(self) -> ChainKeys:
        """The keys that there are now, or were."""
        assert self._manager is not None
        if self._keys is None:
            await self._manager.ensure_chain(AUDIT)
        if found := self._manager.chain_keys(AUDIT):
            self._keys = ChainKeys(found)
        if self._keys is None:
            raise OSError("the key of the trail is not there")
        return self._keys

    def _take_batch(self) -> None:
        if self._batch:
            return
        for place in tuple(itertools.islice(self._waiting, BATCH)):
            self._batch.append(self._waiting.pop(place))
        if self._lost:
            lost, self._lost = self._lost, 0
            self._batch.append(
                Entry(Event.LOST.value, time.time(), _ACTOR, fields_of({**self._origin, "records": lost}))
            )

    async def _watched(self, work: asyncio.Future[None]) -> None:
        """Wait for a write, however long it takes, and say so where that is too long."""
        await asyncio.wait((work,), timeout=STUCK)
        if not work.done():
            self._failed("no answer")
        await work

    def _failed(self, reason: str) -> None:
        if self._failure is None:
            self._metrics.add("audit_failing")
        if self._failure != reason:
            log.event(
                "audit records cannot be written", level=logging.ERROR, sink=str(self._sink), reason=reason
            )
        self._failure = reason
        self._tried.set()

    def _recovered(self) -> None:
        if self._failure is not None:
            self._failure = None
            self._metrics.add("audit_failing", -1)
            log.event("audit records are written again")


def _in_thread(work: Callable[..., None], *arguments: Any) -> asyncio.Future[None]:
    """Do what blocks in a thread that nobody waits for at the end: what hangs may hang."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[None] = loop.create_future()

    def settle(error: Exception | None) -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    def run() -> None:
        failure: Exception | None = None
        try:
            work(*arguments)
        except Exception as error:
            failure = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=run, name="pgveil audit", daemon=True).start()
    return future


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
