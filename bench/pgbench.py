"""Workloads that pgbench drives: point selects by custom scripts, and its own TPC-B."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.contenders import HOST, Contender
from bench.database import DATABASE, ROWS
from bench.outcome import Outcome

_TPS = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
_DONE = re.compile(r"^number of transactions actually processed: (\d+)", re.MULTILINE)
_FAILED = re.compile(r"^number of failed transactions: ([1-9]\d*)", re.MULTILINE)


class PgbenchFailed(Exception):
    """pgbench ended with an error; the message is what it said."""


@dataclass(frozen=True)
class Pgbench:
    """How pgbench is run: the directory of PostgreSQL's programs, how many clients, transactions for each."""

    programs: Path
    directory: Path  # for script files
    clients: int
    transactions: int
    rows: int = ROWS

    def initialise(self, direct: Contender, scale: int) -> None:
        """Make and fill pgbench's own tables."""
        words = [*self._words(direct), "-i", "-q", "-s", str(scale), DATABASE]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise PgbenchFailed(done.stderr)

    def point_select(self, contender: Contender, mode: str, table: str, condition: str) -> Outcome:
        """One SELECT by a random id, again and again. `condition` holds `:id` where the id goes."""
        text = f"\\set id random(1, {self.rows})\nSELECT name, phone, city FROM {table} WHERE {condition};\n"
        script = self.directory / "script.sql"
        script.write_text(text)
        return self._run(contender, mode, "-f", str(script))

    def tpc_b(self, contender: Contender, mode: str) -> Outcome:
        """pgbench's built-in transaction of seven statements."""
        return self._run(contender, mode, "-b", "tpcb-like", share=5)

    def _run(self, contender: Contender, mode: str, *script: str, share: int = 1) -> Outcome:
        count = max(1, self.transactions // share)
        options = ["-n", "-M", mode, "-c", str(self.clients), "-t", str(count)]
        words = [*self._words(contender), *options, *script, DATABASE]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        rate, processed = _TPS.search(done.stdout), _DONE.search(done.stdout)
        if done.returncode != 0 or rate is None or processed is None or _FAILED.search(done.stdout):
            raise PgbenchFailed(f"{contender.name}: {done.stderr or done.stdout}")
        return Outcome(int(processed[1]), int(processed[1]) / float(rate[1]))

    def _words(self, contender: Contender) -> list[str]:
        return [str(self.programs / "pgbench"), "-h", HOST, "-p", str(contender.port), "-U", "postgres"]
