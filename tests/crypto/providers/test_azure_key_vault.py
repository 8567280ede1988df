"""Azure Key Vault, against a small server of ours after https://learn.microsoft.com/rest/api/keyvault/keys."""

from __future__ import annotations

import base64
import hashlib
import os
import socket
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from crypto.envelope import length_prefixed
from crypto.errors import KeystoreError, ProviderError, ProviderUnavailable
from crypto.hierarchy import create_dek, open_dek
from crypto.keyset import KeyType
from crypto.providers import Versioned
from crypto.providers.azure_key_vault import open_provider
from crypto.providers.service import ServiceProvider
from crypto.providers.settings import AzureSettings
from tests.crypto.providers.http_server import Answer, Request, serve
from tests.crypto.providers.renewal import renews
from tests.crypto.stores import new_record
from tests.postgres import Certificates, make_certificates

pytestmark = pytest.mark.emulated

HOST = "team.vault.localhost"
OAEP = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
PSS = padding.PSS(padding.MGF1(hashes.SHA256()), 32)


class KeyVault:
    """One key with versions, and the identity of the platform. `faults` are answered first."""

    def __init__(self, hardware: bool) -> None:
        self.hardware = hardware  # a Managed HSM, with an AES key
        self.versions: dict[str, Any] = {}
        self.disabled: set[str] = set()
        self.tokens: set[str] = set()  # that are good
        self.logins = 0
        self.faults: list[Answer] = []
        self.port = 0
        self._rotate()

    @property
    def newest(self) -> str:
        return list(self.versions)[-1]

    def identity(self, request: Request) -> Answer:
        """The endpoint for managed identities that App Service gives to a process."""
        if request.headers["X-IDENTITY-HEADER"] != "of the platform":
            return Answer(401, {"statusCode": 401, "message": "kanarie"})
        self.logins += 1
        self.tokens.add(token := f"eyJ.{self.logins}")
        ends = str(int(time.time()) + 3600)
        return Answer(200, {"access_token": token, "expires_on": ends, "token_type": "Bearer"})

    def answer(self, request: Request) -> Answer:
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            resource = f"https://vault.localhost:{self.port}"
            challenge = f'Bearer authorization="https://login.localhost/tenant", resource="{resource}"'
            return Answer(401, failure("Unauthorized"), {"WWW-Authenticate": challenge})
        if self.faults:
            return self.faults.pop()
        _, keys, name, *rest = urlsplit(request.path).path.split("/")
        if (keys, name) != ("keys", "pgveil"):
            return Answer(404, failure("KeyNotFound"))
        if rest == ["rotate"]:
            self._rotate()
            return Answer(200, self._bundle(self.newest))
        version = rest[0] if rest and rest[0] else self.newest
        if version not in self.versions:
            return Answer(404, failure("KeyNotFound"))
        if version in self.disabled:
            return Answer(403, failure("Forbidden", "KeyDisabled"))
        if request.method == "GET":
            return Answer(200, self._bundle(version))
        return self._operate(version, rest[1], request.json)

    def _operate(self, version: str, verb: str, asked: dict[str, Any]) -> Answer:
        key, value = self.versions[version], decoded(asked["value"])
        if verb == "verify":
            return self._verify(key, decoded(asked["digest"]), value)
        try:
            match (verb, asked["alg"]):
                case ("wrapkey", "A256KW"):
                    result = keywrap.aes_key_wrap(key, value)
                case ("unwrapkey", "A256KW"):
                    result = keywrap.aes_key_unwrap(key, value)
                case ("wrapkey", "RSA-OAEP-256"):
                    result = key.public_key().encrypt(value, OAEP)
                case ("unwrapkey", "RSA-OAEP-256"):
                    result = key.decrypt(value, OAEP)
                case ("sign", "PS256"):
                    result = key.sign(value, PSS, Prehashed(hashes.SHA256()))
                case _:
                    return Answer(400, failure("BadParameter"))
        except (ValueError, keywrap.InvalidUnwrap):
            return Answer(400, failure("BadParameter"))
        return Answer(200, {"kid": self._kid(version), "value": encoded(result)})

    def _verify(self, key: Any, digest: bytes, signature: bytes) -> Answer:
        try:
            key.public_key().verify(signature, digest, PSS, Prehashed(hashes.SHA256()))
        except InvalidSignature:
            return Answer(200, {"value": False})
        return Answer(200, {"value": True})

    def _rotate(self) -> None:
        made = os.urandom(32) if self.hardware else rsa.generate_private_key(65537, 2048)
        self.versions[os.urandom(16).hex()] = made

    def _kid(self, version: str) -> str:
        return f"https://{HOST}:{self.port}/keys/pgveil/{version}"

    def _bundle(self, version: str) -> dict[str, Any]:
        key: dict[str, Any] = {
            "kid": self._kid(version),
            "key_ops": ["wrapKey", "unwrapKey", "sign", "verify"],
        }
        if self.hardware:
            key["kty"] = "oct-HSM"
        else:
            public = self.versions[version].public_key().public_numbers()
            key |= {"kty": "RSA", "n": encoded(number(public.n)), "e": encoded(number(public.e))}
        return {"key": key, "attributes": {"enabled": True, "created": 1767225600, "updated": 1767225600}}


