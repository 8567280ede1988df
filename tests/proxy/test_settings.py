"""Every key of the configuration by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.settings import MESSAGE_LIMIT, SETTINGS, Reader

READER = Reader(Path("/etc/pgveil"))
ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("keys.cache_ttl", "300s", 300),
        ("keys.cache_ttl", "5min", 300),
        ("keys.cache_ttl", "1 h", 3600),
        ("keys.cache_ttl", "250ms", 0.25),
        ("keys.cache_ttl", "7", 7),
        ("max_message_size", "64kB", 65536),
        ("max_message_size", "1GB", MESSAGE_LIMIT),
        ("max_message_size", "2048", 2048),
        ("workers", "4", 4),
        ("max_connections", "0", 0),
        ("tls.required", "True", True),
        ("policy", "policy.yaml", Path("/etc/pgveil/policy.yaml")),
        ("policy", "/srv/policy.yaml", Path("/srv/policy.yaml")),
        ("log_level", "debug", "debug"),
    ],
)
def test_texts_and_their_values(name: str, text: str, value: object) -> None:
    assert SETTINGS[name].parse(text, READER) == value


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("keys.cache_ttl", "5 weeks", "must be a time"),
        ("keys.cache_ttl", "-1s", "must be a time"),
        ("max_message_size", "1 TB", "must be a size"),
        ("max_message_size", "10", "must be from 1kB to 1GB"),
        ("max_message_size", "2GB", "must be from 1kB to 1GB"),
        ("workers", "0", "must be a number from 1 to 1024"),
        ("workers", "٣", "must be a number"),
        ("tls.required", "yes", "must be true or false"),
        ("keys.provider", "locl", "did you mean 'local'"),
        ("upstream", "postgresql://joe@db", "takes no user"),
        ("upstream", "postgresql://db/app", "takes no user and no database"),
        ("maintenance", "postgresql://db/app", "needs a user and a database"),
    ],
)
def test_texts_that_mean_nothing(name: str, text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        SETTINGS[name].parse(text, READER)


def test_every_default_can_be_read() -> None:
    for setting in SETTINGS.values():
        if setting.default is not None:
            assert setting.parse(setting.default, READER) is not None
            assert not setting.required


def test_no_two_keys_share_an_environment_variable() -> None:
    assert len({setting.environment for setting in SETTINGS.values()}) == len(SETTINGS)
    assert SETTINGS["keys.keystore.file"].environment == "PGVEIL_KEYS_KEYSTORE_FILE"


@pytest.mark.parametrize("name", SETTINGS)
def test_every_key_stands_in_the_commented_configuration(name: str) -> None:
    text = (ROOT / "config" / "pgveil.yaml").read_text()
    assert f"{name.rpartition('.')[2]}:" in text
