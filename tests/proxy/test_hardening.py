"""Keys stay in the memory of the process: no core dump, and nothing in its environment or its arguments."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import psutil

from tests.postgres import Database
from tests.proxy_process import CANARY, Veils

POLICY = """
version: 1
classes: {pii: {mode: randomized}}
tables:
  letters: {sender: pii}
"""


def test_a_running_pgveil_shows_no_key(database18: Database, veil: Veils) -> None:
    proxy = veil(database18, POLICY, workers=2)
    proxy.execute("CREATE TABLE letters (sender text)")
    proxy.execute("INSERT INTO letters VALUES (%s)", [CANARY])
    assert proxy.process is not None
    key = json.loads((proxy.directory / "keys" / "master.key").read_text())["key"]
    main = psutil.Process(proxy.process.pid)
    for process in (main, *main.children()):
        assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
        for page in ("environ", "cmdline"):
            shown = Path(f"/proc/{process.pid}/{page}").read_bytes()
            assert key.encode() not in shown
            assert base64.b64decode(key) not in shown
