"""SCRAM with TLS on both legs: which clients get in which way (docs/decisions/0001-scram-behind-tls.md)."""

from __future__ import annotations

import gc
import hashlib
import hmac
import os
import socket
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import psycopg
import pytest

from proxy.certificates import frontend_tls
from proxy.config import Tls
from proxy.session.channel_binding import end_point_hash
from proxy.session.scram import SCRAM_SHA_256, ClientPart
from proxy.wire.backend import ErrorResponse
from proxy.wire.frontend import SASLInitialResponse, SASLResponse
from proxy.wire.login import AUTH_SASL_FINAL, Authentication, AuthenticationSASL
from proxy.wire.startup import SSLRequest, StartupMessage
from tests.passing import PassingSessions
from tests.postgres import PASSWORD, Certificates, Postgres, make_certificates
from tests.shell import Shell, certificates_of, shell, tls_upstream

USER = "with_scram"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("own"))


def tls_of(certificates: Certificates) -> Any:
    return frontend_tls(Tls(certificates.server, certificates.server_key, None, False))


@pytest.fixture(scope="module")
def relaying(postgres15_tls: Postgres, own: Certificates) -> Iterator[Shell]:
    """pgveil may not read the secrets of roles."""
    with shell(postgres15_tls, upstream=tls_upstream(postgres15_tls), tls=tls_of(own)) as running:
        yield running


@pytest.fixture(scope="module")
def knowing(postgres15_tls: Postgres, own: Certificates) -> Iterator[Shell]:
    """pgveil may read the secrets of roles."""
    rows = postgres15_tls.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL")
    sessions = PassingSessions(dict(rows))
    with shell(postgres15_tls, sessions, upstream=tls_upstream(postgres15_tls), tls=tls_of(own)) as running:
        yield running


@pytest.fixture(scope="module")
def disguised(postgres15_tls: Postgres) -> Iterator[Shell]:
    """pgveil shows the server's own certificate."""
    certificates = certificates_of(postgres15_tls)
    sessions = PassingSessions({})
    upstream = tls_upstream(postgres15_tls)
    with shell(postgres15_tls, sessions, upstream=upstream, tls=tls_of(certificates)) as running:
        yield running


def login(running: Shell, binding: str, password: str = PASSWORD) -> str:
    """Log in by libpq with this channel_binding; who the server says we are."""
    with running.connect(USER, password, sslmode="require", channel_binding=binding) as connection:
        return str((connection.execute("SELECT current_user").fetchone() or [None])[0])


@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
def test_libpq_where_secrets_are_known(knowing: Shell, binding: str) -> None:
    assert login(knowing, binding) == USER
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        login(knowing, binding, "wrong")


@pytest.mark.parametrize("binding", ["disable", "prefer", "require"])
def test_libpq_where_the_certificate_is_the_servers(disguised: Shell, binding: str) -> None:
    assert login(disguised, binding) == USER


def test_libpq_where_it_is_relayed(relaying: Shell) -> None:
    assert login(relaying, "disable") == USER
    with pytest.raises(psycopg.OperationalError, match="channel_binding=disable"):
        login(relaying, "prefer")
    with pytest.raises(psycopg.OperationalError, match="channel binding"):
        login(relaying, "require")


