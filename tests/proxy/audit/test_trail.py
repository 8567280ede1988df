"""The trail beside the data path: what waits, what becomes one record, and what if nothing is taken."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from crypto.chain_key import AUDIT
from crypto.events import KeyEvent
from crypto.hierarchy import DEK_ALGORITHM
from crypto.keyset import KeyState, KeyType
from crypto.manager import KeyManager
from crypto.record_index import RecordIndex
from crypto.rotation import Rotator
from proxy.audit import trail as trail_module
from proxy.audit.chain import ChainKeys
from proxy.audit.record import Entry, Event
from proxy.audit.trail import LIMIT, Trail
from proxy.audit.verify import Report, Verifier
from proxy.metrics import Metrics
from tests.crypto.stores import CountingProvider, MemoryKeystore
from tests.proxy.audit.trails import files_of, head_of, sink


class Sink:
    """Takes what it is given, unless it is away; then it waits, if it is told to."""

    def __init__(self) -> None:
        self.taken: list[Entry] = []
        self.away = False
        self.stuck = threading.Event()
        self.stuck.set()
        self.closed = 0

    def check(self) -> None:
        pass

    def write(self, entries: Sequence[Entry], keys: ChainKeys) -> None:
        self.stuck.wait(30)
        if self.away:
            raise OSError(28, "No space left on device")
        self.taken += entries

    def close(self, keys: ChainKeys) -> None:
        self.closed += 1

    def events(self) -> list[tuple[str, int]]:
        return [(entry.event, entry.count) for entry in self.taken]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in (("GATHER", 0.01), ("RETRY", 0.01), ("STUCK", 0.05), ("CLOSE", 2.0)):
        monkeypatch.setattr(trail_module, name, seconds)


class Stage:
    """A trail before a sink of the test's, with a key manager of its own."""

    def __init__(self) -> None:
        self.sink = Sink()
        self.metrics = Metrics()
        self.trail = Trail(self.sink, self.metrics, origin="serve")
        self.keystore = MemoryKeystore()
        self.provider = CountingProvider()
        self.keys = KeyManager(self.keystore, self.provider, observe=self.trail.key_event)

    async def start(self) -> Trail:
        await self.keys.create()
        await self.trail.start(self.keys)
        return self.trail


async def until(condition: object) -> None:
    assert callable(condition)
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110  nobody tells
            await asyncio.sleep(0.01)


async def test_what_is_alike_becomes_one_record() -> None:
    stage = Stage()
    for _ in range(1000):
        stage.trail.note(Event.REFUSED, actor="app", field="public.users.email")
    stage.trail.note(Event.REFUSED, actor="other", field="public.users.email")
    trail = await stage.start()
    await trail.close()
    assert stage.sink.events()[:2] == [("statement refused", 1000), ("statement refused", 1)]
    first = stage.sink.taken[0]
    assert first.last >= first.time
    assert stage.sink.closed == 1


async def test_the_trail_tells_of_its_own_key() -> None:
    stage = Stage()
    trail = await stage.start()
    await trail.close()
    assert ("key made", 1) in stage.sink.events()
    [made] = [entry for entry in stage.sink.taken if entry.event == "key made"]
    assert dict(made.fields)["key_name"] == AUDIT


async def test_what_cannot_be_written_waits_and_is_written_later(caplog: pytest.LogCaptureFixture) -> None:
    stage = Stage()
    trail = await stage.start()
    stage.sink.away = True
    trail.note(Event.REFUSED, number=1)
    await until(lambda: trail.problem)
    assert trail.problem == "No space left on device"
    assert stage.metrics.total("audit_failing") == 1
    assert trail.objection() is None  # the policy says: go on
    trail.refuses = True
    objection = trail.objection()
    assert objection is not None
    assert objection.sqlstate == "58000"
    trail.note(Event.REFUSED, number=2)
    stage.sink.away = False
    await until(lambda: trail.problem is None)
    assert trail.objection() is None
    await trail.close()
    assert [dict(entry.fields).get("number") for entry in stage.sink.taken][-2:] == [1, 2]
    assert stage.metrics.total("audit_failing") == 0
    assert stage.metrics.total("audit_records_total") == len(stage.sink.taken)


async def test_nothing_waits_for_a_sink_that_hangs() -> None:
    stage = Stage()
    stage.sink.stuck.clear()
    trail = await stage.start()
    assert trail.problem == "no answer"
    trail.note(Event.REFUSED)
    stage.sink.stuck.set()
    await until(lambda: trail.problem is None)
    await trail.close()
    assert ("statement refused", 1) in stage.sink.events()


async def test_a_sink_that_hangs_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trail_module, "CLOSE", 0.1)
    stage = Stage()
    trail = await stage.start()
    stage.sink.stuck.clear()
    trail.note(Event.STOPPED)
    assert await trail.close() == 1
    stage.sink.stuck.set()


