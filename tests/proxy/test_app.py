"""What connections go by, made of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy import config
from proxy.app import settings
from proxy.config import ConfigError
from tests.postgres import make_certificates


def configured(directory: Path, **keys: Any) -> config.Config:
    given = {
        "upstream": "postgresql://127.0.0.1:5432",
        "maintenance": "postgresql://pgveil@127.0.0.1:5432/app",
        **keys,
    }
    path = directory / "pgveil.yaml"
    path.write_text(yaml.safe_dump(given))
    return config.load(path, {})


def test_the_upstream_of_a_url(tmp_path: Path) -> None:
    url = "postgresql://a.example,b.example:5433?sslmode=require&sslnegotiation=direct&connect_timeout=3"
    upstream = settings(configured(tmp_path, upstream=url)).upstream
    assert [str(host) for host in upstream.hosts] == ["a.example:5432", "b.example:5433"]
    assert upstream.context is not None
    assert upstream.direct
    assert upstream.connect_timeout == 3


def test_limits(tmp_path: Path) -> None:
    found = settings(configured(tmp_path, max_connections=7, startup_timeout="5s"))
    assert (found.max_connections, found.startup_timeout, found.tls) == (7, 5.0, None)


def test_tls_towards_clients(tmp_path: Path) -> None:
    files = make_certificates(tmp_path)
    tls = {"certificate": str(files.server), "key": str(files.server_key), "required": True}
    found = settings(configured(tmp_path, tls=tls)).tls
    assert found is not None
    assert found.required
    assert found.certificate[0] == 0x30  # DER


@pytest.mark.parametrize(
    ("option", "content"),
    [("sslrootcert", None), ("sslrootcert", "no certificate"), ("sslcert", None)],
)
def test_a_file_of_the_upstreams_tls_that_cannot_be_used(
    tmp_path: Path, option: str, content: str | None
) -> None:
    file = tmp_path / "file.crt"
    if content is not None:
        file.write_text(content)
    more = f"&sslkey={file}" if option == "sslcert" else ""
    url = f"postgresql://db.example?sslmode=verify-full&{option}={file}{more}"
    with pytest.raises(ConfigError, match=r"file\.crt(: No such file| cannot be used)"):
        settings(configured(tmp_path, upstream=url))
