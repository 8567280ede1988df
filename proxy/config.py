"""The configuration: what `pgveil.yaml` and the environment (`PGVEIL_…`) say together.

The keys stand in `proxy/settings.py`. The environment goes before the file. Secrets are only ever named as
files. Relative paths are relative to the file's directory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from crypto.providers.settings import SERVICES, ServiceSettings
from policy.document import DocumentError, MappingNode, Node, Problems, ScalarNode, SequenceNode, suggestion
from policy.loader import read_document
from policy.model import Location
from proxy.addresses import Endpoint, ServerAddress, SyslogAddress
from proxy.settings import PREFIX, SETTINGS, Reader, Setting

# What Kubernetes puts into the environment of a pod beside a service that is called pgveil.
_KUBERNETES = re.compile(r"PGVEIL_(SERVICE_.*|PORT(_\d+_.*)?)")


class ConfigError(DocumentError):
    """A configuration that cannot be used, with every reason."""


@dataclass(frozen=True, slots=True)
class Tls:
    """TLS towards applications. A certificate that a client shows must be signed by `client_ca`."""

    certificate: Path
    key: Path
    client_ca: Path | None
    required: bool


@dataclass(frozen=True, slots=True)
class LocalKeys:
    """The master key in a file; if it is sealed, the passphrase comes from a file or from a terminal."""

    file: Path
    passphrase_file: Path | None


@dataclass(frozen=True, slots=True)
class KeystoreAddress:
    """Where wrapped keys are kept: in a sealed file, or in a table of `schema` in the upstream."""

    file: Path | None
    url: ServerAddress | None
    schema: str


@dataclass(frozen=True, slots=True)
class Keys:
    provider: str
    local: LocalKeys
    service: ServiceSettings | None  # of every other provider than local
    keystore: KeystoreAddress
    cache_ttl: float
    cache_size: int


@dataclass(frozen=True, slots=True)
class Audit:
    """Where the audit trail goes: `sink` is none, file, stdout or syslog."""

    sink: str
    file: Path
    rotate_size: int
    rotate_age: float
    syslog: SyslogAddress


@dataclass(frozen=True, slots=True)
class Config:
    """All settings. Times are in seconds, sizes in bytes; 0 connections means no limit."""

    listen: tuple[Endpoint, ...]
    upstream: ServerAddress
    maintenance: ServerAddress
    tls: Tls | None
    policy: Path
    keys: Keys
    audit: Audit
    admin: Endpoint | None
    workers: int
    max_connections: int
    max_message_size: int
    startup_timeout: float
    drain_timeout: float
    catalog_poll: float
    log_level: str
    warnings: tuple[str, ...] = ()
    path: Path | None = None


def load(path: str | Path | None, environ: Mapping[str, str]) -> Config:
    """Read the configuration. Without a path the environment must have everything.

    Raises ConfigError, whose findings name every error with its place.
    """
    problems = Problems()
    source = _Source({}, {}, Location("the environment", 0, 0))
    if path is not None:
        try:
            source = _from_file(read_document(path, problems), problems)
        except DocumentError as error:
            raise ConfigError(error.findings) from None
    warnings = _from_environment(environ, source)
    values = _Values(source, Reader(Path(path).absolute().parent if path else Path.cwd()), problems)
    config = replace(values.config(warnings), path=Path(path) if path is not None else None)
    problems.raise_any(ConfigError)
    return config


@dataclass(frozen=True, slots=True)
class _Source:
    """The texts of the settings that are given, and where they stand."""

    texts: dict[str, list[tuple[str, Location]]]
    sections: dict[str, Location]
    whole: Location


def _from_file(document: MappingNode, problems: Problems) -> _Source:
    source = _Source({}, {}, document.location)
    for name, location, node in _flatten(document, "", problems):
        items = node.items if isinstance(node, SequenceNode) else (node,)
        if isinstance(node, SequenceNode) and not SETTINGS[name].several:
            problems.add(node.location, f"{name} must be a single value")
            continue
        texts = [text for item in items if (text := _scalar(item, name, problems)) is not None]
        source.sections[name] = location
        if texts:
            source.texts[name] = texts
    return source


def _scalar(node: Node, name: str, problems: Problems) -> tuple[str, Location] | None:
    """The text and its place; nothing for null, which is to leave a setting out."""
    if not isinstance(node, ScalarNode):
        problems.add(node.location, f"{name} must be a single value")
        return None
    return None if node.null else (node.text, node.location)


def _flatten(mapping: MappingNode, prefix: str, problems: Problems) -> Iterator[tuple[str, Location, Node]]:
    """Every known key with its dotted name; the others are problems."""
    below = [name.removeprefix(prefix) for name in SETTINGS if name.startswith(prefix)]
    known = {name.partition(".")[0] for name in below}
    problems.unknown_keys(mapping, known, prefix.rstrip(".") or "the configuration")
    for key, location, node in mapping:
        name = prefix + key
        if name in SETTINGS:
            yield name, location, node
        elif key in known and not (isinstance(node, ScalarNode) and node.null):
            section = problems.mapping(node, name)
            if section is not None:
                yield from _flatten(section, name + ".", problems)


def _from_environment(environ: Mapping[str, str], source: _Source) -> list[str]:
    """Put the environment over the file; returns what to warn of."""
    by_variable = {setting.environment: setting for setting in SETTINGS.values()}
    warnings = []
    for variable in sorted(environ):
        place = Location(f"environment variable {variable}", 0, 0)
        if (setting := by_variable.get(variable)) is not None:
            text = environ[variable]
            texts = text.split(",") if setting.several else [text]
            source.texts[setting.name] = [(part.strip(), place) for part in texts]
        elif (
            variable.startswith(PREFIX)
            and variable != PREFIX + "CONFIG"
            and not _KUBERNETES.fullmatch(variable)
        ):
            warnings.append(f"{place}: no such setting{suggestion(variable, by_variable)}")
    return warnings


class _Values:
    """Reads the texts of a source as their settings say."""

    def __init__(self, source: _Source, reader: Reader, problems: Problems) -> None:
        self._source = source
        self._reader = reader
        self._problems = problems

    def every(self, name: str) -> tuple[Any, ...]:
        setting = SETTINGS[name]
        given = self._source.texts.get(name)
        if given is None:
            if setting.required:
                self._problems.add(self._source.whole, f"{name} is not set")
            if setting.default is None:
                return ()
            given = [(setting.default, self._source.whole)]
        return tuple(
            value for text, place in given if (value := self._parse(setting, text, place)) is not None
        )

    def one(self, name: str) -> Any:
        values = self.every(name)
        return values[0] if values else None

    def place(self, name: str) -> Location:
        given = self._source.texts.get(name)
        return given[0][1] if given else self._source.whole

    def _parse(self, setting: Setting, text: str, place: Location) -> Any:
        if not text:
            self._problems.add(place, f"{setting.name} is empty")
            return None
        try:
            return setting.parse(text, self._reader)
        except ValueError as error:
            self._problems.add(place, f"{setting.name}: {error}")
            return None

    def config(self, warnings: list[str]) -> Config:
        """All of them; what could not be read is None in it, and a problem."""
        values = {name: self.one(name) for name in SETTINGS if "." not in name and not SETTINGS[name].several}
        return Config(
            **values,
            listen=self.every("listen"),
            tls=self._tls(),
            keys=self._keys(),
            audit=Audit(**{name: self.one(f"audit.{name}") for name in Audit.__slots__}),
            warnings=tuple(warnings),
        )

    def _tls(self) -> Tls | None:
        certificate, key = self.one("tls.certificate"), self.one("tls.key")
        client_ca, required = self.one("tls.client_ca"), self.one("tls.required")
        if certificate is not None and key is not None:
            return Tls(certificate, key, client_ca, bool(required))
        for name, value in (("tls.certificate", certificate), ("tls.key", key)):
            if value is None and (certificate or key or client_ca or required):
                self._problems.add(self.place(name), f"{name} is not set, and TLS needs it")
        return None

    def _keys(self) -> Keys:
        local = LocalKeys(self.one("keys.local.file"), self.one("keys.local.passphrase_file"))
        file, url = self.one("keys.keystore.file"), self.one("keys.keystore.url")
        if "keys.keystore.file" in self._source.texts and "keys.keystore.url" in self._source.texts:
            self._problems.add(self.place("keys.keystore.url"), "keys.keystore has both a file and a url")
        if file is None and url is None:
            file = self._reader.base / "keys/keystore.json"
        keystore = KeystoreAddress(file, url, self.one("keys.keystore.schema"))
        provider = self.one("keys.provider")
        return Keys(
            provider=provider,
            local=local,
            service=self._service(provider),
            keystore=keystore,
            cache_ttl=self.one("keys.cache_ttl"),
            cache_size=self.one("keys.cache_size"),
        )

    def _service(self, provider: str | None) -> ServiceSettings | None:
        """What the provider's section says. Mistakes in the others are told, too."""
        services = {name: self._section(name, kind) for name, kind in SERVICES.items()}
        if provider is None or provider not in services:
            return None
        for name, who in services[provider].incomplete:
            setting = f"keys.{provider}.{name}"
            if setting not in self._source.texts:  # otherwise it is a problem by itself
                self._problems.add(self.place("keys.provider"), f"{setting} is not set, and {who} needs it")
        return services[provider]

    def _section(self, name: str, kind: type[ServiceSettings]) -> ServiceSettings:
        return kind(**{field.name: self.one(f"keys.{name}.{field.name}") for field in fields(kind)})
