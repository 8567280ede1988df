"""The configuration: from a file, from the environment, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from crypto.providers.settings import SERVICES, VaultSettings
from proxy.addresses import Endpoint
from proxy.config import Config, ConfigError, load

ROOT = Path(__file__).parent.parent.parent
LEAST = "upstream: postgresql://127.0.0.1\nmaintenance: postgresql://pgveil@127.0.0.1/app\n"


def loaded(directory: Path, text: str = LEAST, environ: Mapping[str, str] | None = None) -> Config:
    (directory / "pgveil.yaml").write_text(text)
    return load(directory / "pgveil.yaml", environ or {})


def wrong(directory: Path, text: str = LEAST, environ: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with it, without the file's name."""
    with pytest.raises(ConfigError) as caught:
        loaded(directory, text, environ)
    return [finding.removeprefix(f"{directory}/pgveil.yaml:") for finding in caught.value.findings]


def test_the_configuration_that_comes_with_pgveil_loads() -> None:
    config = load(ROOT / "config" / "pgveil.yaml", {})
    assert config.listen == (Endpoint("127.0.0.1", 6432),)
    assert config.admin == Endpoint("127.0.0.1", 9632)
    assert config.policy == ROOT / "config" / "policy.yaml"
    assert config.keys.keystore.file == ROOT / "config" / "keys" / "keystore.json"
    assert (config.maintenance.user, config.maintenance.database) == ("pgveil", "app")
    assert config.tls is None
    assert config.warnings == ()


def test_two_lines_are_enough(tmp_path: Path) -> None:
    config = loaded(tmp_path)
    assert config.listen == (Endpoint("127.0.0.1", 6432),)
    assert config.admin is None
    assert (config.workers, config.max_connections, config.max_message_size) == (1, 0, 2**30 - 1)
    assert (config.startup_timeout, config.drain_timeout, config.catalog_poll) == (60, 30, 10)
    assert (config.keys.provider, config.keys.cache_ttl, config.log_level) == ("local", 300, "info")
    assert config.keys.local.file == tmp_path / "keys" / "master.key"
    assert config.keys.keystore.file == tmp_path / "keys" / "keystore.json"
    assert config.policy == tmp_path / "policy.yaml"


def test_the_environment_goes_before_the_file(tmp_path: Path) -> None:
    environ = {
        "PGVEIL_WORKERS": "3",
        "PGVEIL_LISTEN": "0.0.0.0:6432, unix:/run/pgveil",
        "PGVEIL_KEYS_CACHE_TTL": "1min",
        "PGVEIL_TLS_CERTIFICATE": "a.crt",
        "PGVEIL_TLS_KEY": "/etc/a.key",
    }
    config = loaded(tmp_path, LEAST + "workers: 2\n", environ)
    assert config.workers == 3
    assert config.listen == (Endpoint("0.0.0.0", 6432), Endpoint("/run/pgveil", 6432))
    assert config.keys.cache_ttl == 60
    assert config.tls is not None
    assert (config.tls.certificate, config.tls.key) == (tmp_path / "a.crt", Path("/etc/a.key"))


def test_the_environment_alone_is_enough() -> None:
    environ = {
        "PGVEIL_UPSTREAM": "postgresql://db?sslmode=require",
        "PGVEIL_MAINTENANCE": "postgresql://pgveil@db/app?sslmode=require",
    }
    config = load(None, environ)
    assert config.upstream.sslmode == "require"
    assert config.policy == Path.cwd() / "policy.yaml"


def test_a_misspelt_variable_is_warned_of_and_those_of_kubernetes_are_not(tmp_path: Path) -> None:
    environ = {
        "PGVEIL_POLCY": "x",
        "PGVEIL_CONFIG": "x",
        "PGVEIL_PORT": "tcp://10.0.0.1:6432",
        "PGVEIL_PORT_6432_TCP_ADDR": "10.0.0.1",
        "PGVEIL_SERVICE_HOST": "10.0.0.1",
        "HOME": "/",
    }
    assert loaded(tmp_path, LEAST, environ).warnings == (
        "environment variable PGVEIL_POLCY: no such setting (did you mean 'PGVEIL_POLICY'?)",
    )


