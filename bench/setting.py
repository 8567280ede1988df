"""The server and its database, as every benchmark starts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from bench import database
from bench.contenders import DIRECT, Contender
from proxy.embedded import Server, wheel_programs

SETTINGS = {"shared_buffers": "256MB", "max_connections": "200", "max_wal_size": "4GB"}


@contextmanager
def running_server(version: int = 18) -> Iterator[tuple[Server, Contender]]:
    """A server with the empty tables of `database`, and the direct way to it."""
    with Server(wheel_programs(version), settings=SETTINGS) as server:
        address = f"postgresql://{server.user}@{server.host}:{server.port}/postgres"
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {database.DATABASE}")
        direct = Contender(DIRECT, server.port)
        database.make(direct.dsn)
        yield server, direct
