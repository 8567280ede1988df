"""Whatever is done to the lines of a trail is found."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from proxy.audit.chain import chained, new_chain
from proxy.audit.head import Head
from proxy.audit.record import Entry, Event
from proxy.audit.verify import Verifier
from tests.proxy.audit.trails import BOTH, KEYS, NEW, OLD, entry, files_of, head_of, sink, verified


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[bytes], Head]:
    """Three files, the last of them still open, and the head."""
    path = tmp_path_factory.mktemp("trail") / "audit.jsonl"
    small = sink(path, rotate_size=1200)
    for number in range(9):
        small.write([entry(number)], KEYS)
    head = head_of(path)
    assert head is not None
    return [file.read_bytes() for file in files_of(path)], head


Lines = list[list[bytes]]


@st.composite
def edits(draw: st.DrawFn, lines: Lines) -> Lines:
    """The lines of the files after something was done to one or more of them."""
    changed = [list(file) for file in lines]
    for _ in range(draw(st.integers(1, 3))):
        full = [i for i, file in enumerate(changed) if file]
        if not full:
            break
        file = changed[draw(st.sampled_from(full))]
        at = draw(st.integers(0, len(file) - 1))
        match draw(st.sampled_from(["change", "delete", "insert", "swap", "truncate", "repeat", "replay"])):
            case "change" if file[at]:
                line = bytearray(file[at])
                place = draw(st.integers(0, len(line) - 1))
                line[place] ^= draw(st.integers(1, 255))
                file[at] = bytes(line)
            case "delete":
                del file[at : at + draw(st.integers(1, len(file)))]
            case "insert":
                file.insert(at, draw(st.sampled_from([b"\n", b"{}\n", b'{"v":1}\n', file[at][:-9] + b"\n"])))
            case "swap":
                other = draw(st.integers(0, len(file) - 1))
                file[at], file[other] = file[other], file[at]
            case "truncate":
                del file[at + 1 :]
                file[at] = file[at][: draw(st.integers(0, max(0, len(file[at]) - 1)))]
            case "repeat":
                file.insert(draw(st.integers(0, len(file))), file[at])
            case "replay":
                changed[draw(st.integers(0, len(changed) - 1))] = list(changed[0])
    return changed


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_edit_is_found(trail: tuple[list[bytes], Head], data: st.DataObject) -> None:
    contents, head = trail
    lines = [content.splitlines(keepends=True) for content in contents]
    changed = [b"".join(file) for file in data.draw(edits(lines))]
    assume(changed != contents)
    report = verified(changed, head)
    if not report.findings:  # nothing but the beginning of a line behind the last one, as a kill leaves it
        assert [*changed[:-1], changed[-1][: len(contents[-1])]] == contents
        assert b"\n" not in changed[-1][len(contents[-1]) :]
        assert any("torn" in note for note in report.notes)


def test_the_trail_itself_is_whole(trail: tuple[list[bytes], Head]) -> None:
    contents, head = trail
    report = verified(contents, head)
    assert (report.findings, report.notes) == ([], [])
    assert report.ends[head.chain] == head.link
    assert len(contents) > 2


@pytest.mark.parametrize("cut", range(1, 6))
def test_a_missing_end_is_found_by_the_head(trail: tuple[list[bytes], Head], cut: int) -> None:
    contents, head = trail
    whole = b"".join(contents).splitlines(keepends=True)
    report = verified([b"".join(whole[:-cut])], head)
    assert [finding for finding in report.findings if "missing at the end" in finding]


def test_what_is_said_of_each_change(trail: tuple[list[bytes], Head]) -> None:
    contents, head = trail
    one, two, *rest = contents[0].splitlines(keepends=True)
    others = contents[1:]

    def findings(*lines: bytes) -> list[str]:
        return verified([b"".join(lines), *others], head).findings

    assert findings(one, two.replace(b'"app"', b'"abb"'), *rest) == [
        "file0:2: record 2 was changed, or was not written by pgveil"
    ]
    assert findings(one, *rest) == ["file0:2: record 2 is missing before this one"]
    assert findings(one, two, b"{}\n", *rest) == ["file0:3: is no record: changed, or inserted"]
    assert findings(two, one, *rest) == [
        "file0:1: the file does not begin here: what stood before 2 is missing",
        "file0:2: record 1 stands behind record 2: repeated, or moved",
    ]
    assert findings(one, two, two, *rest) == ["file0:3: record 2 stands behind record 2: repeated, or moved"]
    assert findings(one, two)[0] == (
        "file0: does not end with its seal: its end is missing, or it is still written to"
    )


def test_an_older_copy_that_was_gone_on_with(tmp_path: Path) -> None:
    """The head and the file were put back to an older state together, and then the newest file again."""
    link = new_chain()
    first, link = chained(entry(1, Event.OPENED), link, OLD)
    second, _ = chained(entry(2), link, OLD)
    other, after = chained(entry(3), link, OLD)
    third, _ = chained(entry(4), after, OLD)
    report = verified([first + second + third], None)
    assert report.findings == [
        "file0:3: record 3 does not follow the one before it: an older copy was gone on with"
    ]
    assert verified([first + other + third], None).findings == []


def test_a_record_that_has_to_be_there(trail: tuple[list[bytes], Head]) -> None:
    """Who keeps the end of an earlier report elsewhere finds out if file and head were put back together."""
    contents, head = trail
    anchor = json.loads(contents[1].splitlines()[0])
    assert verified(contents, head, contains=(anchor["seq"], anchor["mac"])).findings == []
    assert verified(contents, head, contains=(anchor["seq"], "0" * 64)).findings
    assert verified(contents, head, contains=(head.seq + 1, head.mac)).findings == [
        f"record {head.seq + 1} is missing, or is another one than it was"
    ]


def test_files_that_are_not_there_any_more(trail: tuple[list[bytes], Head]) -> None:
    contents, head = trail
    report = verified(contents[1:], head)
    assert report.findings == []
    assert "those before were not given" in report.notes[0]


def test_one_file_alone(trail: tuple[list[bytes], Head]) -> None:
    contents, _ = trail
    verifier = Verifier(BOTH.find)
    verifier.file("old", io.BytesIO(contents[0]), last=False)
    assert (verifier.finish().findings, verifier.report.notes) == ([], [])
    verifier = Verifier(BOTH.find)
    verifier.file("open", io.BytesIO(contents[-1]), last=True)
    report = verifier.finish()
    assert report.findings == []
    assert "no head is there" in report.notes[-1]


def test_another_trail_in_its_place(trail: tuple[list[bytes], Head]) -> None:
    contents, head = trail
    line, _ = chained(entry(1, Event.OPENED), new_chain(), OLD)
    assert any("another trail begins" in finding for finding in verified([*contents, line], head).findings)
    assert any("the trail is missing" in finding for finding in verified([line], head).findings)


def test_who_has_only_an_old_key_cannot_add_records() -> None:
    """A key that was rotated away because somebody has it."""
    link = new_chain()
    first, link = chained(entry(1, Event.OPENED), link, OLD)
    seal, link = chained(Entry(Event.SEALED.value, 0.0, "pgveil"), link, OLD)
    second, link = chained(entry(2), link, NEW)
    forged, _ = chained(entry(3), link, OLD)
    assert verified([first + seal + second + forged], None).findings == [
        "file0:4: record 4 is of an older key than the ones before it"
    ]


def test_a_key_that_is_not_there(trail: tuple[list[bytes], Head]) -> None:
    contents, _ = trail
    verifier = Verifier(lambda key_id: None)
    verifier.file("file", io.BytesIO(contents[0]), last=False)
    assert "its key 0a0a0a0a is not known" in verifier.finish().findings[0]


def test_lines_of_a_collector(trail: tuple[list[bytes], Head]) -> None:
    """Two trails between each other, with what syslog puts before a record, and one that was sent twice."""
    ours = [line for content in trail[0] for line in content.splitlines(keepends=True)]
    link, theirs = new_chain(), []
    for number in range(len(ours)):
        line, link = chained(entry(number), link, OLD)
        theirs.append(line)
    mixed = [b"Dec  1 host pgveil[7]: " + line for pair in zip(ours, theirs, strict=True) for line in pair]
    text = [b"a line of something else\n", *mixed[:5], mixed[3], *mixed[5:]]

    def report(lines: list[bytes]) -> tuple[list[str], list[str]]:
        verifier = Verifier(BOTH.find, collected=True)
        verifier.file("syslog", lines, last=True)
        found = verifier.finish()
        return found.findings, found.notes

    findings, notes = report(text)
    assert findings == []
    assert any("was sent twice" in note for note in notes)
    assert report([*mixed[:4], *mixed[6:]])[0] == [
        "syslog:5: record 3 is missing before this one",
        "syslog:6: record 3 is missing before this one",
    ]


def test_a_head_of_another_history(trail: tuple[list[bytes], Head]) -> None:
    contents, head = trail
    assert verified(contents, replace(head, mac="1" * 64)).findings == [
        f"record {head.seq} is another one than the head has"
    ]