def test_every_mistake_is_told_at_once_with_its_place(tmp_path: Path) -> None:
    text = """\
listen: [127.0.0.1:6432, "unix:run/pgveil", {a: b}]
upstream: postgresql://joe:hunter2@db1
maintenance: [postgresql://a@b/c, postgresql://a@b/c]
tls: {certificate: a.crt}
keys: {provider: locl, cache_ttl: 5 weeks, keystore: {files: x}, local: y}
wrkers: 2
policy:
"""
    assert wrong(tmp_path, text, {"PGVEIL_WORKERS": "0"}) == [
        "1:1: maintenance is not set",
        "1:1: tls.key is not set, and TLS needs it",
        "1:26: listen: a Unix socket is written unix:/directory",
        "1:45: listen must be a single value",
        "2:11: upstream: a password does not belong in the configuration: put it into a file and name that "
        "(passfile=...)",
        "3:14: maintenance must be a single value",
        "5:18: keys.provider: must be one of local, vault, aws-kms, gcp-kms, azure-key-vault (did you mean "
        "'local'?)",
        "5:35: keys.cache_ttl: must be a time: a number with ms, s, min, h or d (seconds if there is none)",
        "5:55: unknown key 'files' in keys.keystore (did you mean 'file'?)",
        "5:73: keys.local must be a mapping (key: value)",
        "6:1: unknown key 'wrkers' in the configuration (did you mean 'workers'?)",
        "environment variable PGVEIL_WORKERS: workers: must be a number from 1 to 1024",
    ]


def test_a_secret_in_the_environment_is_not_repeated(tmp_path: Path) -> None:
    (finding,) = wrong(tmp_path, LEAST, {"PGVEIL_MAINTENANCE": "postgresql://a:hunter2@b/c"})
    assert finding.startswith(
        "environment variable PGVEIL_MAINTENANCE: maintenance: a password does not belong"
    )
    assert "hunter2" not in finding


def test_what_must_be_set_and_is_not(tmp_path: Path) -> None:
    assert wrong(tmp_path, "workers: 1\n") == ["1:1: upstream is not set", "1:1: maintenance is not set"]
    with pytest.raises(ConfigError, match=r"^the environment: upstream is not set\nthe environment: main"):
        load(None, {})


@pytest.mark.parametrize("tls", ["{required: true}", "{client_ca: ca.crt}"])
def test_tls_needs_a_certificate_and_a_key(tmp_path: Path, tls: str) -> None:
    assert len(wrong(tmp_path, LEAST + f"tls: {tls}\n")) == 2


def test_a_keystore_is_in_one_place(tmp_path: Path) -> None:
    both = "keys: {keystore: {file: a, url: 'postgresql://a@127.0.0.1/c'}}\n"
    assert wrong(tmp_path, LEAST + both) == ["3:33: keys.keystore has both a file and a url"]
    config = loaded(tmp_path, LEAST + both.replace("file: a, ", ""))
    assert config.keys.keystore.file is None
    assert config.keys.keystore.url is not None


@pytest.mark.parametrize("text", ["", "listen: [", "- a"])
def test_a_file_that_is_no_configuration_is_one_line(tmp_path: Path, text: str) -> None:
    (finding,) = wrong(tmp_path, text)
    assert "\n" not in finding


def test_no_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^.*/none\.yaml: No such file or directory$"):
        load(tmp_path / "none.yaml", {})


