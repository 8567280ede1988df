"""The outcomes of other people's suites are read as they print them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conformance.outcomes import (
    Result,
    count,
    differences,
    of_go_test,
    of_junit,
    of_pg_regress,
    of_unittest,
)

PG_REGRESS = """\
============== running regression test queries        ==============
test tablespace                   ... ok          400 ms
parallel group (3 tests):  float4 collate.icu.utf8 random
     float4                       ... FAILED       29 ms
     stats_ext                    ... FAILED (test process exited with exit code 2)      635 ms
     collate.icu.utf8             ... ok           60 ms
     random                       ... failed (ignored)        10 ms
"""
JUNIT = """<testsuites><testsuite>
<testcase classname="tests.a" name="one"/>
<testcase classname="tests.a" name="two"><skipped message="no"/></testcase>
<testcase classname="tests.a" name="three"><failure message="no"/></testcase>
<testcase classname="tests.a" name="four"/>
<testcase classname="tests.a" name="four"><error message="teardown"/></testcase>
</testsuite></testsuites>"""

UNITTEST = """\
test_a (x.tests.A.test_a)
What it does. ... ok
test_b (x.tests.A.test_b) ... skipped 'no'
test_c (x.tests.A.test_c) ... it prints a line
ERROR
test_d (x.tests.A.test_d) ... expected failure
======================================================================
ERROR: test_c (x.tests.A.test_c)
----------------------------------------------------------------------
"""


def test_pg_regress() -> None:
    assert of_pg_regress(PG_REGRESS) == {
        "tablespace": "passed",
        "float4": "failed",
        "stats_ext": "failed",
        "collate.icu.utf8": "passed",
        "random": "skipped",
    }


def test_junit(tmp_path: Path) -> None:
    (tmp_path / "junit.xml").write_text(JUNIT)
    outcomes = of_junit(tmp_path / "junit.xml")
    assert count(outcomes) == "1 passed, 2 failed, 1 skipped"
    assert outcomes["tests.a.four"] == "failed"


def test_go() -> None:
    events = [
        {"Action": "start", "Package": "p"},
        {"Action": "run", "Package": "p", "Test": "TestA"},
        {"Action": "pass", "Package": "p", "Test": "TestA/one"},
        {"Action": "fail", "Package": "p", "Test": "TestA"},
        {"Action": "skip", "Package": "p", "Test": "TestB"},
        {"Action": "pass", "Package": "p", "Test": "TestC/file='/tmp/001/x'"},
        {"Action": "fail", "Package": "p"},
    ]
    outcomes = of_go_test("\n".join(map(json.dumps, events)))
    assert outcomes == {"p.TestA/one": "passed", "p.TestA": "failed", "p.TestB": "skipped"}


def test_unittest() -> None:
    assert of_unittest(UNITTEST) == {
        "test_a (x.tests.A.test_a)": "passed",
        "test_b (x.tests.A.test_b)": "skipped",
        "test_c (x.tests.A.test_c)": "failed",
        "test_d (x.tests.A.test_d)": "passed",
    }


def test_differences_name_the_tests() -> None:
    direct = {"a": "passed", "b": "failed", "c": "passed"}
    assert differences(direct, direct) == []
    assert differences(direct, {"a": "failed", "b": "failed"}) == ["a: passed, failed", "c: passed, not run"]
    through = {"empty": direct, "unused": {**direct, "b": "passed"}}
    result = Result("some", direct, through)
    assert result.row() == "| some | 2 passed, 1 failed | the same | differs: b: failed, passed |"
    assert result.unexpected == ["b: failed, passed"]
    assert Result("some", direct, through, {"unused": ["b"]}).unexpected == []
    assert Result("some", direct, through, {"empty": ["b"]}).unexpected == ["b: failed, passed"]
