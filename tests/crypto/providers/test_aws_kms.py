"""AWS KMS: against moto's server, and for what moto never does against a small server of ours."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from crypto.errors import ProviderError, ProviderUnavailable
from crypto.providers import Versioned
from crypto.providers.aws_kms import open_provider
from crypto.providers.service import ServiceProvider
from crypto.providers.settings import AwsSettings
from tests.crypto.providers.http_server import Answer, Request, serve
from tests.crypto.providers.renewal import renews
from tests.openbao import private

SECRET = "kanarie/aws/secret"


@pytest.fixture(autouse=True)
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A credentials file with the profile `pgveil`; nothing of the environment's counts."""
    file = private(
        tmp_path / "credentials", f"[pgveil]\naws_access_key_id = AKIA0\naws_secret_access_key = {SECRET}\n"
    )
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return file


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def kms(endpoint: str) -> Any:
    """A client that may do anything, for the tests."""
    client = boto3.client(
        "kms", "eu-central-1", endpoint_url=endpoint, aws_access_key_id="x", aws_secret_access_key="x"
    )
    yield client
    client.close()


@pytest.fixture
def settings(endpoint: str, kms: Any) -> AwsSettings:
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    return AwsSettings(key=key, region="eu-central-1", endpoint=endpoint, profile="pgveil", timeout=10.0)


@pytest.fixture
async def provider(settings: AwsSettings) -> AsyncIterator[ServiceProvider]:
    opened = open_provider(settings)
    yield opened
    await opened.close()


async def test_what_one_process_wraps_another_unwraps(
    provider: ServiceProvider, settings: AwsSettings
) -> None:
    wrapped = await provider.wrap(b"a data encryption key", b"context")
    other = open_provider(settings)
    assert await other.unwrap(wrapped, b"context") == b"a data encryption key"
    assert provider.reference == other.reference == f"aws-kms:{settings.key}"
    assert isinstance(provider, Versioned)
    await provider.health()
    told = await provider.describe()
    assert told["state"] == "Enabled"
    assert told["key"].startswith("arn:aws:kms:eu-central-1:")
    await other.close()


async def test_an_alias_will_do(provider: ServiceProvider, settings: AwsSettings, kms: Any) -> None:
    kms.create_alias(AliasName="alias/pgveil", TargetKeyId=settings.key)
    by_alias = open_provider(replace(settings, key="alias/pgveil"))
    wrapped = await by_alias.wrap(b"key", b"context")
    assert await provider.unwrap(wrapped, b"context") == b"key"
    await by_alias.rotate()
    await by_alias.close()


async def test_another_context_key_or_wrap_does_not_open(
    provider: ServiceProvider, settings: AwsSettings, kms: Any
) -> None:
    wrapped = await provider.wrap(b"key", b"context")
    altered = wrapped[:-1] + bytes([wrapped[-1] ^ 1])
    for other, context in ((wrapped, b"other"), (altered, b"context"), (b"", b"context")):
        with pytest.raises(ProviderError) as told:
            await provider.unwrap(other, context)
        assert not isinstance(told.value, ProviderUnavailable)
    another = open_provider(replace(settings, key=kms.create_key()["KeyMetadata"]["KeyId"]))
    with pytest.raises(ProviderError) as told:  # moto denies access; AWS has IncorrectKeyException, see below
        await another.unwrap(wrapped, b"context")
    assert not isinstance(told.value, ProviderUnavailable)
    await another.close()


async def test_after_a_rotation_both_wraps_open(provider: ServiceProvider, kms: Any) -> None:
    first = await provider.wrap(b"key", b"context")
    await provider.rotate()
    again = await provider.rewrap(first, b"context")
    assert again != first
    assert await provider.unwrap(first, b"context") == await provider.unwrap(again, b"context") == b"key"
    with pytest.raises(ProviderError):
        await provider.rewrap(first, b"other")


async def test_a_keystore_is_renewed(provider: ServiceProvider) -> None:
    await renews(provider)


async def test_the_state_of_a_key_is_told(provider: ServiceProvider, settings: AwsSettings, kms: Any) -> None:
    """moto wraps by a disabled key all the same; what AWS answers is below."""
    kms.disable_key(KeyId=settings.key)
    assert (await provider.describe())["state"] == "Disabled"
    missing = open_provider(replace(settings, key="00000000-0000-0000-0000-000000000000"))
    with pytest.raises(ProviderError, match="no such key") as told:
        await missing.health()
    assert not isinstance(told.value, ProviderUnavailable)
    await missing.close()


