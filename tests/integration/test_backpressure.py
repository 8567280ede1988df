"""A large result and a client that does not read it: pgveil holds a small part of it only."""

from __future__ import annotations

import socket
import time

from proxy.wire.frontend import Query
from proxy.wire.startup import StartupMessage
from tests.postgres import Database
from tests.proxy_process import Veil, Veils

POLICY = {"version": 1, "classes": {}, "tables": {}}
GIGABYTES_2 = 2 * 1024**3
ALLOWED = 48 * 1024**2  # bytes of growth: buffers of one session, and what the allocator keeps


def connected(veil: Veil, database: Database) -> socket.socket:
    sock = socket.create_connection((veil.host, veil.port), timeout=60)
    parameters = {b"user": b"postgres", b"database": database.name.encode()}
    sock.sendall(StartupMessage(3 << 16, parameters).pack())
    while not sock.recv(65536).endswith(b"Z\0\0\0\x05I"):
        pass
    return sock


def test_a_result_of_two_gigabytes(veil: Veils, database18: Database) -> None:
    running = veil(database18, POLICY)
    with connected(running, database18) as sock:
        before = running.rss()
        sock.sendall(Query(b"SELECT repeat('x', 8000) FROM generate_series(1, 262144)").pack())
        time.sleep(1.0)  # long enough to take hundreds of megabytes, were there no end to it
        most = running.rss()
        buffer = bytearray(1 << 20)
        received, samples, end = 0, 0, b""
        while not end.endswith(b"Z\0\0\0\x05I"):
            size = sock.recv_into(buffer)
            assert size
            received += size
            end = (end + buffer[max(0, size - 6) : size])[-6:]
            if received >> 26 > samples:
                samples = received >> 26
                most = max(most, running.rss())
        assert received > GIGABYTES_2 * 0.97
        assert most - before < ALLOWED


def test_a_client_that_sends_and_does_not_read(veil: Veils, database18: Database) -> None:
    """What pgveil itself answers must not pile up, either: here each statement is refused."""
    policy = {
        "version": 1,
        "classes": {"pii": {"sensitivity": "high", "mode": "randomized"}},
        "tables": {"people": {"name": "pii"}},
    }
    database18.execute("CREATE TABLE people (name text)")
    running = veil(database18, policy)
    refused = Query(b"SELECT * FROM people ORDER BY name").pack()
    with connected(running, database18) as sock:
        before = running.rss()
        sock.settimeout(2.0)
        sent = 0
        try:
            while sent < 200 * 1024**2:
                sent += sock.send(refused * 1000)
        except TimeoutError:
            pass  # nobody reads us any more, and rightly so
        assert sent < 100 * 1024**2
        assert running.rss() - before < ALLOWED
