"""Real PostgreSQL servers for the tests: 16 and 18 from a wheel, 15 with TLS from Debian's packages."""

from __future__ import annotations

import itertools
import os
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proxy.embedded import Server, wheel_programs

DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")

# The application_name of whoever comes past pgveil: what it does is left out of the search for leaks.
DIRECT = "directly"

# One role for each way to log in; everybody else is trusted.
PASSWORD = "correct horse battery staple"
HBA = """
local   all         all                    trust
host    all         with_scram         all scram-sha-256
host    all         with_md5           all md5
host    all         with_password      all password
hostssl all         with_certificate   all cert
host    all         with_certificate   all reject
host    all         rejected           all reject
host    all         all                all trust
host    replication all                all trust
"""

SETTINGS = {
    "log_statement": "all",
    "log_parameter_max_length": "-1",
    "log_parameter_max_length_on_error": "-1",
    "log_line_prefix": "%m [%p] <%d|%a> ",
    "lc_messages": "C",
    "timezone": "UTC",
    "max_connections": "200",
    "max_prepared_transactions": "10",
    "wal_level": "logical",
}
_LOG_ENTRY = re.compile(r"^\d{4}-\d\d-\d\d [\d:.]+ \w+ \[\d+\] (?:<([^|\n]*)\|([^>\n]*)> )?", re.MULTILINE)


