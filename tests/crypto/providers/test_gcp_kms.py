"""Google Cloud KMS, against a small server of ours after https://cloud.google.com/kms/docs/reference/rest."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import google_crc32c
import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from crypto.errors import ProviderError, ProviderUnavailable
from crypto.providers import Versioned
from crypto.providers.gcp_kms import open_provider
from crypto.providers.service import ServiceProvider
from crypto.providers.settings import GcpSettings
from tests.crypto.providers.http_server import Answer, Request, serve
from tests.crypto.providers.renewal import renews
from tests.openbao import private

pytestmark = pytest.mark.emulated

KEY = "projects/p/locations/global/keyRings/r/cryptoKeys/pgveil"


class CloudKms:
    """One symmetric key with versions, and one service account, which signs its own tokens.

    `faults` are answered first; `damage` changes an answer's body.
    """

    def __init__(self, account: rsa.RSAPublicKey) -> None:
        self._account = account
        self.versions: dict[int, tuple[bytes, str]] = {1: (os.urandom(32), "ENABLED")}
        self.primary = 1
        self.tokens: list[str] = []  # the last one is good
        self.faults: list[Answer] = []
        self.damage: Callable[[dict[str, Any]], None] = lambda body: None

    def answer(self, request: Request) -> Answer:
        if request.path == "/token":
            return self._login(parse_qs(request.body.decode())["assertion"][0])
        if request.headers.get("Authorization", "") != f"Bearer {self.tokens[-1]}":
            return failure(401, "UNAUTHENTICATED", "Request had invalid authentication credentials.")
        if self.faults:
            return self.faults.pop()
        path = request.path.partition("?")[0].removeprefix("/v1/")
        name, _, verb = path.partition(":")
        if not name.startswith(KEY):
            return failure(404, "NOT_FOUND", f"CryptoKey {name} not found.")
        body = self._verbs(request, name, verb)
        if isinstance(body, dict):
            self.damage(body)
            return Answer(200, body)
        return body

    def _login(self, assertion: str) -> Answer:
        head, claims, signature = (unpadded(part) for part in assertion.split("."))
        signed = assertion.rpartition(".")[0].encode()
        self._account.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
        assert json.loads(head)["alg"] == "RS256"
        told = json.loads(claims)
        assert told["aud"].endswith("/token")
        assert told["scope"] == "https://www.googleapis.com/auth/cloudkms"
        self.tokens.append(f"ya29.{len(self.tokens)}")
        return Answer(200, {"access_token": self.tokens[-1], "expires_in": 3600, "token_type": "Bearer"})

    def _verbs(self, request: Request, name: str, verb: str) -> dict[str, Any] | Answer:
        if verb == "encrypt":
            return self._encrypt(request.json)
        if verb == "decrypt":
            return self._decrypt(request.json)
        if verb == "updatePrimaryVersion":
            self.primary = int(request.json["cryptoKeyVersionId"])
            return self._key()
        if name.endswith("/cryptoKeyVersions"):
            self.versions[max(self.versions) + 1] = (os.urandom(32), "PENDING_GENERATION")
            return self._version(max(self.versions))
        if "/cryptoKeyVersions/" in name:
            number = int(name.rpartition("/")[2])
            self.versions[number] = (self.versions[number][0], "ENABLED")
            return self._version(number)
        return self._key()

    def _encrypt(self, asked: dict[str, Any]) -> dict[str, Any] | Answer:
        key, state = self.versions[self.primary]
        if state != "ENABLED":
            return self._disabled(self.primary)
        plaintext, context = decoded(asked, "plaintext"), decoded(asked, "additionalAuthenticatedData")
        nonce = os.urandom(12)
        ciphertext = bytes([self.primary]) + nonce + AESGCM(key).encrypt(nonce, plaintext, context)
        return {
            "name": f"{KEY}/cryptoKeyVersions/{self.primary}",
            "ciphertext": base64.b64encode(ciphertext).decode(),
            "ciphertextCrc32c": str(google_crc32c.value(ciphertext)),
            "verifiedPlaintextCrc32c": True,
            "verifiedAdditionalAuthenticatedDataCrc32c": True,
        }

    def _decrypt(self, asked: dict[str, Any]) -> dict[str, Any] | Answer:
        ciphertext, context = decoded(asked, "ciphertext"), decoded(asked, "additionalAuthenticatedData")
        version = ciphertext[0] if ciphertext else 0
        if version not in self.versions:
            return failure(400, "INVALID_ARGUMENT", "Decryption failed: the ciphertext is invalid.")
        key, state = self.versions[version]
        if state != "ENABLED":
            return self._disabled(version)
        try:
            plaintext = AESGCM(key).decrypt(ciphertext[1:13], ciphertext[13:], context)
        except InvalidTag:
            return failure(
                400,
                "INVALID_ARGUMENT",
                "Decryption failed: verify that 'name' refers to the correct CryptoKey.",
            )
        return {
            "plaintext": base64.b64encode(plaintext).decode(),
            "plaintextCrc32c": str(google_crc32c.value(plaintext)),
        }

    def _disabled(self, version: int) -> Answer:
        said = f"{KEY}/cryptoKeyVersions/{version} is not enabled, current state is: DISABLED."
        return failure(400, "FAILED_PRECONDITION", said)

    def _key(self) -> dict[str, Any]:
        return {"name": KEY, "purpose": "ENCRYPT_DECRYPT", "primary": self._version(self.primary)}

    def _version(self, number: int) -> dict[str, Any]:
        return {
            "name": f"{KEY}/cryptoKeyVersions/{number}",
            "state": self.versions[number][1],
            "protectionLevel": "SOFTWARE",
            "createTime": "2026-01-01T00:00:00Z",
        }


def unpadded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def decoded(asked: dict[str, Any], name: str) -> bytes:
    """A field of a request, proved by its CRC32C."""
    data = base64.b64decode(asked.get(name, ""))
    assert int(asked[name + "Crc32c"]) == google_crc32c.value(data)
    return data


def failure(code: int, status: str, message: str) -> Answer:
    return Answer(code, {"error": {"code": code, "message": message, "status": status}})


@pytest.fixture(scope="module")
def account() -> rsa.RSAPrivateKey:
    """The key of a service account."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture
