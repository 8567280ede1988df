"""What each key service needs to be told. Secrets are named as files.

`incomplete` says what is missing: names of settings, and why they are needed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

Missing = Iterator[tuple[str, str]]  # a setting, and who needs it


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """HashiCorp Vault or OpenBao. `key` is the transit engine's, `path` the secret's of KV, version 2."""

    address: str | None = None
    engine: str = "transit"  # or kv
    mount: str | None = None
    key: str | None = None
    path: str | None = None
    passphrase_file: Path | None = None  # of a sealed master key in a KV secret
    namespace: str | None = None
    ca: Path | None = None
    login: str = "token"  # approle, kubernetes, certificate
    auth_mount: str | None = None
    role: str | None = None
    token_file: Path | None = None
    role_id_file: Path | None = None
    secret_id_file: Path | None = None
    jwt_file: Path | None = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
    certificate: Path | None = None
    private_key: Path | None = None
    timeout: float = 5.0  # seconds

    @property
    def incomplete(self) -> Missing:
        needed = {
            "transit": ("key",),
            "kv": ("path",),
            "token": ("token_file",),
            "approle": ("role_id_file", "secret_id_file"),
            "kubernetes": ("role", "jwt_file"),
            "certificate": ("certificate", "private_key"),
        }
        yield from _unset(self, "provider vault", "address")
        yield from _unset(self, f"engine {self.engine}", *needed.get(self.engine, ()))
        yield from _unset(self, f"login {self.login}", *needed.get(self.login, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsSettings:
    """AWS KMS. `key` is an id, an ARN or an alias; `profile` is one of the shared credentials file."""

    key: str | None = None
    region: str | None = None
    endpoint: str | None = None
    profile: str | None = None
    timeout: float = 5.0

    @property
    def incomplete(self) -> Missing:
        return _unset(self, "provider aws-kms", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpSettings:
    """Google Cloud KMS. `key` is projects/…/cryptoKeys/NAME, without a version."""

    key: str | None = None
    endpoint: str | None = None
    credentials_file: Path | None = None
    timeout: float = 5.0

    @property
    def incomplete(self) -> Missing:
        return _unset(self, "provider gcp-kms", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureSettings:
    """Azure Key Vault. `key` is the key's URL without a version: https://VAULT.vault.azure.net/keys/NAME.

    Without a certificate or a client secret the identity is that of the platform.
    """

    key: str | None = None
    ca: Path | None = None
    tenant: str | None = None
    client_id: str | None = None
    client_secret_file: Path | None = None
    certificate: Path | None = None
    timeout: float = 5.0

    @property
    def incomplete(self) -> Missing:
        yield from _unset(self, "provider azure-key-vault", "key")
        for name in ("client_secret_file", "certificate"):
            if getattr(self, name) is not None:
                yield from _unset(self, f"keys.azure-key-vault.{name}", "tenant", "client_id")


ServiceSettings: TypeAlias = VaultSettings | AwsSettings | GcpSettings | AzureSettings

SERVICES: dict[str, type[ServiceSettings]] = {
    "vault": VaultSettings,
    "aws-kms": AwsSettings,
    "gcp-kms": GcpSettings,
    "azure-key-vault": AzureSettings,
}


def _unset(settings: object, who: str, *names: str) -> Missing:
    for name in names:
        if getattr(settings, name) is None:
            yield name, who
