"""One worker: wires everything together, runs until it is told to end.

SIGTERM, SIGINT   drain: sessions end between two transactions, at the latest after drain_timeout
the same again    end every session now
SIGHUP            read policy and certificates again; if anything is wrong with them the old ones stay
"""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Coroutine
from typing import Any

import uvloop

from crypto.errors import KeystoreUnavailable, ProviderUnavailable
from crypto.providers import Provider
from policy.check import check
from policy.document import DocumentError
from policy.loader import load as load_policy
from policy.model import Policy
from proxy import log
from proxy.admin import Admin
from proxy.audit.assembly import check_trail, fingerprint, open_trail
from proxy.audit.record import Event
from proxy.certificates import frontend_tls, upstream_context
from proxy.config import Config, ConfigError
from proxy.errors import ServerError
from proxy.flow import Session
from proxy.introspect import Catalogs, CatalogUnavailable, connector
from proxy.key_fingerprints import examine, keep
from proxy.key_watch import KeyWatch
from proxy.keys import key_fingerprints, key_manager
from proxy.metrics import Metrics
from proxy.role_secrets import RoleSecrets
from proxy.server import Server, Settings
from proxy.session.session import Session as LiveSession
from proxy.session.startup import SessionRequest
from proxy.session.state import SessionContext
from proxy.sessions import Database, LiveSessions, OnChange
from proxy.upstream import Upstream


class App:
    """A worker. `provider` holds the master key: opened before the workers were forked."""

    def __init__(
        self, config: Config, provider: Provider, metrics: Metrics, worker: int | None = None
    ) -> None:
        self._config = config
        self._metrics = metrics
        self._trail = open_trail(config.audit, metrics, worker)
        self._keys = key_manager(config, provider, self._trail.key_event)
        self._policy = load_policy(config.policy)
        self._keys.trust.grace = self._policy.keys.grace
        self._watch = KeyWatch(self._keys, metrics, lambda: self._policy)
        self._connect = connector(config.maintenance)
        assert config.maintenance.database is not None  # config.py has seen to it
        self._home = config.maintenance.database
        self._secrets = RoleSecrets(self._connect, self._home)
        self._sessions = LiveSessions(
            self._policy,
            self._keys,
            self._secrets,
            self._home,
            self._make_session,
            self._make_catalogs,
        )
        self._server = Server(settings(config), self._sessions, metrics, self._trail)
        self._admin = Admin(metrics, self._problem)
        self._fingerprints = key_fingerprints(config)
        self._keeping: asyncio.Task[None] | None = None
        self._ready = False
        self._reloading = asyncio.Lock()

    async def start(self, sockets: list[socket.socket], admin_sockets: list[socket.socket]) -> None:
        """Load the keys, read the catalogue, and listen. Raises CryptoError, ServerError, OSError.

        Keys that cannot be had now may be had later: nothing but protected values has to wait for them.
        """
        self._trail.refuses = self._sessions.policy.audit_required
        self._trail.note(
            Event.STARTED,
            config=fingerprint(self._config.path),
            policy=fingerprint(self._config.policy),
        )
        await self._keys.load(patient=True)
        self._watch.start()
        self._keeping = asyncio.create_task(keep(self._fingerprints, self._keys), name="pgveil fingerprints")
        if self._config.tls is not None:  # without TLS every login can be relayed
            await self._secrets.open()
        await self._sessions.database(self._home)
        await self._admin.listen(admin_sockets)
        await self._server.listen(sockets)
        await self._trail.start(self._keys)
        self._ready = True

    async def drain(self) -> None:
        """End every session between two transactions, at the latest after drain_timeout."""
        log.event("draining")
        await self._server.drain(self._config.drain_timeout)

    async def stop(self) -> None:
        """End every session now."""
        log.event("stopping")
        await self._server.stop()

    async def close(self) -> None:
        """Let go of everything."""
        await self._server.close()
        self._admin.close()
        await self._sessions.close()
        await self._secrets.close()
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)
        await self._watch.close()
        await self._keys.close()
        self._trail.note(Event.STOPPED)
        await self._trail.close()

    async def reload(self) -> None:
        """Read policy and certificates again: both are taken over, or neither."""
        async with self._reloading:
            try:
                new = settings(self._config)
                read, policy = fingerprint(self._config.policy), load_policy(self._config.policy)
                check_trail(self._config.audit, policy)
                await self._sessions.replace_policy(policy)
            except DocumentError as error:
                self._metrics.add("failed_reloads_total")
                self._trail.note(Event.NOT_RELOADED)
                for finding in error.findings:
                    log.event("not reloaded", level=logging.ERROR, finding=finding)
            except ServerError as error:
                self._metrics.add("failed_reloads_total")
                self._trail.note(Event.NOT_RELOADED)
                log.event("not reloaded", level=logging.ERROR, finding=error.message)
            else:
                self._server.settings = new
                self._policy = policy
                self._keys.trust.grace = policy.keys.grace
                self._trail.refuses = policy.audit_required
                self._trail.note(Event.RELOADED, policy=read)
                self._metrics.add("reloads_total")
                log.event("reloaded")

    def _problem(self) -> str | None:
        if self._server.draining:
            return "draining"
        if (objection := self._trail.objection()) is not None:
            return objection.message
        return self._keys.trust.unready if self._ready else "starting"

    def _make_catalogs(self, policy: Policy, changed: OnChange) -> Catalogs:
        return Catalogs(self._connect, policy, on_change=changed, poll=self._config.catalog_poll)

    def _make_session(self, request: SessionRequest, database: Database) -> Session:
        context = SessionContext(
            planner=lambda: database.planner,
            keyring=lambda: self._keys.keyring,
            user=request.user,
            parameters=request.parameters,
            max_message_size=self._config.max_message_size,
            objection=self._trail.objection,
        )
        return LiveSession(context)


