"""A session that looks at nothing."""

from __future__ import annotations

from proxy.errors import ServerError
from proxy.session.pipe import Pipe


def test_bytes_go_through() -> None:
    pipe = Pipe()
    pipe.frontend_received(b"to the server")
    pipe.backend_received(b"to the client")
    assert (pipe.to_backend, pipe.to_frontend) == ([b"to the server"], [b"to the client"])
    assert pipe.reading
    assert not pipe.closing


def test_it_ends_without_a_word() -> None:
    for end in (lambda pipe: pipe.shutdown(), lambda pipe: pipe.fail(ServerError("gone"))):
        pipe = Pipe()
        end(pipe)
        assert pipe.closing
        assert pipe.to_frontend == []