def number(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def failure(code: str, inner: str | None = None) -> dict[str, Any]:
    error: dict[str, Any] = {"code": code, "message": "kanarie"}
    return {"error": error | ({"innererror": {"code": inner}} if inner else {})}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return make_certificates(tmp_path_factory.mktemp("azure"), HOST)


@pytest.fixture(params=[False, True], ids=["rsa", "hsm"])
def hardware(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def vault(hardware: bool) -> KeyVault:
    return KeyVault(hardware)


@pytest.fixture
def settings(
    vault: KeyVault, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AzureSettings]:
    """The vault by its name, and a platform with an identity."""
    look_up = socket.getaddrinfo

    def look_up_here(host: str, *more: Any, **options: Any) -> Any:
        return look_up("127.0.0.1" if host == HOST else host, *more, **options)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
    with (
        serve(vault.answer, (certificates.server, certificates.server_key)) as port,
        serve(vault.identity) as identity,
    ):
        vault.port = port
        monkeypatch.setenv("IDENTITY_ENDPOINT", f"http://127.0.0.1:{identity}/msi/token")
        monkeypatch.setenv("IDENTITY_HEADER", "of the platform")
        yield AzureSettings(key=f"https://{HOST}:{port}/keys/pgveil", ca=certificates.authority, timeout=5.0)


@pytest.fixture
async def provider(settings: AzureSettings) -> AsyncIterator[ServiceProvider]:
    opened = open_provider(settings)
    yield opened
    await opened.close()


async def test_what_one_process_wraps_another_unwraps(
    provider: ServiceProvider, settings: AzureSettings, vault: KeyVault
) -> None:
    wrapped = await provider.wrap(b"a data key of 32 bytes, no less.", b"context")
    other = open_provider(settings)
    assert await other.unwrap(wrapped, b"context") == b"a data key of 32 bytes, no less."
    await other.close()
    assert provider.reference == f"azure-key-vault:{HOST}:{vault.port}/pgveil"
    assert isinstance(provider, Versioned)
    await provider.health()
    told = await provider.describe()
    assert (told["type"], told["version"]) == ("oct-HSM" if vault.hardware else "RSA", vault.newest)
    assert not any(token in repr(provider) for token in vault.tokens)


async def test_a_data_key_opens_for_its_record_only(provider: ServiceProvider) -> None:
    """RSA's wrap is signed with its context; AES key wrap has none, and the key hash tells."""
    record, _ = await create_dek(new_record((), KeyType.DEK, "public.users", "aes-256-gcm", None), provider)
    await open_dek(record, provider)
    other, _ = await create_dek(new_record((), KeyType.DEK, "public.other", "aes-256-gcm", None), provider)
    with pytest.raises(KeystoreError, match="does not open"):
        await open_dek(replace(record, encrypted_key=other.encrypted_key), provider)


@pytest.mark.parametrize("hardware", [False], indirect=True, ids=["rsa"])
async def test_a_key_that_somebody_else_has_wrapped_is_refused(
    provider: ServiceProvider, vault: KeyVault
) -> None:
    """Whoever knows the public half of an RSA key can wrap with it, and plant a key that he knows."""
    genuine = await provider.wrap(bytes(32), b"context")
    public = vault.versions[vault.newest].public_key()
    planted = public.encrypt(bytes([1] * 32), OAEP)
    stranger = rsa.generate_private_key(65537, 2048)
    digest = hashlib.sha256(
        length_prefixed(b"pgveil v1 azure key vault", vault.newest.encode(), planted, b"context")
    ).digest()
    forged = stranger.sign(digest, PSS, Prehashed(hashes.SHA256()))
    signature = genuine[-256:]
    for attempt in (b"", signature, forged):
        wrapped = b"\x01" + length_prefixed(vault.newest.encode(), planted, attempt)
        with pytest.raises(ProviderError, match="wrapped by another key"):
            await provider.unwrap(wrapped, b"context")
    with pytest.raises(ProviderError, match="for another record"):
        await provider.unwrap(genuine, b"other")
    assert await provider.unwrap(genuine, b"context") == bytes(32)


async def test_an_altered_wrap_does_not_open(provider: ServiceProvider) -> None:
    wrapped = await provider.wrap(bytes(32), b"context")
    for position in (0, 1, 5, 40, len(wrapped) - 3):
        altered = bytearray(wrapped)
        altered[position] ^= 1
        with pytest.raises(ProviderError) as told:
            await provider.unwrap(bytes(altered), b"context")
        assert not isinstance(told.value, ProviderUnavailable)
    for cut in (b"", wrapped[:1], wrapped[:-1], wrapped + b"\0"):
        with pytest.raises(ProviderError, match="it was altered"):
            await provider.unwrap(cut, b"context")


async def test_a_new_version_wraps_and_old_ones_open_until_they_are_disabled(
    provider: ServiceProvider, vault: KeyVault
) -> None:
    first = await provider.wrap(bytes(32), b"context")
    old = vault.newest
    await provider.rotate()
    again = await provider.rewrap(first, b"context")
    assert old.encode() in first
    assert vault.newest.encode() in again
    assert await provider.unwrap(first, b"context") == bytes(32)
    vault.disabled.add(old)
    with pytest.raises(ProviderError, match=r"not allowed .KeyDisabled.") as told:
        await provider.unwrap(first, b"context")
    assert not isinstance(told.value, ProviderUnavailable)
    assert await provider.unwrap(again, b"context") == bytes(32)


async def test_a_keystore_is_renewed(provider: ServiceProvider) -> None:
    await renews(provider)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("hardware", [False], indirect=True, ids=["rsa"])
@pytest.mark.parametrize(
    ("status", "body", "outage", "says"),
    [
        (429, failure("Throttled"), True, "status 429"),
        (500, failure("InternalServerError"), True, "status 500"),
        (503, None, True, "status 503"),
        (403, failure("Forbidden", "ForbiddenByPolicy"), False, "not allowed .ForbiddenByPolicy."),
        (403, failure("Forbidden", "ForbiddenByFirewall"), False, "not allowed .ForbiddenByFirewall."),
        (404, failure("KeyNotFound"), False, "no such key"),
    ],
)
async def test_what_an_error_means(
    provider: ServiceProvider, vault: KeyVault, status: int, body: Any, outage: bool, says: str
) -> None:
    await provider.health()
    vault.faults = [Answer(status, body)] * 2
    if outage:
        await provider.health()
        vault.faults = [Answer(status, body)] * 10
    with pytest.raises(ProviderError, match=says) as told:
        await provider.wrap(bytes(32), b"context")
    assert isinstance(told.value, ProviderUnavailable) is outage
    assert "kanarie" not in str(told.value)


@pytest.mark.parametrize("hardware", [False], indirect=True, ids=["rsa"])
async def test_an_expired_token_is_replaced(provider: ServiceProvider, vault: KeyVault) -> None:
    await provider.health()
    vault.tokens.clear()
    await provider.health()
    assert vault.logins == 2


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("hardware", [False], indirect=True, ids=["rsa"])
async def test_what_keeps_it_from_logging_in(
    settings: AzureSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    untrusting = open_provider(AzureSettings(key=settings.key, timeout=2.0))
    with pytest.raises(ProviderError, match="certificate is not one that is trusted"):
        await untrusting.health()
    away = open_provider(AzureSettings(key=f"https://{HOST}:9/keys/pgveil", timeout=2.0))
    with pytest.raises(ProviderUnavailable, match=r"has been away since .*connection refused"):
        await away.health()
    monkeypatch.setenv("IDENTITY_HEADER", "of somebody else")
    stranger = open_provider(settings)
    with pytest.raises(ProviderError, match="login was refused"):
        await stranger.health()
    for opened in (stranger, untrusting, away):
        await opened.close()
