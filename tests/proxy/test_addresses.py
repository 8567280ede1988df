"""Addresses and connection URLs."""

from __future__ import annotations

import ssl
from pathlib import Path
from urllib.parse import quote

import asyncpg
import psycopg.conninfo
import pytest

from proxy.addresses import (
    Endpoint,
    ServerAddress,
    SyslogAddress,
    parse_listen,
    parse_syslog,
    parse_url,
)
from tests.postgres import make_certificates

BASE = Path("/etc/pgveil")


def server(url: str) -> ServerAddress:
    return parse_url(url, BASE)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("127.0.0.1:5000", "127.0.0.1", 5000),
        ("localhost", "localhost", 6432),
        ("*:6432", "*", 6432),
        ("[::1]:6433", "::1", 6433),
        ("unix:/run/pgveil", "/run/pgveil", 6432),
        ("unix:/run/pgveil/:5432", "/run/pgveil", 5432),
    ],
)
def test_where_to_listen(text: str, host: str, port: int) -> None:
    assert parse_listen(text) == Endpoint(host, port)


@pytest.mark.parametrize(
    "text", ["", ":5432", "host:", "host:0", "host:65536", "host:x", "::1", "[::1", "unix:run", "unix:/run:x"]
)
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(ValueError, match=r"written|a port is"):
        parse_listen(text)


def test_an_endpoint_shows_itself_as_it_would_be_written() -> None:
    assert str(Endpoint("::1", 5432)) == "[::1]:5432"
    assert str(Endpoint("db", 5432)) == "db:5432"
    assert str(Endpoint("/run/postgresql", 5432)) == "/run/postgresql/.s.PGSQL.5432"


@pytest.mark.parametrize(
    ("url", "endpoints"),
    [
        ("postgresql://db", [("db", 5432)]),
        ("postgres://db:6000/", [("db", 6000)]),
        ("postgresql://a,b:6000,[::1]:7000", [("a", 5432), ("b", 6000), ("::1", 7000)]),
        ("postgresql://%2Frun%2Fpostgresql:6000", [("/run/postgresql", 6000)]),
        ("postgresql:///?host=/run/postgresql", [("/run/postgresql", 5432)]),
        ("postgresql:///?host=a,/run/b&port=1,2", [("a", 1), ("/run/b", 2)]),
        ("postgresql:///?host=a,b&port=7", [("a", 7), ("b", 7)]),
    ],
)
def test_hosts_of_a_url(url: str, endpoints: list[tuple[str, int]]) -> None:
    assert server(url).endpoints == tuple(Endpoint(*pair) for pair in endpoints)


def test_the_login_of_a_url() -> None:
    found = server("postgresql://pg%40veil@db/my%2Fapp?passfile=secrets/pgpass&connect_timeout=3")
    assert (found.user, found.database) == ("pg@veil", "my/app")
    assert found.passfile == "/etc/pgveil/secrets/pgpass"
    assert found.connect_timeout == 3.0


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://joe:hunter2@db/app",
        "postgresql://joe:@db/app",
        "postgresql://db/app?password=hunter2",
        "postgresql://db/app?sslpassword=hunter2",
    ],
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="does not belong in the configuration") as caught:
        server(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("db:5432", "must be a URL"),
        ("mysql://db", "must be a URL"),
        ("postgresql://", "names no host"),
        ("postgresql://db?sslmod=require", "unknown parameter 'sslmod'"),
        ("postgresql://db?sslmode=prefer", "sslmode must be one of disable, require, verify-ca, verify-full"),
        ("postgresql://db?sslcert=a", "go together"),
        ("postgresql://db?sslmode=disable&sslnegotiation=direct", "sslnegotiation"),
        ("postgresql://db?connect_timeout=soon", "whole number"),
        ("postgresql:///?host=a,b&port=1,2,3", "another number of ports"),
    ],
)
def test_urls_that_cannot_be_used(url: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        server(url)


@pytest.mark.parametrize(
    ("url", "sslmode"),
    [
        ("postgresql://127.0.0.1", "disable"),
        ("postgresql://localhost,[::1]", "disable"),
        ("postgresql:///?host=/run", "disable"),
        ("postgresql://db", "verify-full"),
        ("postgresql://127.0.0.1,db", "verify-full"),
        ("postgresql://db?sslmode=disable", "disable"),
    ],
)
def test_a_server_on_another_machine_must_prove_who_it_is(url: str, sslmode: str) -> None:
    assert server(url).sslmode == sslmode


def test_libpq_and_asyncpg_read_the_url_that_is_made() -> None:
    found = server(
        "postgresql://pg%40veil@a:1,[::1]:2/my%2Fapp?sslmode=require&passfile=/p%26q&sslnegotiation=direct"
    )
    read = psycopg.conninfo.conninfo_to_dict(found.url())
    assert (read["host"], read["port"], read["user"], read["dbname"]) == ("a,::1", "1,2", "pg@veil", "my/app")
    assert (read["sslmode"], read["passfile"]) == ("require", "/p&q")
    assert found.url("other").startswith("postgresql://pg%40veil@/other?")


async def test_asyncpg_goes_where_the_url_says(tmp_path: Path) -> None:
    found = server(f"postgresql://joe@{quote(str(tmp_path), safe='')}:1/app")
    with pytest.raises(FileNotFoundError):
        await asyncpg.connect(found.url())
    (tmp_path / ".s.PGSQL.1").touch()
    with pytest.raises(ConnectionRefusedError):  # a file, but nobody listens there
        await asyncpg.connect(found.url())


def test_no_tls_has_no_context() -> None:
    assert server("postgresql://127.0.0.1").tls_context() is None


def test_each_mode_checks_what_it_says(tmp_path: Path) -> None:
    certificates = make_certificates(tmp_path)
    roots = f"sslrootcert={certificates.authority}"
    client = f"sslcert={certificates.client}&sslkey={certificates.client_key}"
    expected = {
        "require": (ssl.CERT_NONE, False),
        f"verify-ca&{roots}": (ssl.CERT_REQUIRED, False),
        f"verify-full&{roots}&{client}": (ssl.CERT_REQUIRED, True),
        "verify-full": (ssl.CERT_REQUIRED, True),
    }
    for mode, checks in expected.items():
        context = server(f"postgresql://db?sslmode={mode}").tls_context()
        assert context is not None
        assert (context.verify_mode, context.check_hostname) == checks


def test_a_certificate_that_is_not_there_is_an_error_of_the_file() -> None:
    with pytest.raises(FileNotFoundError):
        server("postgresql://db?sslmode=verify-ca&sslrootcert=none.crt").tls_context()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("unix:/dev/log", SyslogAddress("unix", "/dev/log")),
        ("udp://logs.example", SyslogAddress("udp", Endpoint("logs.example", 514))),
        ("tcp://[::1]:6514", SyslogAddress("tcp", Endpoint("::1", 6514))),
        ("tcp://logs.example", SyslogAddress("tcp", Endpoint("logs.example", 601))),
    ],
)
def test_a_syslog_server(text: str, address: SyslogAddress) -> None:
    assert parse_syslog(text) == address
    assert parse_syslog(str(address)) == address


@pytest.mark.parametrize(
    "text", ["", "logs.example", "unix:log", "http://logs.example", "tcp://", "udp://a:0"]
)
def test_what_is_no_syslog_server(text: str) -> None:
    with pytest.raises(ValueError):
        parse_syslog(text)