def test_psql(postgres15_tls: Postgres, knowing: Shell, own: Certificates, tmp_path: Path) -> None:
    command = [postgres15_tls.psql, "-Atc", "SELECT current_user", knowing.dsn(USER, sslmode="require")]
    environment = {**os.environ, "PGPASSWORD": PASSWORD, "PGCHANNELBINDING": "require", "HOME": str(tmp_path)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == (f"{USER}\n", "")


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # asyncpg does not close after a failed login
@pytest.mark.parametrize("way", ["relaying", "knowing", "disguised"])
async def test_asyncpg_never_binds_the_channel(way: str, request: pytest.FixtureRequest) -> None:
    running: Shell = request.getfixturevalue(way)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connection = await asyncpg.connect(running.dsn(USER, PASSWORD), ssl=context)
    assert await connection.fetchval("SELECT current_user") == USER
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(running.dsn(USER, "wrong"), ssl=context)
    gc.collect()  # here, where it is expected


def test_without_a_secret_it_fails_as_with_a_wrong_password(
    postgres15_tls: Postgres, own: Certificates
) -> None:
    """The server then answers as it does for a role that it does not know."""
    upstream = tls_upstream(postgres15_tls)
    with (
        shell(postgres15_tls, PassingSessions({}), upstream=upstream, tls=tls_of(own)) as running,
        pytest.raises(psycopg.OperationalError, match=f'password authentication failed for user "{USER}"'),
    ):
        login(running, "prefer")


def test_a_role_that_has_expired_is_refused(postgres15_tls: Postgres, knowing: Shell) -> None:
    postgres15_tls.execute("ALTER ROLE with_scram VALID UNTIL '2001-01-01'")
    try:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            login(knowing, "prefer")
    finally:
        postgres15_tls.execute("ALTER ROLE with_scram VALID UNTIL 'infinity'")


# --- a client that does as pgjdbc does: PLUS where it is offered, flag y where it is not ---


class Client:
    """A small client with TLS and SCRAM."""

    def __init__(self, running: Shell) -> None:
        sock = socket.create_connection((running.host, running.port), timeout=20)
        sock.sendall(SSLRequest().pack())
        assert sock.recv(1) == b"S"
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.sock = context.wrap_socket(sock)

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def read(self) -> tuple[int, bytes]:
        """One message: its type and its body."""
        head = self._exactly(5)
        return head[0], self._exactly(int.from_bytes(head[1:], "big") - 4)

    def _exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            chunk = self.sock.recv(count - len(data))
            assert chunk, "the connection was closed"
            data += chunk
        return data

    def login(self, *, hide_plus: bool = False) -> dict[str, bytes]:
        """Log in; the error's fields, empty if there was none. `hide_plus`: as if it had not been offered."""
        self.sock.sendall(StartupMessage(3 << 16, {b"user": USER.encode()}).pack())
        offer = AuthenticationSASL.parse(self.read()[1]).mechanisms
        certificate = self.sock.getpeercert(binary_form=True)
        assert certificate is not None
        plus = len(offer) == 2 and not hide_plus
        part = ClientPart(end_point_hash(certificate) if plus else None)
        if not plus:
            part._header = b"y,,"
        self.sock.sendall(SASLInitialResponse(part.mechanism, part.client_first()).pack())
        kind, body = self.read()
        if kind == ord("E"):
            return dict(ErrorResponse.parse(body).fields)
        part.server_first(Authentication.parse(body).data)
        salted = hashlib.pbkdf2_hmac("sha256", PASSWORD.encode(), part.salt, part.iterations)
        final = part.client_final(hmac.digest(salted, b"Client Key", "sha256"))
        self.sock.sendall(SASLResponse(final).pack())
        kind, body = self.read()
        if kind == ord("E"):
            return dict(ErrorResponse.parse(body).fields)
        message = Authentication.parse(body)
        assert message.code == AUTH_SASL_FINAL
        part.server_final(message.data, hmac.digest(salted, b"Server Key", "sha256"))
        assert self.read() == (ord("R"), bytes(4))
        return {}


@pytest.mark.parametrize("way", ["knowing", "disguised"])
def test_such_a_client_binds_the_channel(way: str, request: pytest.FixtureRequest) -> None:
    with Client(request.getfixturevalue(way)) as client:
        assert client.login() == {}


def test_such_a_client_is_told_what_to_do_where_it_is_relayed(relaying: Shell) -> None:
    with Client(relaying) as client:
        error = client.login()
    assert error["C"] == b"28000"
    assert b"pg_authid" in error["H"]


@pytest.mark.parametrize("way", ["knowing", "disguised"])
def test_somebody_in_the_middle_who_hides_plus_is_found_out(way: str, request: pytest.FixtureRequest) -> None:
    with Client(request.getfixturevalue(way)) as client:
        assert client.login(hide_plus=True)["M"] == b"SCRAM channel binding negotiation error"


def test_flag_y_is_right_where_the_upstream_leg_is_not_tls(
    postgres15_tls: Postgres, own: Certificates
) -> None:
    with shell(postgres15_tls, tls=tls_of(own)) as running, Client(running) as client:
        assert client.login() == {}


def test_channel_binding_for_clients_where_the_upstream_leg_has_none(
    postgres15_tls: Postgres, own: Certificates
) -> None:
    rows = postgres15_tls.execute("SELECT rolname, rolpassword FROM pg_authid WHERE rolpassword IS NOT NULL")
    with shell(postgres15_tls, PassingSessions(dict(rows)), tls=tls_of(own)) as running:
        assert login(running, "require") == USER


def test_the_mechanism_is_scram_either_way(knowing: Shell) -> None:
    with Client(knowing) as client:
        client.sock.sendall(StartupMessage(3 << 16, {b"user": USER.encode()}).pack())
        assert SCRAM_SHA_256 in AuthenticationSASL.parse(client.read()[1]).mechanisms
