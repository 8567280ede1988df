"""The trail as a stream: lines in a pipe, and RFC 5424 over a Unix socket, UDP and TCP."""

from __future__ import annotations

import os
import re
import socket
from pathlib import Path

import pytest

from proxy.addresses import Endpoint, SyslogAddress
from proxy.audit.stream_sinks import Descriptor, StreamSink, Syslog
from proxy.audit.verify import Report, Verifier
from tests.proxy.audit.trails import BOTH, KEYS, entry

HEADER = re.compile(rb"<85>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z [!-~]+ pgveil \d+ audit - (\{.*\})")


def collected(lines: list[bytes]) -> Report:
    verifier = Verifier(BOTH.find, collected=True)
    verifier.file("collected", lines, last=True)
    return verifier.finish()


def test_lines_in_a_pipe() -> None:
    ours, theirs = os.pipe()
    sink = StreamSink("standard output", Descriptor(theirs))
    sink.write([entry(1), entry(2)], KEYS)
    sink.write([entry(3)], BOTH)  # its key has a new version
    sink.close(BOTH)
    os.close(theirs)
    with os.fdopen(ours, "rb") as pipe:
        lines = pipe.readlines()
    report = collected(lines)
    assert (report.records, report.findings, report.notes) == (5, [], [])
    assert collected(lines[:-1]).notes  # no seal: whether more was there cannot be told


def test_nobody_reads_any_more() -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    sink = StreamSink("standard output", Descriptor(theirs))
    with pytest.raises(BrokenPipeError):
        sink.write([entry(1)], KEYS)
    os.close(theirs)


def test_what_failed_comes_again() -> None:
    sent: list[bytes] = []

    class Failing:
        def send(self, line: bytes) -> None:
            sent.append(line)
            if len(sent) == 2:
                raise ConnectionResetError

        def close(self) -> None:
            pass

    sink = StreamSink("syslog", Failing())
    with pytest.raises(ConnectionResetError):
        sink.write([entry(1)], KEYS)
    sink.write([entry(1)], KEYS)
    sink.close(KEYS)
    assert sent[1] == sent[2]
    report = collected(sent)
    assert report.findings == []
    assert report.notes == ["collected:3: record 2 was sent twice"]


@pytest.mark.parametrize("kind", ["unix", "udp"])
def test_datagrams(kind: str, tmp_path: Path) -> None:
    family = socket.AF_UNIX if kind == "unix" else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as server:
        server.settimeout(10)
        where: str | Endpoint = str(tmp_path / "log")
        server.bind(where if kind == "unix" else ("127.0.0.1", 0))
        if kind == "udp":
            where = Endpoint(*server.getsockname())
        sink = StreamSink("syslog", Syslog(SyslogAddress(kind, where)))
        sink.write([entry(1)], KEYS)
        sink.close(KEYS)
        messages = [server.recv(1 << 16) for _ in range(3)]
    assert all(HEADER.fullmatch(message) for message in messages)
    assert collected([message + b"\n" for message in messages]).findings == []


def received(listener: socket.socket, count: int) -> list[bytes]:
    """Messages of one connection, each counted by its octets; then it is closed."""
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as stream:
        messages = []
        for _ in range(count):
            length = b""
            while (byte := stream.read(1)) != b" ":
                assert byte, "the connection has ended"
                length += byte
            messages.append(stream.read(int(length)))
    return messages


def test_tcp_and_a_server_that_goes_away() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)
        syslog = Syslog(SyslogAddress("tcp", Endpoint(*listener.getsockname())))
        sink = StreamSink("syslog", syslog)
        sink.write([entry(1)], KEYS)
        messages = received(listener, 2)
        sink.write([entry(2)], KEYS)  # the other side has closed: another connection
        sink.close(KEYS)
        messages += received(listener, 2)
    assert all(HEADER.fullmatch(message) for message in messages)
    report = collected([message + b"\n" for message in messages])
    assert (report.records, report.findings, report.notes) == (4, [], [])
    with pytest.raises(ConnectionError):
        sink.write([entry(3)], KEYS)
