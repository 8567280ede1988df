"""What a suite of somebody else's says of each of its tests, and where two runs of it differ."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

Outcomes = Mapping[str, str]  # the name of a test: "passed", "failed" or "skipped"

_PG_REGRESS = re.compile(r"^(?:test|    ) (\w[\w.]*) +\.\.\. (ok|FAILED|failed \(ignored\))", re.MULTILINE)
_GO = {"pass": "passed", "fail": "failed", "skip": "skipped"}
_UNITTEST_NAME = re.compile(r"(\w+ \([\w.]+\))")
_UNITTEST_END = re.compile(r" \.\.\. (ok|ERROR|FAIL|skipped|expected failure)")
_UNITTEST_FAULT = re.compile(r"(?:ERROR|FAIL): (\w+ \([\w.]+\))")
_UNITTEST = {
    "ok": "passed",
    "expected failure": "passed",
    "ERROR": "failed",
    "FAIL": "failed",
    "skipped": "skipped",
}
_WORDS = {"ok": "passed", "FAILED": "failed", "failed (ignored)": "skipped"}


@dataclass(frozen=True)
class Result:
    """One suite: the outcomes of a direct run, and of those by way of pgveil under each policy.

    `known` are the tests that may come out otherwise, by policy, and why (docs/conformance.md).
    """

    suite: str
    direct: Outcomes
    through: Mapping[str, Outcomes]
    known: Mapping[str, Collection[str]] = field(default_factory=dict)

    @property
    def unexpected(self) -> list[str]:
        """What came out otherwise than directly under some policy, and is not known to."""
        return [
            one
            for policy, outcomes in self.through.items()
            for one in differences(self.direct, outcomes)
            if one.partition(":")[0] not in self.known.get(policy, ())
        ]

    def row(self) -> str:
        """A line of the table in docs/conformance.md."""
        cells = [self.suite, count(self.direct)]
        for outcomes in self.through.values():
            found = differences(self.direct, outcomes)
            cells.append(f"differs: {', '.join(found)}" if found else "the same")
        return f"| {' | '.join(cells)} |"


def of_pg_regress(output: str) -> Outcomes:
    """What pg_regress of PostgreSQL 15 prints."""
    return {name: _WORDS[word] for name, word in _PG_REGRESS.findall(output)}


def of_junit(path: Path) -> Outcomes:
    """What pytest writes with --junitxml. A test whose set-up or end fails has failed."""
    found: dict[str, str] = {}
    for case in ET.parse(path).iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        kinds = {child.tag for child in case}
        outcome = "failed" if kinds & {"failure", "error"} else "skipped" if "skipped" in kinds else "passed"
        found[name] = "failed" if found.get(name) == "failed" else outcome
    return found


def of_go_test(output: str) -> Outcomes:
    """What `go test -json` prints; names that hold a directory of that run are left out."""
    found: dict[str, str] = {}
    for line in output.splitlines():
        event = json.loads(line)
        if "Test" in event and event["Action"] in _GO and "/tmp/" not in event["Test"]:
            found[f"{event['Package']}.{event['Test']}"] = _GO[event["Action"]]
    return found


def of_unittest(output: str) -> Outcomes:
    """What unittest prints with verbosity 2; a test may print lines of its own before its outcome."""
    found: dict[str, str] = {}
    name = ""
    for line in output.splitlines():
        if (start := _UNITTEST_NAME.match(line)) is not None:
            name = start[1]
        if (end := _UNITTEST_END.search(line)) is not None and name:
            found[name] = _UNITTEST[end[1]]
        if (fault := _UNITTEST_FAULT.match(line)) is not None:
            found[fault[1]] = "failed"
    return found


def differences(direct: Outcomes, through: Outcomes) -> list[str]:
    """The tests that came out otherwise."""
    return [
        f"{name}: {direct.get(name, 'not run')}, {through.get(name, 'not run')}"
        for name in sorted({*direct, *through})
        if direct.get(name) != through.get(name)
    ]


def count(outcomes: Outcomes) -> str:
    """`311 passed, 5 failed, 65 skipped`."""
    words = ("passed", "failed", "skipped")
    counted = {word: sum(outcome == word for outcome in outcomes.values()) for word in words}
    return ", ".join(f"{number} {word}" for word, number in counted.items() if number or word == "passed")