def service(account: rsa.RSAPrivateKey) -> CloudKms:
    return CloudKms(account.public_key())


@pytest.fixture
def settings(service: CloudKms, account: rsa.RSAPrivateKey, tmp_path: Path) -> Iterator[GcpSettings]:
    pem = account.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    with serve(service.answer) as port:
        fields = {
            "type": "service_account",
            "client_email": "pgveil@p.iam.gserviceaccount.com",
            "private_key": pem.decode(),
            "private_key_id": "1",
            "token_uri": f"http://127.0.0.1:{port}/token",
        }
        file = private(tmp_path / "account.json", json.dumps(fields))
        yield GcpSettings(key=KEY, endpoint=f"http://127.0.0.1:{port}", credentials_file=file, timeout=5.0)


@pytest.fixture
async def provider(settings: GcpSettings) -> AsyncIterator[ServiceProvider]:
    opened = open_provider(settings)
    yield opened
    await opened.close()


async def test_what_one_process_wraps_another_unwraps(
    provider: ServiceProvider, settings: GcpSettings
) -> None:
    wrapped = await provider.wrap(b"a data encryption key", b"context")
    other = open_provider(settings)
    assert await other.unwrap(wrapped, b"context") == b"a data encryption key"
    await other.close()
    assert provider.reference == f"gcp-kms:{KEY}"
    assert isinstance(provider, Versioned)
    await provider.health()
    told = await provider.describe()
    assert (told["version"], told["state"], told["protection"]) == ("1", "enabled", "software")


