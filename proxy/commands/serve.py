"""`pgveil serve`: check everything that can be checked, then run the workers."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal

from crypto.errors import CryptoError
from crypto.providers import Provider
from policy.document import DocumentError
from proxy import app, config, hardening, log
from proxy.commands.passphrases import ask_passphrase
from proxy.config import Config
from proxy.errors import ServerError
from proxy.keys import master_key
from proxy.listeners import Reservation
from proxy.metrics import Metrics
from proxy.supervisor import Supervisor


def add_arguments(parser: argparse.ArgumentParser) -> None:
    pass  # --config says it all


def run(args: argparse.Namespace) -> int:
    """Exit code 0 after SIGTERM; what is wrong with the configuration is raised, for one line and code 2."""
    hardening.forbid_core_dumps()
    configuration = config.load(args.config, os.environ)
    log.start(configuration.log_level)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until there is something to reload
    for warning in configuration.warnings:
        log.warning("configuration", warning=warning)
    provider = master_key(configuration.keys, ask_passphrase)
    asyncio.run(app.preflight(configuration, provider))
    reservation = Reservation(configuration.listen)
    try:
        admin = Reservation([configuration.admin] if configuration.admin else [])
        try:
            return _serve(configuration, provider, reservation, admin)
        finally:
            admin.release()
    finally:
        reservation.release()


def _serve(config: Config, provider: Provider, reservation: Reservation, admin: Reservation) -> int:
    metrics = Metrics(config.workers)
    for address in reservation.addresses:
        log.event("listening", address=address, workers=config.workers)

    def work(number: int, lifeline: int | None) -> None:
        sockets = reservation.sockets(), admin.sockets()
        app.run(config, provider, metrics, *sockets, lifeline, number if config.workers > 1 else None)

    def work_forked(number: int, lifeline: int) -> None:
        reservation.forget()
        admin.forget()
        log.start(config.log_level, number)
        try:
            work(number, lifeline)
        except (CryptoError, ServerError, DocumentError) as error:  # all was well when the parent looked
            log.event("worker cannot start", level=logging.ERROR, reason=str(error))
            raise SystemExit(1) from None

    if config.workers == 1:
        work(0, None)
        return 0
    return Supervisor(config.workers, work_forked, metrics).run()
