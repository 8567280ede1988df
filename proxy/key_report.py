"""How the keys are, as `pgveil status` tells it. Pure: policy, records and the time in, plain values out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from crypto.keyset import KeyState, KeyType
from crypto.keystore import KeyRecord, Records
from crypto.nonces import WARN_AT
from crypto.record_index import RecordIndex
from crypto.schedule import Schedule, Turn, Work, turns
from policy.model import Field, Policy
from proxy.keys import field_version

BUDGET = 1 << 32  # encryptions of a randomized key version


@dataclass
class Report:
    """`findings` are wrong or overdue; `remaining` is to be done by somebody, some time."""

    master_key: dict[str, Any]
    keystore: dict[str, Any]
    tables: list[dict[str, Any]] = field(default_factory=list)
    fields: list[dict[str, Any]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)
    remaining: list[str] = field(default_factory=list)

    def plain(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def fill(
        self, policy: Policy, records: Records, schedule: Schedule, now: datetime, *, versioned: bool
    ) -> None:
        """Tell of every key."""
        found = turns(records, schedule, now, versioned=versioned)
        by_record = {turn.record.id: turn for turn in found}
        index = RecordIndex(records)
        versions: dict[str, list[KeyRecord]] = {}
        for record in records:
            if record.key_type is KeyType.FEK:
                versions.setdefault(record.name, []).append(record)
        self._masters(records, by_record, now)
        for record in sorted(records, key=lambda record: record.name):
            if record.key_type is KeyType.DEK and record.state is KeyState.ACTIVE:
                self.tables.append(_common(record, by_record.get(record.id), now))
        for one in policy.fields():
            self._field(one, index, versions.get(one.key_name, ()), by_record, now)
        self._turns(found, now)
        self._pending(records)

    def _masters(self, records: Records, by_record: Mapping[Any, Turn], now: datetime) -> None:
        for record in records:
            if record.key_type is KeyType.MASTER and record.state is KeyState.ACTIVE:
                self.master_key |= _common(record, by_record.get(record.id), now)
        old = [r.name for r in records if r.key_type is KeyType.MASTER and r.state is KeyState.RETIRING]
        if old:
            self.remaining.append(
                f"the master key {', '.join(old)} still opens everything: when every pgveil has the new one,"
                " pgveil rotate --master --finish"
            )

    def _field(
        self,
        one: Field,
        index: RecordIndex,
        versions: Sequence[KeyRecord],
        by_record: Mapping[Any, Turn],
        now: datetime,
    ) -> None:
        version = field_version(one)
        active = version.find(index, KeyState.ACTIVE)
        row: dict[str, Any] = {
            "field": str(one),
            "class": one.field_class.name,
            "mode": one.mode.value,
            "key": one.key_name,
            "algorithm": one.algorithm,
            "versions": {s.value: n for s in KeyState if (n := sum(r.state is s for r in versions))},
            "compromised": sorted(r.version for r in versions if r.state.opens and _compromised(r)),
        }
        if active is not None:
            row |= _common(active, by_record.get(active.id), now)
            row |= {
                "encryptions": active.encryptions if version.counted else None,
                "budget": BUDGET if version.counted else None,
            }
        else:
            self.remaining.append(f"{one} has no key yet: its first value makes one")
        self.fields.append(row)

    def _turns(self, found: Iterable[Turn], now: datetime) -> None:
        for turn in found:
            if turn.overdue(now):
                assert turn.at is not None
                by = "" if turn.automatic else f", which pgveil does not do by itself: {_command(turn)}"
                self.findings.append(
                    f"{turn.record} is overdue since {_time(turn.at)}: {turn.work.value}{by}"
                )
            elif turn.work is Work.DESTROY and turn.at is not None:
                self.remaining.append(
                    f"{turn.record} was replaced and is to be destroyed at {_time(turn.at)}"
                )

    def _pending(self, records: Records) -> None:
        for record in records:
            if record.state is KeyState.PENDING and record.key_type is KeyType.FEK:
                self.remaining.append(f"{record} is pending: the values have to move to it")
            elif record.state is KeyState.ACTIVE and _compromised(record):
                self.findings.append(f"{record} is compromised, and encrypts")
            elif record.state is KeyState.ACTIVE and record.encryptions >= WARN_AT:
                self.findings.append(f"{record} has encrypted {record.encryptions} values: {_COMMAND_FIELD}")


_COMMAND_FIELD = "pgveil rotate --field"
_COMMANDS = {
    Work.FIELD: _COMMAND_FIELD,
    Work.TABLE: "pgveil rotate --table",
    Work.MASTER: "pgveil rotate --master",
    Work.DESTROY: "set rotation: {automatic: true}",
}


def _command(turn: Turn) -> str:
    return _COMMANDS[turn.work]


def _common(record: KeyRecord, turn: Turn | None, now: datetime) -> dict[str, Any]:
    """What is told of every key in use."""
    return {
        "name": record.name,
        "version": record.version,
        "id": record.short_id.hex(),
        "created": _time(record.created_at),
        "next_rotation": _next(turn),
        "overdue": turn is not None and turn.overdue(now),
    }


def _next(turn: Turn | None) -> str:
    if turn is None or turn.at is None:
        return "never"
    if not turn.possible:
        return "needs its values moved"
    return _time(turn.at) + ("" if turn.automatic else ", by hand")


def _compromised(record: KeyRecord) -> bool:
    return bool(record.metadata.get("compromised"))


def _time(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
