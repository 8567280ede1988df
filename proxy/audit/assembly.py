"""From the configuration to a trail."""

from __future__ import annotations

import hashlib
import os
import pwd
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from policy.document import DocumentError
from policy.loader import load as load_policy
from policy.model import Policy
from proxy.audit.file_sink import FileSink
from proxy.audit.record import Event
from proxy.audit.stream_sinks import Descriptor, StreamSink, Syslog
from proxy.audit.trail import Keys, Sink, Trail
from proxy.config import Audit, Config, ConfigError
from proxy.errors import ServerError
from proxy.metrics import Metrics


def open_sink(audit: Audit, *, output: int = 1) -> Sink | None:
    """Where records go; None where no trail is kept. `output` is the descriptor of standard output."""
    if audit.sink == "file":
        return FileSink(audit.file, rotate_size=audit.rotate_size, rotate_age=audit.rotate_age)
    if audit.sink == "stdout":
        return StreamSink("standard output", Descriptor(output))
    if audit.sink == "syslog":
        return StreamSink(f"syslog {audit.syslog}", Syslog(audit.syslog))
    return None


def open_trail(audit: Audit, metrics: Metrics, worker: int | None = None) -> Trail:
    """The trail of a worker of `pgveil serve`."""
    return Trail(open_sink(audit), metrics, origin="serve", worker=worker)


def check_trail(audit: Audit, policy: Policy) -> None:
    """Raise ConfigError where the trail cannot be what configuration and policy want it to be."""
    if audit.sink == "none" and policy.audit_required:
        raise ConfigError(["audit.sink is not set, and the policy refuses work without an audit trail"])
    try:
        if (sink := open_sink(audit)) is not None:
            sink.check()
    except OSError as error:
        raise ConfigError([f"audit.file: {audit.file}: {error.strerror or error}"]) from None


def fingerprint(path: Path | None) -> str | None:
    """What a file held, in a few characters: SHA-256, the first 16 digits of 64."""
    try:
        return None if path is None else hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return None


@asynccontextmanager
async def command_trail(config: Config, command: str) -> AsyncIterator[CommandTrail]:
    """The trail of one command that does something with keys. Records that cannot be written are told of."""
    user = pwd.getpwuid(os.getuid()).pw_name
    # Standard output is for what the command prints.
    trail = Trail(open_sink(config.audit, output=2), Metrics(), actor=user, origin="command", command=command)
    with suppress(DocumentError):  # keys can be made before there is a policy
        trail.refuses = load_policy(config.policy).audit_required
    try:
        yield CommandTrail(trail)
    finally:
        if lost := await trail.close():
            sys.stderr.write(f"pgveil: warning: {lost} audit records could not be written\n")


class CommandTrail:
    """What a command does with its trail: `observe` goes to the key manager, and then `begin`."""

    def __init__(self, trail: Trail) -> None:
        self._trail = trail
        self.observe = trail.key_event

    async def begin(self, manager: Keys) -> None:
        """Write that the command is run. Raises ServerError where that is not possible, and has to be."""
        self._trail.prepare()
        self._trail.note(Event.COMMAND)
        await self._trail.start(manager)
        if (objection := self._trail.objection()) is not None:
            raise _spelled(objection, self._trail.problem)


def _spelled(error: ServerError, reason: str | None) -> ServerError:
    return ServerError(error.message, sqlstate=error.sqlstate, detail=reason)
