"""Every key of the configuration: one row each, with what reads its text and its default."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from policy.document import suggestion
from policy.durations import parse_duration
from proxy.addresses import (
    Endpoint,
    ServerAddress,
    SyslogAddress,
    parse_listen,
    parse_syslog,
    parse_url,
)

PREFIX = "PGVEIL_"
MESSAGE_LIMIT = 0x3FFFFFFF  # PostgreSQL's own (MaxAllocSize)

_SIZES = {"": 1, "B": 1, "kB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}
_QUANTITY = re.compile(r"(\d{1,12}) ?([a-zA-Z]*)")


@dataclass(frozen=True, slots=True)
class Reader:
    """What a parser of a setting may need beside the text."""

    base: Path


Parse = Callable[[str, Reader], Any]


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: its dotted name, what reads its text, its default as text (None: unset).

    Parsers raise ValueError with a message that goes after the key's name.
    """

    name: str
    parse: Parse
    default: str | None = None
    required: bool = False  # it has no default and must be given
    several: bool = False  # a list, or in the environment a comma-separated text

    @property
    def environment(self) -> str:
        """The name of its environment variable."""
        return PREFIX + re.sub("[.-]", "_", self.name).upper()


def _path(text: str, reader: Reader) -> Path:
    return reader.base / Path(text).expanduser()


def _listen(text: str, reader: Reader) -> Endpoint:
    return parse_listen(text)


def _url(text: str, reader: Reader) -> ServerAddress:
    return parse_url(text, reader.base)


def _session_url(text: str, reader: Reader) -> ServerAddress:
    address = parse_url(text, reader.base)
    if address.user or address.database:
        raise ValueError("takes no user and no database: every session brings its own")
    return address


def _login_url(text: str, reader: Reader) -> ServerAddress:
    address = parse_url(text, reader.base)
    if not address.user or not address.database:
        raise ValueError("needs a user and a database: postgresql://user@host:port/database")
    return address


def _flag(text: str, reader: Reader) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("must be true or false")
    return text.lower() == "true"


def _name(text: str, reader: Reader) -> str:
    return text


def _one_of(*choices: str) -> Parse:
    def parse(text: str, reader: Reader) -> str:
        if text not in choices:
            raise ValueError(f"must be one of {', '.join(choices)}{suggestion(text, choices)}")
        return text

    return parse


def _number(least: int, most: int) -> Parse:
    def parse(text: str, reader: Reader) -> int:
        if not (text.isascii() and text.isdigit() and least <= int(text) <= most):
            raise ValueError(f"must be a number from {least} to {most}")
        return int(text)

    return parse


def _duration(text: str, reader: Reader) -> float:
    return parse_duration(text)


def _timeout(text: str, reader: Reader) -> float:
    seconds = _duration(text, reader)
    if not 0.1 <= seconds <= 300:
        raise ValueError("must be from 100ms to 5min")
    return seconds


def _service_url(text: str, reader: Reader) -> str:
    """The address of a key service: TLS, unless it is on this machine."""
    url = urlsplit(text)
    if url.scheme not in ("https", "http") or not url.hostname or url.username or url.query or url.fragment:
        raise ValueError("must be a URL: https://host:port")
    if url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError("must be https, unless it is on this machine")
    return text.rstrip("/")


def _vault_path(text: str, reader: Reader) -> str:
    if not re.fullmatch(r"(?!\.)[\w.-]+(/(?!\.)[\w.-]+)*", text.strip("/")):
        raise ValueError("must be a path: letters, digits, _ - . and /")
    return text.strip("/")


def _gcp_key(text: str, reader: Reader) -> str:
    if not re.fullmatch(r"projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+", text):
        raise ValueError("must be projects/…/locations/…/keyRings/…/cryptoKeys/…, without a version")
    return text


def _azure_key(text: str, reader: Reader) -> str:
    if not re.fullmatch(r"https://[\w.-]+(:\d+)?/keys/[\w-]+/?", text):
        raise ValueError("must be https://VAULT.vault.azure.net/keys/NAME, without a version")
    return text


