"""TLS on either leg, begun in either way, with libpq, asyncpg and bare sockets as clients."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from proxy.certificates import frontend_tls
from proxy.config import Tls
from proxy.session.startup import ALPN
from proxy.upstream import Upstream
from proxy.wire.startup import SSLRequest, StartupMessage
from tests.postgres import Certificates, Postgres, make_certificates
from tests.shell import Shell, certificates_of, shell, tls_upstream

STARTUP = StartupMessage(3 << 16, {b"user": b"postgres"}).pack()


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Certificates of pgveil itself, by an authority of their own."""
    return make_certificates(tmp_path_factory.mktemp("own"))


def tls_of(own: Certificates, *, client_ca: Path | None = None, required: bool = False) -> Any:
    return frontend_tls(Tls(own.server, own.server_key, client_ca, required))


@pytest.fixture(scope="module")
def running(postgres15_tls: Postgres, own: Certificates) -> Iterator[Shell]:
    """TLS on both legs."""
    with shell(postgres15_tls, upstream=tls_upstream(postgres15_tls), tls=tls_of(own)) as running:
        yield running


def verified(own: Certificates, **options: str) -> dict[str, str]:
    return {"sslmode": "verify-full", "sslrootcert": str(own.authority), **options}


@pytest.mark.parametrize("negotiation", ["postgres", "direct"])
def test_libpq_by_either_way(running: Shell, own: Certificates, negotiation: str) -> None:
    with running.connect(**verified(own, sslnegotiation=negotiation)) as connection:
        assert connection.pgconn.ssl_in_use
        row = connection.execute(
            "SELECT ssl, repeat('x', 1000000) FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        )
        encrypted, large = row.fetchone() or (False, "")
        assert encrypted
        assert len(large) == 1_000_000


async def test_asyncpg(running: Shell, own: Certificates) -> None:
    context = ssl.create_default_context(cafile=str(own.authority))
    connection = await asyncpg.connect(running.dsn(), ssl=context)
    try:
        assert await connection.fetchval("SELECT length($1)", "x" * 300_000) == 300_000
    finally:
        await connection.close()


def test_a_large_copy_both_ways(running: Shell, own: Certificates) -> None:
    with running.connect(**verified(own)) as connection:
        connection.execute("CREATE TEMP TABLE t (x text)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for _ in range(200):
                copy.write("y" * 50_000 + "\n")
        with connection.cursor().copy("COPY t TO STDOUT") as copy:
            assert sum(len(block) for block in copy) == 200 * 50_001


def test_a_query_is_cancelled_by_way_of_tls(running: Shell, own: Certificates) -> None:
    with running.connect(**verified(own)) as connection:
        threading.Timer(0.3, connection.cancel_safe).start()
        with pytest.raises(psycopg.errors.QueryCanceled):
            connection.execute("SELECT pg_sleep(30)")


def test_plaintext_where_tls_is_required(postgres15_tls: Postgres, own: Certificates) -> None:
    with shell(postgres15_tls, tls=tls_of(own, required=True)) as running:
        with pytest.raises(psycopg.OperationalError, match="encrypted connections only"):
            running.connect(sslmode="disable")
        running.connect(**verified(own)).close()


def test_bytes_behind_the_request_are_an_attack(running: Shell) -> None:
    with socket.create_connection((running.host, running.port), timeout=20) as sock:
        sock.sendall(SSLRequest().pack() + STARTUP)
        reply = sock.recv(65536)
    assert b"08P01" in reply
    assert b"unencrypted data" in reply


def test_a_second_request_inside_tls(running: Shell) -> None:
    with socket.create_connection((running.host, running.port), timeout=20) as sock:
        sock.sendall(SSLRequest().pack())
        assert sock.recv(1) == b"S"
        with unchecked_context().wrap_socket(sock) as inside:
            inside.sendall(SSLRequest().pack())
            assert b"0A000" in inside.recv(65536)


def test_direct_tls_needs_alpn(running: Shell) -> None:
    for protocols, accepted in (([ALPN], True), (["http/1.1"], False), ([], False)):
        context = unchecked_context()
        if protocols:
            context.set_alpn_protocols(protocols)
        sock = socket.create_connection((running.host, running.port), timeout=20)
        with context.wrap_socket(sock) as inside:
            inside.sendall(STARTUP)
            assert (b"08P01" in inside.recv(65536)) is not accepted


def test_garbage_instead_of_a_handshake_ends_the_connection(running: Shell) -> None:
    with socket.create_connection((running.host, running.port), timeout=20) as sock:
        sock.sendall(SSLRequest().pack())
        assert sock.recv(1) == b"S"
        sock.sendall(STARTUP)
        rest = b""
        while data := sock.recv(65536):
            rest += data
    assert rest[:1] in (b"", b"\x15")  # nothing, or a TLS alert


def test_client_certificates(postgres15_tls: Postgres, own: Certificates) -> None:
    with shell(postgres15_tls, tls=tls_of(own, client_ca=own.authority)) as running:
        with pytest.raises(psycopg.OperationalError):
            running.connect(**verified(own, sslcert="none"))
        options = verified(own, sslcert=str(own.client), sslkey=str(own.client_key))
        running.connect(**options).close()


def test_the_upstream_can_be_given_a_client_certificate(postgres15_tls: Postgres) -> None:
    certificates = certificates_of(postgres15_tls)
    upstream = tls_upstream(postgres15_tls, sslcert=certificates.client, sslkey=certificates.client_key)
    with (
        shell(postgres15_tls, upstream=upstream) as running,
        running.connect("with_certificate") as connection,
    ):
        assert connection.execute("SELECT current_user").fetchone() == ("with_certificate",)


def test_the_servers_certificate_is_checked(postgres15_tls: Postgres, own: Certificates) -> None:
    upstream = tls_upstream(postgres15_tls, sslrootcert=own.authority)
    with (
        shell(postgres15_tls, upstream=upstream) as running,
        pytest.raises(psycopg.OperationalError, match="certificate verify failed"),
    ):
        running.connect()


def test_a_server_without_tls_is_refused_where_it_is_required(
    postgres15_tls: Postgres, postgres16: Postgres
) -> None:
    upstream = tls_upstream(postgres15_tls)
    elsewhere = tuple(replace(host, port=postgres16.port) for host in upstream.hosts)
    with (
        shell(postgres16, upstream=replace(upstream, hosts=elsewhere)) as running,
        pytest.raises(psycopg.OperationalError, match="the server does not support TLS"),
    ):
        running.connect()


def test_direct_tls_upstream(postgres15_tls: Postgres, own: Certificates) -> None:
    """PostgreSQL 15 does not know it, but pgveil itself does: one behind another."""
    with shell(postgres15_tls, tls=tls_of(own)) as behind:
        context = ssl.create_default_context(cafile=str(own.authority))
        context.set_alpn_protocols([ALPN])
        hosts = (replace(behind.server.settings.upstream.hosts[0], port=behind.port),)
        upstream = Upstream(hosts, context, direct=True)
        with shell(postgres15_tls, upstream=upstream) as running, running.connect() as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)


def unchecked_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