async def test_another_context_or_an_altered_wrap_does_not_open(provider: ServiceProvider) -> None:
    wrapped = await provider.wrap(b"key", b"context")
    altered = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for other, context in ((wrapped, b"other"), (altered, b"context"), (b"", b"context")):
        with pytest.raises(ProviderError, match="Decryption failed") as told:
            await provider.unwrap(other, context)
        assert not isinstance(told.value, ProviderUnavailable)


async def test_a_new_version_wraps_and_old_ones_open_until_they_are_disabled(
    provider: ServiceProvider, service: CloudKms
) -> None:
    first = await provider.wrap(b"key", b"context")
    await provider.rotate()
    again = await provider.rewrap(first, b"context")
    assert (first[0], again[0]) == (1, 2)
    assert await provider.unwrap(first, b"context") == b"key"
    service.versions[1] = (service.versions[1][0], "DISABLED")
    with pytest.raises(ProviderError, match="is not enabled") as told:
        await provider.unwrap(first, b"context")
    assert not isinstance(told.value, ProviderUnavailable)
    assert await provider.unwrap(again, b"context") == b"key"


async def test_a_keystore_is_renewed(provider: ServiceProvider) -> None:
    await renews(provider)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("verb", "name", "value"),
    [
        ("wrap", "verifiedPlaintextCrc32c", False),
        ("wrap", "verifiedAdditionalAuthenticatedDataCrc32c", False),
        ("wrap", "ciphertextCrc32c", "1"),
        ("unwrap", "plaintextCrc32c", "1"),
    ],
)
async def test_what_was_damaged_on_its_way_is_asked_for_again(
    provider: ServiceProvider, service: CloudKms, verb: str, name: str, value: Any
) -> None:
    wrapped = await provider.wrap(b"key", b"context")
    damaged = 0

    def damage(body: dict[str, Any]) -> None:
        nonlocal damaged
        if name in body and damaged < 2:
            damaged += 1
            body[name] = value

    service.damage = damage
    if verb == "wrap":
        wrapped = await provider.wrap(b"key", b"context")
    assert await provider.unwrap(wrapped, b"context") == b"key"
    assert damaged == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("code", "status", "outage"),
    [
        (429, "RESOURCE_EXHAUSTED", True),
        (500, "INTERNAL", True),
        (503, "UNAVAILABLE", True),
        (504, "DEADLINE_EXCEEDED", True),
        (403, "PERMISSION_DENIED", False),
        (404, "NOT_FOUND", False),
        (400, "FAILED_PRECONDITION", False),
    ],
)
async def test_what_an_error_means(
    provider: ServiceProvider, service: CloudKms, code: int, status: str, outage: bool
) -> None:
    service.faults = [failure(code, status, "as told")] * 2
    if outage:
        await provider.health()
        assert service.faults == []
        service.faults = [failure(code, status, "as told")] * 10
    with pytest.raises(ProviderError) as told:
        await provider.wrap(b"key", b"context")
    assert isinstance(told.value, ProviderUnavailable) is outage
    assert outage or "as told" in str(told.value)


async def test_an_expired_token_is_replaced(provider: ServiceProvider, service: CloudKms) -> None:
    await provider.health()
    service.tokens.append("of another login")
    await provider.health()
    assert len(service.tokens) == 3
    assert not any(token in repr(provider) for token in service.tokens)


@pytest.mark.usefixtures("impatient")
async def test_what_keeps_it_from_logging_in(
    provider: ServiceProvider, settings: GcpSettings, tmp_path: Path
) -> None:
    other = private(tmp_path / "other", '{"type": "kanarie"}')
    unfit = open_provider(GcpSettings(key=KEY, credentials_file=other, timeout=1.0))
    with pytest.raises(ProviderError, match="other: is not the key of a service account"):
        await unfit.health()
    away = open_provider(
        GcpSettings(
            key=KEY, endpoint="http://127.0.0.1:9", credentials_file=settings.credentials_file, timeout=1.0
        )
    )
    with pytest.raises(ProviderUnavailable, match=r"has been away since .*connection refused"):
        await away.health()
    for opened in (unfit, away):
        await opened.close()
