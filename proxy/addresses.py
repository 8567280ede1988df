"""Addresses of the configuration: where pgveil listens, and URLs of PostgreSQL servers.

URLs: PostgreSQL documentation, 34.1.1.2 (connection URIs), without what a configuration file must not hold.
"""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

DEFAULT_PORT = 5432
DEFAULT_LISTEN_PORT = 6432
SSLMODES = ("disable", "require", "verify-ca", "verify-full")
SYSTEM_ROOTS = "system"  # sslrootcert=system: the certificates that the operating system trusts

_SECRETS = ("password", "sslpassword")
_OPTIONS = ("host", "port", "user", "dbname", "passfile", "sslmode", "sslrootcert", "sslcert", "sslkey")
_KNOWN = (*_OPTIONS, "sslnegotiation", "connect_timeout")
_ALPN = "postgresql"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A TCP address, or a directory with a Unix socket named after the port (`.s.PGSQL.5432`)."""

    host: str
    port: int

    @property
    def unix(self) -> bool:
        return self.host.startswith(("/", "@"))

    @property
    def socket_path(self) -> str:
        """The path of the Unix socket."""
        return f"{self.host}/.s.PGSQL.{self.port}"

    @property
    def local(self) -> bool:
        """Whether what is sent there stays on this machine."""
        if self.unix or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        if self.unix:
            return self.socket_path
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class SyslogAddress:
    """Where a syslog server listens: `kind` is unix (then `where` is a path), udp or tcp."""

    kind: str
    where: str | Endpoint

    def __str__(self) -> str:
        return f"unix:{self.where}" if self.kind == "unix" else f"{self.kind}://{self.where}"


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """How to reach a PostgreSQL server: hosts in the order to try them, and libpq's TLS settings.

    `sslrootcert` is a path, or "system". `connect_timeout` is in seconds, for each host. There is no
    password: `passfile` (or libpq's own ~/.pgpass) has it.
    """

    endpoints: tuple[Endpoint, ...]
    user: str | None = None
    database: str | None = None
    sslmode: str = "disable"
    sslrootcert: str | None = None
    sslcert: str | None = None
    sslkey: str | None = None
    direct_tls: bool = False  # sslnegotiation=direct: TLS from the first byte, for PostgreSQL 17 and later
    passfile: str | None = None
    connect_timeout: float = 10.0

    def url(self, database: str | None = None) -> str:
        """A URL that libpq and asyncpg read, of this database or the address's own."""
        name = database or self.database
        options = {
            "host": ",".join(endpoint.host for endpoint in self.endpoints),
            "port": ",".join(str(endpoint.port) for endpoint in self.endpoints),
            "sslmode": self.sslmode,
            "sslrootcert": self.sslrootcert,
            "sslcert": self.sslcert,
            "sslkey": self.sslkey,
            "sslnegotiation": "direct" if self.direct_tls else None,
            "passfile": self.passfile,
        }
        given = {key: value for key, value in options.items() if value is not None}
        user = f"{quote(self.user, safe='')}@" if self.user else ""
        path = f"/{quote(name, safe='')}" if name else "/"
        return f"postgresql://{user}{path}?{urlencode(given)}"

    def tls_context(self) -> ssl.SSLContext | None:
        """How to check the server; None if there is to be no TLS. Raises OSError if a file cannot be used."""
        if self.sslmode == "disable":
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = self.sslmode == "verify-full"
        if self.sslmode == "require":
            context.verify_mode = ssl.CERT_NONE
        elif self.sslrootcert in (None, SYSTEM_ROOTS):
            context.load_default_certs()
        else:
            context.load_verify_locations(self.sslrootcert)
        if self.sslcert is not None:
            context.load_cert_chain(self.sslcert, self.sslkey, password=_no_passphrase)
        if self.direct_tls:
            context.set_alpn_protocols([_ALPN])
        return context

    def __str__(self) -> str:
        return ", ".join(map(str, self.endpoints))


def _no_passphrase() -> str:
    """Without this OpenSSL would ask the terminal for the passphrase of a sealed key."""
    raise OSError("sslkey is sealed with a passphrase, and cannot be used")


def parse_listen(text: str) -> Endpoint:
    """`host:port`, `[::1]:port`, `*:port`, or `unix:/directory` with an optional `:port`.

    Raises ValueError for anything else.
    """
    if not text.startswith("unix:"):
        return _host_and_port(text, DEFAULT_LISTEN_PORT)
    directory, colon, port = text.removeprefix("unix:").rpartition(":")
    if not colon:
        directory, port = port, str(DEFAULT_LISTEN_PORT)
    if not directory.startswith("/"):
        raise ValueError("a Unix socket is written unix:/directory")
    return Endpoint(directory.rstrip("/") or "/", _port(port))


def parse_syslog(text: str) -> SyslogAddress:
    """`unix:/dev/log`, `udp://host:514` or `tcp://host:601`. Raises ValueError for anything else."""
    if text.startswith("unix:/"):
        return SyslogAddress("unix", text.removeprefix("unix:"))
    kind, separator, rest = text.partition("://")
    if not separator or kind not in ("udp", "tcp"):
        raise ValueError("must be unix:/path, udp://host:port or tcp://host:port")
    return SyslogAddress(kind, _host_and_port(rest, 514 if kind == "udp" else 601))


def parse_url(text: str, base: Path) -> ServerAddress:
    """Read a connection URL; relative paths of files in it are relative to `base`.

    Raises ValueError, whose message never repeats the URL: somebody may have put a password into it.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or scheme not in ("postgresql", "postgres"):
        raise ValueError("must be a URL: postgresql://host:port/database")
    location, _, query = rest.partition("?")
    authority, _, path = location.partition("/")
    options = _options(query)
    userinfo, at, hosts = authority.rpartition("@")
    user, colon, _ = userinfo.partition(":")
    if colon:
        raise ValueError(_no_secret("password"))
    if at and user:
        options.setdefault("user", unquote(user))
    if path:
        options.setdefault("dbname", unquote(path))
    address = ServerAddress(
        endpoints=_endpoints(hosts, options),
        user=options.get("user"),
        database=options.get("dbname"),
        passfile=_path(options, "passfile", base),
        connect_timeout=_seconds(options.get("connect_timeout", "10")),
    )
    return _with_tls(address, options, base)


def _options(query: str) -> dict[str, str]:
    options: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        if name in _SECRETS:
            raise ValueError(_no_secret(name))
        if name not in _KNOWN:
            raise ValueError(f"unknown parameter {name!r} in the URL (known: {', '.join(_KNOWN)})")
        options[name] = unquote(value)
    return options


def _no_secret(name: str) -> str:
    return f"a {name} does not belong in the configuration: put it into a file and name that (passfile=...)"


def _endpoints(hosts: str, options: Mapping[str, str]) -> tuple[Endpoint, ...]:
    written = [part for part in hosts.split(",") if part] if hosts else []
    if written:
        return tuple(_host_and_port(part, _port(options.get("port", str(DEFAULT_PORT)))) for part in written)
    names = options.get("host", "").split(",") if options.get("host") else []
    if not names:
        raise ValueError("the URL names no host")
    ports = options.get("port", str(DEFAULT_PORT)).split(",")
    if len(ports) not in (1, len(names)):
        raise ValueError("the URL has another number of ports than of hosts")
    ports = ports * len(names) if len(ports) == 1 else ports
    return tuple(Endpoint(name, _port(port)) for name, port in zip(names, ports, strict=True))


def _host_and_port(text: str, default: int) -> Endpoint:
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            raise ValueError("an IPv6 address is written [address]:port")
        return Endpoint(host, _port(rest[1:]) if rest else default)
    host, colon, port = text.partition(":")
    if ":" in port:
        raise ValueError("an IPv6 address is written [address]:port")
    if not host:
        raise ValueError("an address is written host:port")
    return Endpoint(unquote(host), _port(port) if colon else default)


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise ValueError("a port is a number from 1 to 65535")
    return int(text)


def _seconds(text: str) -> float:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("connect_timeout is a whole number of seconds")
    return float(text)


def _path(options: Mapping[str, str], name: str, base: Path) -> str | None:
    return str(base / options[name]) if options.get(name) else None


def _with_tls(address: ServerAddress, options: Mapping[str, str], base: Path) -> ServerAddress:
    """Unless the URL says otherwise, a server on another machine must prove who it is."""
    default = "disable" if all(endpoint.local for endpoint in address.endpoints) else "verify-full"
    sslmode = options.get("sslmode", default)
    if sslmode not in SSLMODES:
        raise ValueError(f"sslmode must be one of {', '.join(SSLMODES)}")
    if ("sslcert" in options) != ("sslkey" in options):
        raise ValueError("sslcert and sslkey go together")
    negotiation = options.get("sslnegotiation", "postgres")
    if negotiation not in ("postgres", "direct") or (negotiation == "direct" and sslmode == "disable"):
        raise ValueError("sslnegotiation must be postgres, or direct where there is TLS")
    roots = options.get("sslrootcert") or (SYSTEM_ROOTS if sslmode.startswith("verify") else None)
    return replace(
        address,
        sslmode=sslmode,
        sslrootcert=roots if roots in (None, SYSTEM_ROOTS) else str(base / roots),
        sslcert=_path(options, "sslcert", base),
        sslkey=_path(options, "sslkey", base),
        direct_tls=negotiation == "direct",
    )