def _size(text: str, reader: Reader) -> int:
    match = _QUANTITY.fullmatch(text)
    if match is None or match[2] not in _SIZES:
        raise ValueError("must be a size: a number with B, kB, MB or GB (bytes if there is none)")
    size = int(match[1]) * _SIZES[match[2]]
    if not 1024 <= size <= MESSAGE_LIMIT + 1:
        raise ValueError("must be from 1kB to 1GB")
    return min(size, MESSAGE_LIMIT)


def _syslog(text: str, reader: Reader) -> SyslogAddress:
    return parse_syslog(text)


SETTINGS: dict[str, Setting] = {
    setting.name: setting
    for setting in (
        Setting("listen", _listen, "127.0.0.1:6432", several=True),
        Setting("upstream", _session_url, required=True),
        Setting("maintenance", _login_url, required=True),
        Setting("tls.certificate", _path),
        Setting("tls.key", _path),
        Setting("tls.client_ca", _path),
        Setting("tls.required", _flag, "false"),
        Setting("policy", _path, "policy.yaml"),
        Setting("keys.provider", _one_of("local", "vault", "aws-kms", "gcp-kms", "azure-key-vault"), "local"),
        Setting("keys.local.file", _path, "keys/master.key"),
        Setting("keys.local.passphrase_file", _path),
        Setting("keys.vault.address", _service_url),
        Setting("keys.vault.engine", _one_of("transit", "kv"), "transit"),
        Setting("keys.vault.mount", _vault_path),
        Setting("keys.vault.key", _vault_path),
        Setting("keys.vault.path", _vault_path),
        Setting("keys.vault.passphrase_file", _path),
        Setting("keys.vault.namespace", _vault_path),
        Setting("keys.vault.ca", _path),
        Setting("keys.vault.login", _one_of("token", "approle", "kubernetes", "certificate"), "token"),
        Setting("keys.vault.auth_mount", _vault_path),
        Setting("keys.vault.role", _name),
        Setting("keys.vault.token_file", _path),
        Setting("keys.vault.role_id_file", _path),
        Setting("keys.vault.secret_id_file", _path),
        Setting("keys.vault.jwt_file", _path, "/var/run/secrets/kubernetes.io/serviceaccount/token"),
        Setting("keys.vault.certificate", _path),
        Setting("keys.vault.private_key", _path),
        Setting("keys.vault.timeout", _timeout, "5s"),
        Setting("keys.aws-kms.key", _name),
        Setting("keys.aws-kms.region", _name),
        Setting("keys.aws-kms.endpoint", _service_url),
        Setting("keys.aws-kms.profile", _name),
        Setting("keys.aws-kms.timeout", _timeout, "5s"),
        Setting("keys.gcp-kms.key", _gcp_key),
        Setting("keys.gcp-kms.endpoint", _service_url),
        Setting("keys.gcp-kms.credentials_file", _path),
        Setting("keys.gcp-kms.timeout", _timeout, "5s"),
        Setting("keys.azure-key-vault.key", _azure_key),
        Setting("keys.azure-key-vault.ca", _path),
        Setting("keys.azure-key-vault.tenant", _name),
        Setting("keys.azure-key-vault.client_id", _name),
        Setting("keys.azure-key-vault.client_secret_file", _path),
        Setting("keys.azure-key-vault.certificate", _path),
        Setting("keys.azure-key-vault.timeout", _timeout, "5s"),
        Setting("keys.keystore.file", _path),
        Setting("keys.keystore.url", _login_url),
        Setting("keys.keystore.schema", _name, "pgveil"),
        Setting("keys.cache_ttl", _duration, "300s"),
        Setting("keys.cache_size", _number(100, 10_000_000), "100000"),
        Setting("audit.sink", _one_of("none", "file", "stdout", "syslog"), "none"),
        Setting("audit.file", _path, "audit/audit.jsonl"),
        Setting("audit.rotate_size", _size, "64MB"),
        Setting("audit.rotate_age", _duration, "1d"),
        Setting("audit.syslog", _syslog, "unix:/dev/log"),
        Setting("admin", _listen),
        Setting("workers", _number(1, 1024), "1"),
        Setting("max_connections", _number(0, 1_000_000), "0"),
        Setting("max_message_size", _size, "1GB"),
        Setting("startup_timeout", _duration, "60s"),
        Setting("drain_timeout", _duration, "30s"),
        Setting("catalog_poll", _duration, "10s"),
        Setting("log_level", _one_of("debug", "info", "warning", "error"), "info"),
    )
}
