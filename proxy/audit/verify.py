"""Whether a trail is what pgveil has written: every record, in its order, to its end. Pure.

What was not written by pgveil, is missing, or stands elsewhere, is a *finding*. What a crash leaves behind,
or cannot be known from what was given, is a *note*.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from proxy.audit.chain import NO_MAC, FindKey, Link, Record, parse
from proxy.audit.head import Head
from proxy.audit.record import Event

_PREFIX = b'{"v":'  # how a record begins, behind what a collector has put before it


@dataclass
class Report:
    """What was found. Texts name file and line, and hold nothing of a record but numbers."""

    records: int = 0
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    ends: dict[str, Link] = field(default_factory=dict)  # where each chain ends


@dataclass
class _Chain:
    """What is known of one chain so far."""

    link: Link
    known: bool = True  # whether the link is that of a record that is whole
    version: int = 0  # of the key: never an older one after a newer one
    sealed: bool = False
    anchors: dict[int, str] = field(default_factory=dict)  # MACs of the records that are asked for


class Verifier:
    """Reads the files of a trail in their order; `finish` then says what was found.

    head       that of the trail, if it is there: the last file has to end with its record
    contains   the number and MAC of a record that has to be there, as an earlier report has named it
    collected  lines as a collector of messages has them: several chains between each other, with something
               before each record, and perhaps the same one twice
    """

    def __init__(
        self,
        find: FindKey,
        *,
        head: Head | None = None,
        contains: tuple[int, str] | None = None,
        collected: bool = False,
    ) -> None:
        self.report = Report()
        self._find = find
        self._head = head
        self._contains = contains
        self._collected = collected
        self._chains: dict[str, _Chain] = {}
        self._torn: tuple[str, bytes] | None = None
        self._begun = False  # whether the file at hand has had its first record
        self._wanted = {anchor[0] for anchor in (contains, head and (head.seq, head.mac)) if anchor}

    def file(self, name: str, lines: Iterable[bytes], *, last: bool) -> None:
        """One file, as lines with their newlines; `last`: it may still be written to."""
        before, self._begun = self.report.records, self._collected
        for number, line in enumerate(lines, 1):
            place = f"{name}:{number}"
            if not line.endswith(b"\n"):
                self._unfinished(place, line, last=last)
            elif (record := self._record(line[:-1])) is not None:
                self._check(place, record)
            elif not (self._collected and _PREFIX not in line):
                self._flush_torn()
                self._torn = (place, line[:-1])
        if self.report.records == before and not last and not self._collected:
            self._find_fault(name, "holds no record")
        if not last and not self._collected and not all(chain.sealed for chain in self._chains.values()):
            self._find_fault(
                name, "does not end with its seal: its end is missing, or it is still written to"
            )

    def finish(self) -> Report:
        """The whole of it."""
        self._flush_torn()
        self._check_end()
        if self._contains is not None:
            seq, mac = self._contains
            if not any(chain.anchors.get(seq) == mac for chain in self._chains.values()):
                self.report.findings.append(f"record {seq} is missing, or is another one than it was")
        self.report.ends = {name: chain.link for name, chain in self._chains.items()}
        return self.report

    # --- one line ---------------------------------------------------------------------------------------

    def _record(self, line: bytes) -> Record | None:
        return parse(line[max(line.find(_PREFIX), 0) :] if self._collected else line)

    def _check(self, place: str, record: Record) -> None:
        self.report.records += 1
        if not self._begun and record.event != Event.OPENED.value:
            self._find_fault(
                place, f"the file does not begin here: what stood before {record.seq} is missing"
            )
        self._begun = True
        chain = self._chain(place, record)
        key = self._find(record.mac_key)
        if key is None:
            self._flush_torn()
            self._find_fault(place, f"its key {record.mac_key} is not known: it cannot be verified")
            self._go_on(chain, record, authentic=False)
        elif not record.authentic(self._find):
            self._flush_torn()
            self._find_fault(place, f"record {record.seq} was changed, or was not written by pgveil")
            self._go_on(chain, record, authentic=False)
        else:
            self._explain_torn(record)
            self._check_order(place, chain, record)
            if key.version < chain.version:
                self._find_fault(place, f"record {record.seq} is of an older key than the ones before it")
            chain.version = max(chain.version, key.version)
            self._go_on(chain, record, authentic=True)

    def _chain(self, place: str, record: Record) -> _Chain:
        """The chain of a record; a new one begins where nothing is known of it."""
        if (chain := self._chains.get(record.chain)) is None:
            if self._chains and not self._collected:
                self._find_fault(place, "another trail begins")
            chain = self._chains[record.chain] = _Chain(Link(record.chain, record.seq - 1, record.prev))
            if record.seq == 1 and record.prev != NO_MAC:
                self._find_fault(place, "the first record follows another one")
            if record.seq > 1:
                self.report.notes.append(
                    f"{place}: begins with record {record.seq}; those before were not given"
                )
        return chain

    def _check_order(self, place: str, chain: _Chain, record: Record) -> None:
        last = chain.link
        if record.seq > last.seq + 1:
            self._find_fault(place, f"{_records(last.seq + 1, record.seq - 1)} missing before this one")
        elif self._collected and record.link == last:
            self.report.notes.append(f"{place}: record {record.seq} was sent twice")
        elif record.seq <= last.seq:
            self._find_fault(
                place, f"record {record.seq} stands behind record {last.seq}: repeated, or moved"
            )
        elif chain.known and record.prev != last.mac:
            self._find_fault(
                place,
                f"record {record.seq} does not follow the one before it: an older copy was gone on with",
            )
        elif record.event == Event.OPENED.value and record.content.get("follows") == "lost file":
            self._find_fault(
                place, f"the file that ended with record {last.seq} was taken away before its seal"
            )

    def _go_on(self, chain: _Chain, record: Record, *, authentic: bool) -> None:
        """Past a record. One that was made up leads nowhere, but it may stand in the place of a true one."""
        if authentic and record.seq > chain.link.seq:
            chain.link, chain.known = record.link, True
            chain.sealed = record.event == Event.SEALED.value
            if record.seq in self._wanted:
                chain.anchors[record.seq] = record.mac
        elif not authentic and record.seq == chain.link.seq + 1:
            chain.link, chain.known = record.link, False
            chain.sealed = False

    # --- what is no record ------------------------------------------------------------------------------

    def _unfinished(self, place: str, line: bytes, *, last: bool) -> None:
        """The last line of a file, which has no newline."""
        self._flush_torn()
        if last and not self._collected:
            self.report.notes.append(f"{place}: torn: {len(line)} bytes of a record whose writer was killed")
        elif not self._collected:
            self._find_fault(place, "is cut short")

    def _explain_torn(self, record: Record) -> None:
        """A line that is no record is what a killed process has left, if the next record says so."""
        if self._torn is None or record.event == Event.OPENED.value:
            return  # the first record of a file goes before what is to be said of it
        place, line = self._torn
        said = (record.content.get("bytes"), record.content.get("sha256"))
        if record.event == Event.TORN.value and said == (len(line), hashlib.sha256(line).hexdigest()):
            self.report.notes.append(f"{place}: torn: {len(line)} bytes of a record whose writer was killed")
            self._torn = None
        self._flush_torn()

    def _flush_torn(self) -> None:
        if self._torn is not None:
            self._find_fault(self._torn[0], "is no record: changed, or inserted")
            self._torn = None

    def _check_end(self) -> None:
        head = self._head
        if head is None:
            self.report.notes += [
                f"chain {name}: record {chain.link.seq} is no seal, and no head is there: whether records are"
                " missing behind it cannot be told"
                for name, chain in self._chains.items()
                if not chain.sealed
            ]
            return
        chain = self._chains.get(head.chain)
        if chain is None:
            self.report.findings.append(f"the trail is missing: its head is at record {head.seq}")
        elif chain.link.seq < head.seq:
            self.report.findings.append(f"{_records(chain.link.seq + 1, head.seq)} missing at the end")
        elif chain.anchors.get(head.seq, head.mac) != head.mac:
            self.report.findings.append(f"record {head.seq} is another one than the head has")

    def _find_fault(self, place: str, message: str) -> None:
        self.report.findings.append(f"{place}: {message}")


def _records(first: int, last: int) -> str:
    return f"record {first} is" if first == last else f"records {first} to {last} are"