class Postgres:
    """A running server: where it is, and what a test does with it as its administrator."""

    def __init__(self, server: Server, version: int, certificates: Certificates | None = None) -> None:
        self._server = server
        self.version = version  # the major version
        self.certificates = certificates  # of the server with TLS; None of the others
        self.host = server.host
        self.port = server.port
        self.socket_directory = server.directory
        self.psql = self.bin("psql")
        self._names = itertools.count(1)

    def dsn(
        self, database: str = "postgres", user: str = "postgres", password: str | None = None, **options: str
    ) -> str:
        """A URL of this server for libpq, asyncpg and SQLAlchemy; `options` become its query."""
        return url(self.host, self.port, database, user, password, **options)

    def bin(self, name: str) -> Path:
        """One of PostgreSQL's programs, of this server's version."""
        return self._server.programs / name

    def connect(self, database: str = "postgres", **options: Any) -> psycopg.Connection[Any]:
        """A connection past pgveil, in autocommit mode."""
        options.setdefault("application_name", DIRECT)
        return psycopg.connect(self.dsn(database), autocommit=True, **options)

    def execute(self, sql: str, parameters: Any = None, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run SQL past pgveil; the rows of its (last) result."""
        with self.connect(database) as connection:
            cursor = connection.execute(sql, parameters)
            return cursor.fetchall() if cursor.description else []

    def create_database(self, name: str | None = None, template: str = "template0") -> str:
        """Make a database, of a new name if none is given; its URL."""
        name = name or f"test_{next(self._names)}"
        self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.dsn(name)

    def drop_database(self, name: str) -> None:
        """Drop a database, with the sessions that are still in it."""
        self.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @contextmanager
    def database(self) -> Iterator[Database]:
        """A database that lives as long as the context."""
        log_start = self.log_size()
        database = Database(self, self.create_database().rsplit("/", 1)[1], log_start)
        try:
            with database.at_end:
                yield database
        finally:
            self.drop_database(database.name)

    def log_size(self) -> int:
        """How much the server has logged, in bytes."""
        return self._server.log.stat().st_size

    def log_text(self, database: str | None = None, *, direct: bool = True, start: int = 0) -> str:
        """The server's log: all of it, that of one database, that of sessions that did not come directly.

        `start` is the byte from which on it is read.
        """
        with self._server.log.open(errors="replace") as log:
            log.seek(start)
            text = log.read()
        if database is None and direct:
            return text
        entries = list(_LOG_ENTRY.finditer(text))
        ends = [entry.start() for entry in entries[1:]] + [len(text)]
        return "".join(
            text[entry.start() : end]
            for entry, end in zip(entries, ends, strict=True)
            if database in (None, entry[1]) and (direct or entry[2] != DIRECT)
        )


@dataclass(frozen=True)
class Database:
    """One database of a test's own; what `at_end` holds is called before it is dropped.

    `log_start` is the size in bytes that the server's log had before the database was made. The log grows by
    every statement of every test, and each test would have to read all of it.
    """

    postgres: Postgres
    name: str
    log_start: int = 0
    at_end: ExitStack = field(default_factory=ExitStack, compare=False)

    @property
    def dsn(self) -> str:
        return self.postgres.dsn(self.name)

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        return self.postgres.connect(self.name, **options)

    def execute(self, sql: str, parameters: Any = None) -> list[tuple[Any, ...]]:
        return self.postgres.execute(sql, parameters, self.name)

    def log_text(self, *, direct: bool = True, start: int | None = None) -> str:
        """What the server has logged of it, from a byte of the log on."""
        start = self.log_start if start is None else start
        return self.postgres.log_text(self.name, direct=direct, start=start)

    def contents(self) -> str:
        """Every row of every table, as the server would print it."""
        with self.connect() as connection:
            tables = connection.execute(
                "SELECT format('%I.%I', schemaname, tablename) FROM pg_catalog.pg_tables"
                " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            rows = [connection.execute(f"SELECT t::text FROM {table} t").fetchall() for (table,) in tables]
        return "\n".join(row[0] for table in rows for row in table)


@dataclass(frozen=True)
class Certificates:
    """A certificate authority of its own, a server's certificate by it, and a client's (all PEM files)."""

    authority: Path
    server: Path
    server_key: Path
    client: Path
    client_key: Path


def url(host: str, port: int, database: str, user: str, password: str | None = None, **options: str) -> str:
    """A PostgreSQL URL."""
    secret = "" if password is None else f":{quote(password, safe='')}"
    query = f"?{urlencode(options)}" if options else ""
    return f"postgresql://{quote(user)}{secret}@{host}:{port}/{quote(database)}{query}"


@contextmanager
def start_postgres(version: int) -> Iterator[Postgres]:
    """PostgreSQL 16 or 18 of the wheel, or Debian's 15 with TLS, with the roles of HBA."""
    if version != 15:
        with Server(wheel_programs(version), settings=SETTINGS, hba=HBA.replace("hostssl", "#")) as server:
            yield _with_roles(Postgres(server, version))
        return
    server = Server(DEBIAN_15, settings=SETTINGS, hba=HBA)
    certificates = make_certificates(server.directory)
    server.hand_over(certificates.server_key)
    server.settings |= {
        "ssl": "on",
        "ssl_cert_file": str(certificates.server),
        "ssl_key_file": str(certificates.server_key),
        "ssl_ca_file": str(certificates.authority),
    }
    with server:
        yield _with_roles(Postgres(server, version, certificates))


def _with_roles(postgres: Postgres) -> Postgres:
    postgres.execute(
        "CREATE ROLE with_certificate LOGIN; CREATE ROLE rejected LOGIN; CREATE ROLE ordinary LOGIN;"
        f"CREATE ROLE with_scram LOGIN PASSWORD '{PASSWORD}';"
        f"CREATE ROLE with_password LOGIN PASSWORD '{PASSWORD}';"
        f"SET password_encryption = 'md5'; CREATE ROLE with_md5 LOGIN PASSWORD '{PASSWORD}';"
    )
    return postgres


def make_certificates(
    directory: Path, host: str = "localhost", client: str = "with_certificate"
) -> Certificates:
    """A new authority with a server certificate for `host` and 127.0.0.1, and one for the user `client`."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _sign("pgveil tests", authority_key, "pgveil tests", authority_key, authority=True)
    files = {"authority.crt": authority.public_bytes(serialization.Encoding.PEM)}
    for file, name in (("server", host), ("client", client)):
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign(name, key, "pgveil tests", authority_key)
        files[f"{file}.crt"] = certificate.public_bytes(serialization.Encoding.PEM)
        files[f"{file}.key"] = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    for file, data in files.items():
        path = directory / file
        path.touch(0o600)
        path.write_bytes(data)
        path.chmod(0o600 if file.endswith(".key") else 0o644)
    return Certificates(*(directory / file for file in files))


def _sign(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    alternatives = [x509.DNSName(name), x509.IPAddress(ip_address("127.0.0.1"))]
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False
        )
    )
    if not authority:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def newest_only() -> pytest.MarkDecorator:
    """For a module whose tests are about its drivers: they run with the newest PostgreSQL only."""
    return pytest.mark.parametrize("postgres", [max(versions_to_test())], indirect=True, ids="pg{}".format)


def versions_to_test() -> list[int]:
    """16 and 18, or what PGVEIL_TEST_POSTGRES lists (such as `18`, or `15,16,18`)."""
    return [int(version) for version in os.environ.get("PGVEIL_TEST_POSTGRES", "16,18").split(",")]