async def test_the_environment_is_no_place_for_credentials(
    settings: AwsSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of the environment")
    provider = open_provider(replace(settings, profile=None))
    with pytest.raises(ProviderError, match="no credentials"):
        await provider.health()
    await provider.close()
    mistyped = open_provider(replace(settings, profile="mistyped"))
    with pytest.raises(ProviderError, match="ProfileNotFound"):
        await mistyped.health()
    await mistyped.close()


ERRORS: tuple[tuple[int, str, type[ProviderError], str], ...] = (
    (400, "ThrottlingException", ProviderUnavailable, "ThrottlingException"),
    (400, "DependencyTimeoutException", ProviderUnavailable, "DependencyTimeout"),
    (500, "KMSInternalException", ProviderUnavailable, "KMSInternal"),
    (500, "KeyUnavailableException", ProviderUnavailable, "KeyUnavailable"),
    (503, "ServiceUnavailable", ProviderUnavailable, "ServiceUnavailable"),
    (400, "AccessDeniedException", ProviderError, "access denied"),
    (400, "DisabledException", ProviderError, "disabled"),
    (400, "IncorrectKeyException", ProviderError, "wrapped by another key"),
    (400, "KMSInvalidStateException", ProviderError, "scheduled for deletion"),
    (400, "NotFoundException", ProviderError, "no such key in this region"),
    (400, "ExpiredTokenException", ProviderError, "ExpiredToken"),
    (400, "InvalidSignatureException", ProviderError, "InvalidSignature"),
)


@pytest.mark.emulated
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("status", "code", "expected", "says"), ERRORS)
async def test_what_an_error_means_and_shows(
    status: int, code: str, expected: type[ProviderError], says: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Some of AWS's messages quote the headers of the request, a session token among them."""
    caplog.set_level(logging.DEBUG, "pgveil")

    def answers(request: Request) -> Answer:
        assert request.headers["X-Amz-Target"] == "TrentService.Encrypt"
        quoted = f"The Canonical String should have been {request.headers} {request.body!r} {SECRET}"
        return Answer(status, {"__type": code, "message": quoted})

    with serve(answers) as port:
        provider = open_provider(emulated(port))
        with pytest.raises(ProviderError, match=says) as told:
            await provider.wrap(b"kanarie-key", b"context")
        await provider.close()
    assert isinstance(told.value, ProviderUnavailable) is (expected is ProviderUnavailable)
    for text in (str(told.value), repr(provider), caplog.text):
        assert "kanarie" not in text
        assert "Credential=" not in text


@pytest.mark.emulated
@pytest.mark.usefixtures("impatient")
async def test_throttling_is_waited_out() -> None:
    busy = [Answer(400, {"__type": "ThrottlingException"})] * 3

    def answers(request: Request) -> Answer:
        return busy.pop() if busy else Answer(200, {"CiphertextBlob": "AAAA", "KeyId": "key"})

    with serve(answers) as port:
        provider = open_provider(emulated(port))
        assert await provider.wrap(b"key", b"context") == bytes(3)
        await provider.close()


@pytest.mark.emulated
async def test_expired_credentials_are_read_again(credentials: Path) -> None:
    def answers(request: Request) -> Answer:
        if "Credential=AKIA2" in request.headers["Authorization"]:
            return Answer(200, {"CiphertextBlob": "AAAA", "KeyId": "key"})
        credentials.write_text(credentials.read_text().replace("AKIA0", "AKIA2"))
        return Answer(400, {"__type": "ExpiredTokenException"})

    with serve(answers) as port:
        provider = open_provider(emulated(port))
        assert await provider.wrap(b"key", b"context") == bytes(3)
        await provider.close()


@pytest.mark.usefixtures("impatient")
async def test_nobody_at_the_endpoint_is_an_outage() -> None:
    provider = open_provider(emulated(9))
    with pytest.raises(ProviderUnavailable, match=r"has been away since .*EndpointConnectionError"):
        await provider.health()
    await provider.close()


def emulated(port: int) -> AwsSettings:
    return AwsSettings(
        key="key", region="eu-central-1", endpoint=f"http://127.0.0.1:{port}", profile="pgveil", timeout=2.0
    )
