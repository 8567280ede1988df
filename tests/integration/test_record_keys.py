"""`record_key: true`: a key for each value, which nobody but the keystore notices."""

from __future__ import annotations

from datetime import date

from crypto.envelope import from_ascii, parse
from tests.postgres import Database
from tests.proxy_process import CANARY, Veils

POLICY = """
version: 1
classes:
  own: {mode: randomized, record_key: true}
  before: {mode: randomized}
tables:
  letters: {sender: CLASS, written: {class: own, type: date}, body: own}
"""


def test_rows_by_every_way_and_values_from_before(database18: Database, veil: Veils) -> None:
    """A column changes its class: what was stored stays readable, new values have record keys."""
    proxy = veil(database18, POLICY.replace("CLASS", "before"))
    proxy.execute("CREATE TABLE letters (id int, sender text, written date, body jsonb)")
    proxy.execute("INSERT INTO letters VALUES (1, 'kanarie 1', '1973-03-31', '{\"a\": \"kanarie\"}')")
    proxy.stop()
    proxy.write_policy(POLICY.replace("CLASS", "own"))
    proxy.start()
    with proxy.connect() as connection:
        connection.execute(
            "INSERT INTO letters (id, sender, written) VALUES (2, %s, %s)", [CANARY, "1973-03-31"]
        )
        with connection.cursor().copy("COPY letters (id, sender) FROM STDIN") as copy:
            copy.write(f"3\t{CANARY}\n")
        rows = connection.execute("SELECT id, sender, written, body FROM letters ORDER BY id").fetchall()
        assert rows == [
            (1, "kanarie 1", date(1973, 3, 31), {"a": CANARY}),
            (2, CANARY, date(1973, 3, 31), None),
            (3, CANARY, None, None),
        ]
        assert connection.execute("SELECT json_agg(sender ORDER BY id) FROM letters").fetchall() == [
            (["kanarie 1", CANARY, CANARY],)
        ]
    stored = [text for (text,) in database18.execute("SELECT sender FROM letters ORDER BY id")]
    algorithms = [parse(from_ascii(text.encode())).suite.algorithm for text in stored]
    assert algorithms == ["aes-256-gcm", "aes-256-gcm-record", "aes-256-gcm-record"]
    assert stored[1] != stored[2]