def test_a_key_service_has_what_its_section_says(tmp_path: Path) -> None:
    text = (
        LEAST
        + """\
keys:
  provider: vault
  vault:
    {address: "https://vault:8200/", key: pgveil, timeout: 500ms,
     login: approle, role_id_file: a, secret_id_file: /b}
  aws-kms: {key: alias/ignored}
"""
    )
    service = loaded(tmp_path, text, {"PGVEIL_KEYS_VAULT_NAMESPACE": "team/"}).keys.service
    assert service == VaultSettings(
        address="https://vault:8200",
        key="pgveil",
        namespace="team",
        login="approle",
        role_id_file=tmp_path / "a",
        secret_id_file=Path("/b"),
        timeout=0.5,
    )
    assert loaded(tmp_path, LEAST).keys.service is None


@pytest.mark.parametrize("provider", SERVICES)
def test_a_dash_is_an_underscore_in_the_environment(tmp_path: Path, provider: str) -> None:
    prefix = "PGVEIL_KEYS_" + provider.replace("-", "_").upper()
    keys = {
        "gcp-kms": "projects/p/locations/l/keyRings/r/cryptoKeys/k",
        "azure-key-vault": "https://team.vault.azure.net/keys/k",
    }
    key = keys.get(provider, "k")
    environ = {"PGVEIL_KEYS_PROVIDER": provider, f"{prefix}_KEY": key, f"{prefix}_TIMEOUT": "2s"}
    if provider == "vault":
        environ |= {f"{prefix}_ADDRESS": "http://127.0.0.1:8200", f"{prefix}_TOKEN_FILE": "token"}
    service = loaded(tmp_path, LEAST, environ).keys.service
    assert isinstance(service, SERVICES[provider])
    assert (service.key, service.timeout) == (key, 2.0)


@pytest.mark.parametrize(
    ("keys", "findings"),
    [
        ("{provider: vault}", ["address", "key", "token_file"]),
        (
            "{provider: vault, vault: {engine: kv, login: approle}}",
            ["address", "path", "role_id_file", "secret_id_file"],
        ),
        ("{provider: vault, vault: {address: 'https://v', key: k, login: kubernetes}}", ["role"]),
        (
            "{provider: vault, vault: {address: 'https://v', key: k, login: certificate}}",
            ["certificate", "private_key"],
        ),
        ("{provider: aws-kms}", ["key"]),
        ("{provider: gcp-kms}", ["key"]),
        ("{provider: azure-key-vault}", ["key"]),
        (
            "{provider: azure-key-vault, azure-key-vault: {key: 'https://v/keys/k', client_secret_file: a}}",
            ["tenant", "client_id"],
        ),
    ],
)
def test_what_a_key_service_lacks_is_named(tmp_path: Path, keys: str, findings: list[str]) -> None:
    found = wrong(tmp_path, LEAST + f"keys: {keys}\n")
    assert len(found) == len(findings)
    for name, finding in zip(findings, found, strict=True):
        assert f".{name} is not set, and " in finding


@pytest.mark.parametrize(
    "setting",
    [
        "vault: {address: 'http://vault.example.org'}",  # the token would go in clear
        "vault: {address: 'https://joe:hunter2@vault'}",
        "vault: {address: 'vault:8200'}",
        "vault: {mount: ../sys}",
        "vault: {timeout: 0s}",
        "aws-kms: {endpoint: 'http://kms.example.org'}",
        "gcp-kms: {key: projects/p/locations/l/keyRings/r/cryptoKeys/k/cryptoKeyVersions/1}",
        "azure-key-vault: {key: 'http://team.vault.azure.net/keys/k'}",
        "azure-key-vault: {key: 'https://team.vault.azure.net/keys/k/0123'}",
    ],
)
def test_what_cannot_be_a_setting_of_a_key_service(tmp_path: Path, setting: str) -> None:
    """Also where another provider is chosen."""
    assert "must be" in " ".join(wrong(tmp_path, LEAST + f"keys:\n  {setting}\n"))
    assert "hunter2" not in " ".join(wrong(tmp_path, LEAST + f"keys:\n  {setting}\n"))
