"""`python -m tests.conformance [suite ...]`: other people's tests of PostgreSQL, by way of pgveil.

Each suite is run directly and through pgveil, with policies that protect nothing that it uses: the outcomes
have to be the same. Nothing is installed; what is needed is fetched into build/conformance, where the logs of
each run are left, too.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tests.conformance import django, fuzz, regression
from tests.conformance.debian import Missing
from tests.conformance.drivers import DRIVERS, DriverSuite
from tests.conformance.go_modules import MODULES, GoSuite
from tests.conformance.outcomes import Outcomes, Result, count
from tests.conformance.servers import POLICIES, server, through

WORK = Path(__file__).parent.parent.parent / "build/conformance"
Suite = regression.Regression | DriverSuite | django.DjangoSuite | GoSuite
SUITES: dict[str, Callable[[Path], Suite]] = {
    "postgresql": regression.Regression,
    **{driver.name.lower(): lambda work, driver=driver: DriverSuite(driver, work) for driver in DRIVERS},
    django.NAME: django.DjangoSuite,
    **{module.name: lambda work, module=module: GoSuite(module, work) for module in MODULES},
}


def run(name: str, suite: Suite) -> Result:
    """Run a suite directly, and through pgveil with each policy, each time on a new server."""
    results = WORK / "results" / name
    shutil.rmtree(results, ignore_errors=True)
    with server() as running:
        direct = suite.run(running, running.port, results / "direct")
    print(f"{name}: directly {count(direct)}", flush=True)
    found: dict[str, Outcomes] = {}
    for policy in suite.policies:
        with server() as running, through(running, POLICIES[policy], results / policy / "pgveil") as veil:
            found[policy] = suite.run(running, veil.port, results / policy)
        print(f"{name}: policy {policy}, {count(found[policy])}", flush=True)
    return Result(f"{name} {suite.version}", direct, found, suite.known)


def main() -> int:
    parser = argparse.ArgumentParser(prog="make conformance", description=__doc__)
    parser.add_argument("suite", nargs="*", help=f"{', '.join([*SUITES, fuzz.NAME])}; all, if none is named")
    parser.add_argument("--seconds", type=int, default=120, help=f"how long {fuzz.NAME} runs")
    options = parser.parse_args()
    chosen = options.suite or [*SUITES, fuzz.NAME]
    WORK.mkdir(parents=True, exist_ok=True)
    rows, same = [], True
    for name in chosen:
        try:
            if name == fuzz.NAME:
                print(fuzz.run(WORK, options.seconds), flush=True)
                continue
            result = run(name, SUITES[name](WORK))
        except Missing as missing:
            print(f"{name}: not run, {missing}")
            continue
        rows.append(result.row())
        same = same and not result.unexpected
    print("\n".join(rows))
    return 0 if same else 1


if __name__ == "__main__":
    sys.exit(main())
