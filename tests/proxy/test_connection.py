"""One client after another, with a real PostgreSQL behind: start-up, logins, nonsense, ends."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Iterator

import psycopg
import pytest

from proxy.addresses import Endpoint
from proxy.embedded import free_port
from proxy.session.startup import SessionRequest
from proxy.upstream import Upstream
from proxy.wire.frontend import Query
from proxy.wire.startup import GSSENCRequest, SSLRequest, StartupMessage
from tests.passing import PassingSession, PassingSessions
from tests.postgres import PASSWORD, Postgres
from tests.shell import TERMINATE, Shell, dialogue, error_of, read_all, shell, startup_of, wait_for

STARTUP = startup_of()


@pytest.fixture(scope="module")
def running(postgres16: Postgres) -> Iterator[Shell]:
    with shell(postgres16) as running:
        yield running


def test_a_query_goes_through(running: Shell) -> None:
    with running.connect(application_name="zoe") as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
        assert connection.execute("SHOW application_name").fetchone() == ("zoe",)
        assert running.sessions.opened[-1].parameters["application_name"] == "zoe"
    wait_for(lambda: running.sessions.opened == [])


@pytest.mark.parametrize("user", ["with_scram", "with_md5", "with_password"])
def test_logins_are_relayed(running: Shell, user: str) -> None:
    with running.connect(user, PASSWORD) as connection:
        assert connection.execute("SELECT current_user").fetchone() == (user,)
    with pytest.raises(psycopg.OperationalError, match=f'password authentication failed for user "{user}"'):
        running.connect(user, "wrong")


def test_after_a_failed_login_the_connection_is_closed(running: Shell) -> None:
    assert error_of(dialogue(running, startup_of(user="rejected")))["C"] == "28000"


def test_what_does_not_exist_the_server_says(running: Shell) -> None:
    with pytest.raises(psycopg.OperationalError, match='database "nowhere" does not exist'):
        running.connect(database="nowhere")


def test_a_client_may_send_its_first_query_with_the_startup(running: Shell) -> None:
    reply = dialogue(running, STARTUP + Query(b"SELECT 7").pack() + TERMINATE)
    assert reply.endswith(b"SELECT 1\0Z\0\0\0\x05I")


def test_a_startup_may_come_in_pieces(running: Shell) -> None:
    pieces = [STARTUP[i : i + 1] for i in range(len(STARTUP))]
    assert dialogue(running, *pieces, TERMINATE).endswith(b"Z\0\0\0\x05I")


def test_protocol_3_2_is_the_servers_to_negotiate(running: Shell) -> None:
    startup = StartupMessage(3 << 16 | 9999, {b"user": b"postgres", b"_pq_.grease": b"1"}).pack()
    reply = dialogue(running, startup, TERMINATE)
    assert reply[:1] == b"v"
    assert reply.endswith(b"Z\0\0\0\x05I")


def test_encryption_that_is_not_there_is_denied(running: Shell) -> None:
    assert dialogue(running, GSSENCRequest().pack() + SSLRequest().pack() + STARTUP + TERMINATE).startswith(
        b"NNR"
    )


@pytest.mark.parametrize(
    ("packets", "sqlstate"),
    [
        ([struct.pack("!ii", 8, 2 << 16)], "0A000"),
        ([b"GET / HTTP/1.1\r\n\r\n"], "08P01"),
        ([b"\x16\x03\x01\x02\x00\x01"], "08P01"),
        ([SSLRequest().pack(), SSLRequest().pack()], "0A000"),
        ([StartupMessage(3 << 16, {b"database": b"postgres"}).pack()], "28000"),
    ],
)
def test_nonsense_ends_in_a_clean_error(running: Shell, packets: list[bytes], sqlstate: str) -> None:
    assert error_of(dialogue(running, *packets).lstrip(b"N"))["C"] == sqlstate


def test_copy_and_notifications_go_through(running: Shell) -> None:
    with running.connect() as connection:
        connection.execute("CREATE TEMP TABLE t (n int)")
        with connection.cursor().copy("COPY t FROM STDIN") as copy:
            for number in range(10_000):
                copy.write_row([number])
        assert connection.execute("SELECT sum(n) FROM t").fetchone() == (49_995_000,)
        connection.execute("LISTEN channel")
        connection.execute("NOTIFY channel, 'hello'")
        notification = next(connection.notifies(timeout=10, stop_after=1))
        assert notification.payload == "hello"


class Broken(PassingSession):
    """Has a bug that shows with a certain query."""

    def frontend_received(self, data: bytes) -> None:
        if b"kanarie" in data:
            raise LookupError(f"no {data!r}")
        super().frontend_received(data)


class BrokenSessions(PassingSessions):
    async def open(self, request: SessionRequest) -> PassingSession:
        self.opened.append(request)
        return Broken()


def test_an_exception_ends_one_session_only(postgres16: Postgres, caplog: pytest.LogCaptureFixture) -> None:
    with shell(postgres16, BrokenSessions()) as running, running.connect() as other:
        with running.connect() as connection, pytest.raises(psycopg.errors.InternalError_) as caught:
            connection.execute("SELECT 'kanarie'")
        assert other.execute("SELECT 1").fetchone() == (1,)
        assert running.metrics.total("crashed_sessions_total") == 1
    (record,) = [record for record in caplog.records if record.message == "session crashed"]
    fields = record.__dict__["fields"]
    assert fields["error"] == "LookupError"
    assert f"(id {fields['id']})" in str(caught.value)
    assert "kanarie" not in str(fields)


def test_who_says_nothing_is_sent_away(postgres16: Postgres) -> None:
    with shell(postgres16, startup_timeout=0.2) as running:
        assert error_of(dialogue(running))["C"] == "57014"


def test_the_time_limit_is_for_the_start_only(postgres16: Postgres) -> None:
    with shell(postgres16, startup_timeout=0.5) as running, running.connect() as connection:
        time.sleep(0.8)
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_an_upstream_that_is_away(postgres16: Postgres) -> None:
    away = [Endpoint("127.0.0.1", free_port()), Endpoint("/nowhere", 5432)]
    with shell(postgres16, upstream=Upstream(tuple(away))) as running:
        error = error_of(dialogue(running, STARTUP))
        assert error["C"] == "57P03"
        assert all(str(host) in error["D"] for host in away)


def test_hosts_are_tried_in_turn(postgres16: Postgres) -> None:
    hosts = (Endpoint("127.0.0.1", free_port()), Endpoint(str(postgres16.socket_directory), postgres16.port))
    with shell(postgres16, upstream=Upstream(hosts)) as running, running.connect() as connection:
        assert connection.execute("SELECT inet_client_addr()").fetchone() == (None,)


def test_a_server_that_drops_the_connection(running: Shell, postgres16: Postgres) -> None:
    with running.connect() as connection:
        pid = connection.info.backend_pid
        postgres16.execute("SELECT pg_terminate_backend(%s)", [pid])
        with pytest.raises(
            psycopg.OperationalError, match="terminating connection due to administrator command"
        ):
            connection.execute("SELECT 1")


def test_a_client_that_goes_away_takes_its_backend_with_it(running: Shell, postgres16: Postgres) -> None:
    with socket.create_connection((running.host, running.port), timeout=20) as sock:
        sock.sendall(startup_of(application_name="vanishes") + Query(b"BEGIN").pack())
        while not sock.recv(65536).endswith(b"Z\0\0\0\x05T"):
            pass
    count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'vanishes'"
    wait_for(lambda: postgres16.execute(count) == [(0,)])


def test_a_client_may_close_its_half_and_still_get_its_answer(running: Shell) -> None:
    with socket.create_connection((running.host, running.port), timeout=20) as sock:
        sock.sendall(STARTUP + Query(b"SELECT pg_sleep(0.3), 'reply'").pack())
        sock.shutdown(socket.SHUT_WR)
        assert b"reply" in read_all(sock)
