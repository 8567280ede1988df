"""From the configuration to master key and key manager: the one place that knows how they are reached."""

from __future__ import annotations

from crypto.assembly import open_keystore, open_provider
from crypto.events import Observer, unobserved
from crypto.manager import KeyManager
from crypto.private_file import Passphrase
from crypto.providers import Provider
from crypto.rotation import FieldVersion
from crypto.schedule import Schedule
from policy.model import Field, Policy
from proxy.config import Config, ConfigError, Keys
from proxy.introspect import connector
from proxy.key_fingerprints import KeyFingerprints


def master_key(keys: Keys, ask_passphrase: Passphrase | None) -> Provider:
    """Who holds the master key. A service is not asked anything yet. Raises ProviderError."""
    return open_provider(
        keys.provider,
        key_file=keys.local.file,
        passphrase_file=keys.local.passphrase_file,
        ask_passphrase=ask_passphrase,
        service=keys.service,
    )


def key_manager(config: Config, provider: Provider, observe: Observer = unobserved) -> KeyManager:
    """The manager of the keys that the configuration names; nothing is read yet.

    `provider` holds the master key. Raises ConfigError where a TLS file of the keystore's URL cannot be used.
    """
    address = config.keys.keystore
    if address.url is None:
        keystore = open_keystore(provider, file=address.file)
    else:
        try:
            tls = address.url.tls_context()
        except OSError as error:
            raise ConfigError([f"keys.keystore.url: {error.strerror or error} (a file for TLS)"]) from None
        keystore = open_keystore(provider, url=address.url.url(), schema=address.schema, tls=tls)
    return KeyManager(
        keystore,
        provider,
        cache_ttl=config.keys.cache_ttl,
        cache_size=config.keys.cache_size,
        observe=observe,
    )


def key_fingerprints(config: Config) -> KeyFingerprints:
    """What the maintenance login's database remembers of its keys; nothing is read yet."""
    assert config.maintenance.database is not None  # config.py has seen to it
    return KeyFingerprints(
        connector(config.maintenance), config.maintenance.database, config.keys.keystore.schema
    )


def field_version(field: Field) -> FieldVersion:
    """The key of a field, of whatever version."""
    return FieldVersion(field.key_name, field.algorithm)


def schedule_of(policy: Policy) -> Schedule:
    """When keys are to be rotated. Of fields that share a key, the most impatient one's class counts."""
    fields: dict[FieldVersion, float] = {}
    for field in policy.fields():
        version, seconds = field_version(field), field.field_class.rotate_every
        fields[version] = min(seconds, fields.get(version, seconds))
    rules = policy.rotation
    return Schedule(fields, rules.tables, rules.master, rules.window, rules.automatic)
