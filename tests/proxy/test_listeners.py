"""Sockets that are reserved before they are listened on."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from proxy.addresses import Endpoint
from proxy.config import ConfigError
from proxy.listeners import Reservation


def test_several_workers_listen_on_one_port() -> None:
    reservation = Reservation([Endpoint("127.0.0.1", 0)])
    host, _, port = reservation.addresses[0].partition(":")
    workers = [reservation.sockets()[0] for _ in range(3)]
    for sock in workers:
        sock.listen()
        assert sock.getsockname() == (host, int(port))
    workers[0].close()
    socket.create_connection((host, int(port))).close()  # the others still take them
    for sock in workers[1:]:
        sock.close()
    with pytest.raises(ConnectionRefusedError):  # what only holds the port takes nobody
        socket.create_connection((host, int(port)))
    reservation.release()


def test_a_port_in_use_is_found_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=True) as taken:
        endpoint = Endpoint("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(ConfigError, match=f"cannot listen on {endpoint}: address in use"):
            Reservation([endpoint])


def test_an_address_that_is_not_ours() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:6432"):
        Reservation([Endpoint("192.0.2.1", 6432)])


def test_a_unix_socket_is_made_and_removed(tmp_path: Path) -> None:
    endpoint = Endpoint(str(tmp_path), 6432)
    reservation = Reservation([endpoint])
    assert reservation.addresses == [f"{tmp_path}/.s.PGSQL.6432"]
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(endpoint.socket_path)
    with pytest.raises(ConfigError, match="address in use"):
        Reservation([endpoint])
    reservation.release()
    assert list(tmp_path.iterdir()) == []


def test_a_unix_socket_of_the_dead_is_replaced(tmp_path: Path) -> None:
    endpoint = Endpoint(str(tmp_path), 6432)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(endpoint.socket_path)
    reservation = Reservation([endpoint])
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(endpoint.socket_path)
    reservation.release()


def test_a_file_in_its_place_is_left_alone(tmp_path: Path) -> None:
    endpoint = Endpoint(str(tmp_path), 6432)
    Path(endpoint.socket_path).write_text("precious")
    with pytest.raises(ConfigError, match="is no socket"):
        Reservation([endpoint])
    assert Path(endpoint.socket_path).read_text() == "precious"


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        Reservation([Endpoint(str(tmp_path / "nowhere"), 6432)])


def test_a_worker_leaves_the_files_to_its_parent(tmp_path: Path) -> None:
    parent = Reservation([Endpoint(str(tmp_path), 6432)])
    child = Reservation([])
    child._held, child._paths = parent._held, list(parent._paths)  # as after a fork
    child.forget()
    child.release()
    assert len(list(tmp_path.iterdir())) == 1