async def test_what_there_is_no_room_for_is_counted() -> None:
    stage = Stage()
    stage.sink.away = True
    trail = await stage.start()
    for number in range(LIMIT + 50):
        trail.note(Event.LOGIN_FAILED, actor=f"guess {number}")
    lost = stage.metrics.total("audit_lost_records_total")
    assert lost >= 50
    stage.sink.away = False
    await until(lambda: trail.problem is None)
    await trail.close()
    counted = [dict(entry.fields)["records"] for entry in stage.sink.taken if entry.event == "records lost"]
    assert counted == [lost]


async def test_no_trail_costs_nothing_and_objects_to_nothing() -> None:
    trail = Trail(None, Metrics())
    trail.refuses = True
    trail.note(Event.STARTED)
    trail.key_event(KeyEvent.EXPIRED, None, {"seconds": 3})
    await trail.start(KeyManager(MemoryKeystore(), CountingProvider()))
    assert trail.objection() is None
    assert await trail.close() == 0


async def test_an_outage_of_the_keys_is_one_of_the_trail_until_it_has_its_key() -> None:
    stage = Stage()
    await stage.keys.create()
    stage.provider.away = True
    await stage.trail.start(stage.keys)
    assert stage.trail.problem == "the provider does not answer"
    stage.provider.away = False
    await until(lambda: stage.trail.problem is None)
    # From now on it has it, whatever becomes of the others.
    stage.provider.away = stage.keystore.away = True
    stage.trail.key_event(KeyEvent.EXPIRED, None, {"seconds": 900})
    await stage.trail.close()
    assert stage.sink.taken[-1].event == "keys expired"


async def test_a_new_version_of_its_key_begins_a_new_file(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    keystore, provider = MemoryKeystore(), CountingProvider()
    trail = Trail(sink(path), Metrics(), origin="serve")
    keys = KeyManager(keystore, provider, observe=trail.key_event)
    await keys.create()
    await trail.start(keys)
    first = RecordIndex(keystore.records).find(KeyType.DEK, AUDIT, DEK_ALGORITHM, KeyState.ACTIVE)
    await Rotator(keystore, provider, observe=trail.key_event).table(AUDIT)
    await keys.refresh()
    trail.note(Event.REFUSED, actor="app")
    await trail.close()
    second = RecordIndex(keystore.records).find(KeyType.DEK, AUDIT, DEK_ALGORITHM, KeyState.ACTIVE)
    assert first is not None
    assert second is not None
    used = [
        {json.loads(line)["mac_key"] for line in file.read_bytes().splitlines()} for file in files_of(path)
    ]
    assert used == [{first.short_id.hex()}, {second.short_id.hex()}]


async def test_who_hears_of_the_new_version_last_goes_on_at_once(tmp_path: Path) -> None:
    """Another process has begun the new file already: nothing fails, and so nothing is refused."""
    path = tmp_path / "audit.jsonl"
    keystore, provider, metrics = MemoryKeystore(), CountingProvider(), Metrics()
    first, second = KeyManager(keystore, provider), KeyManager(keystore, provider)
    await first.create()
    one, other = Trail(sink(path), Metrics()), Trail(sink(path), metrics)
    await one.start(first)
    await other.start(second)
    await Rotator(keystore, provider).table(AUDIT)
    await first.refresh()
    one.note(Event.STARTED)
    await one.close()
    other.note(Event.STOPPED)
    assert await other.close() == 0
    assert other.problem is None
    assert metrics.total("audit_records_total") == 1
    assert verify_files_with(path, first).findings == []


def verify_files_with(path: Path, manager: KeyManager) -> Report:
    keys = ChainKeys(manager.chain_keys(AUDIT))
    verifier = Verifier(keys.find, head=head_of(path, keys))
    for file in files_of(path):
        with file.open("rb") as lines:
            verifier.file(file.name, lines, last=file == path)
    return verifier.finish()


async def test_long_and_strange_names_are_cut_short(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    trail = Trail(sink(path), Metrics())
    keys = KeyManager(MemoryKeystore(), CountingProvider())
    await keys.create()
    trail.note(Event.LOGIN_FAILED, actor='"\n\udcff' * 3000, database="\U0001f600" * 9000, mac="x", seq=7)
    await trail.start(keys)
    await trail.close()
    [line] = [line for line in path.read_bytes().splitlines() if b"login failed" in line]
    assert len(line) < 2000
    record = json.loads(line)
    assert record["actor"].startswith('"\n\udcff')
    assert record["seq"] == 2  # what the chain says of a record nobody else can say
    assert len(record["mac"]) == 64