def settings(config: Config) -> Settings:
    """What connections go by. Raises ConfigError for a file that cannot be used."""
    upstream, context = config.upstream, upstream_context(config.upstream)
    return Settings(
        upstream=Upstream(upstream.endpoints, context, upstream.direct_tls, upstream.connect_timeout),
        tls=frontend_tls(config.tls) if config.tls is not None else None,
        max_connections=config.max_connections,
        startup_timeout=config.startup_timeout,
    )


async def preflight(config: Config, provider: Provider) -> None:
    """Find out before anything listens what would not work.

    Raises DocumentError, CryptoError, or ConfigError for an upstream that cannot be used. What the policy
    says of tables that are not there is only warned of: a migration may yet make them. So is a key service
    that does not answer: it will be asked again.
    """
    settings(config)
    policy = load_policy(config.policy)
    check_trail(config.audit, policy)
    keys = key_manager(config, provider)
    catalogs = Catalogs(connector(config.maintenance), policy, poll=0)
    try:
        try:
            await keys.refresh()
        except (KeystoreUnavailable, ProviderUnavailable) as error:
            log.warning("the keys cannot be read yet", reason=str(error))
        assert config.maintenance.database is not None
        try:
            binding = await catalogs.get(config.maintenance.database)
        except CatalogUnavailable as error:
            raise ConfigError([f"maintenance: {config.maintenance}: {error.reason}"]) from None
        if (doubt := await examine(key_fingerprints(config), keys)) is not None:
            log.warning("keys", finding=doubt)
        for finding in check(policy, binding.catalog):
            log.warning("policy", finding=str(finding))
    finally:
        await catalogs.close()
        await keys.keystore.close()
        await provider.close()  # no connection of it may cross a fork


def run(
    config: Config,
    provider: Provider,
    metrics: Metrics,
    sockets: list[socket.socket],
    admin_sockets: list[socket.socket],
    lifeline: int | None = None,
    worker: int | None = None,
) -> None:
    """Run one worker until it has ended. It also ends when `lifeline`, a file descriptor, is at its end."""

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(_log_exception)
        app = App(config, provider, metrics, worker)
        try:
            await app.start(sockets, admin_sockets)
            log.event("ready")
            await _until_told(app, lifeline)
        finally:
            await app.close()

    uvloop.run(main())


async def _until_told(app: App, lifeline: int | None) -> None:
    """Follow signals until the end has come."""
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    tasks: set[asyncio.Task[None]] = set()

    def spawn(work: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(work)
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    for ending in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(ending, told.set)
    loop.add_signal_handler(signal.SIGHUP, lambda: spawn(app.reload()))
    if lifeline is not None:
        loop.add_reader(lifeline, _parent_gone, lifeline, told)
    await told.wait()
    told.clear()
    draining = loop.create_task(app.drain())
    again = loop.create_task(told.wait())
    await asyncio.wait((draining, again), return_when=asyncio.FIRST_COMPLETED)
    if not draining.done():
        await app.stop()
    for task in (draining, again):
        task.cancel()


def _parent_gone(lifeline: int, told: asyncio.Event) -> None:
    asyncio.get_running_loop().remove_reader(lifeline)
    told.set()


def _log_exception(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """asyncio's own handler would print objects that hold what clients sent."""
    error = context.get("exception")
    if isinstance(error, BaseException):
        log.exception("unexpected exception", error)
    else:
        log.event("unexpected event in the loop", level=logging.ERROR)
