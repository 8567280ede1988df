"""What TLS needs on either leg, from files: contexts, and pgveil's own certificate."""

from __future__ import annotations

import ssl
from pathlib import Path

from proxy.addresses import SYSTEM_ROOTS, ServerAddress
from proxy.config import ConfigError, Tls
from proxy.server import FrontendTLS
from proxy.session.startup import ALPN


def frontend_tls(settings: Tls) -> FrontendTLS:
    """Read the files that `tls:` names. Raises ConfigError, with the file that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_TICKET | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.num_tickets = 0  # every session is authenticated anew, as in PostgreSQL
    context.set_alpn_protocols([ALPN])
    for path in (settings.certificate, settings.key, settings.client_ca):
        if path is not None:
            _readable(path)
    try:
        context.load_cert_chain(settings.certificate, settings.key, password=_no_passphrase)
    except ssl.SSLError as error:
        reason = f"cannot be used with the key {settings.key} ({error.reason or 'no PEM'})"
        raise _unusable(settings.certificate, reason) from None
    except _SealedKey:
        raise _unusable(settings.key, "is sealed with a passphrase") from None
    if settings.client_ca is not None:
        try:
            context.load_verify_locations(settings.client_ca)
        except ssl.SSLError:
            raise _unusable(settings.client_ca, "holds no PEM certificate") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return FrontendTLS(context, _first_certificate(settings.certificate), settings.required)


def upstream_context(address: ServerAddress) -> ssl.SSLContext | None:
    """How to check the server, None without TLS. Raises ConfigError, with the file that cannot be used."""
    files = [file for file in (address.sslrootcert, address.sslcert, address.sslkey) if file is not None]
    paths = [Path(file) for file in files if file != SYSTEM_ROOTS]
    if address.sslmode != "disable":
        for path in paths:
            _readable(path)
    try:
        return address.tls_context()
    except OSError as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else error.strerror
        named = ", ".join(map(str, paths))
        raise ConfigError([f"upstream: {named} cannot be used ({reason or error})"]) from None


def _first_certificate(path: Path) -> bytes:
    """The certificate that clients see, in DER: the first of the chain."""
    begin, end = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
    text = path.read_text(errors="replace")
    start = text.find(begin)
    return ssl.PEM_cert_to_DER_cert(text[start : text.index(end, start) + len(end)])


class _SealedKey(Exception):
    """OpenSSL wants a passphrase; without this it would ask the terminal."""


def _no_passphrase() -> str:
    raise _SealedKey


def _readable(path: Path) -> None:
    try:
        with path.open("rb"):
            pass
    except OSError as error:
        raise _unusable(path, error.strerror or "cannot be read") from None


def _unusable(path: Path, reason: str) -> ConfigError:
    return ConfigError([f"{path}: {reason}"])
