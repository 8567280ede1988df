"""The master key in AWS KMS: a symmetric key, which never leaves it.

A wrapped key's identity is its encryption context, as a digest, since a context is text, and is logged by
CloudTrail. Of what AWS says only the code is repeated: some of its messages quote signed headers.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import boto3
import botocore.session
from botocore import exceptions
from botocore.config import Config

from crypto.errors import ProviderError, ProviderUnavailable
from crypto.providers.http_errors import no_answer
from crypto.providers.service import ServiceProvider
from crypto.providers.settings import AwsSettings
from crypto.secret import Secret

CONTEXT = "pgveil"  # the encryption context's only name

_ROTATION_POLL = 0.5  # seconds

_LATER = {  # what a later try may help, beside every 429 and 5xx
    *("ThrottlingException", "Throttling", "RequestLimitExceeded", "TooManyRequestsException"),
    *("DependencyTimeoutException", "KMSInternalException", "KeyUnavailableException"),
    *("CloudHsmClusterNotActiveException", "XksProxyUriUnreachableException", "RequestTimeout"),
}
_LOGIN_AGAIN = {
    "ExpiredTokenException",
    "ExpiredToken",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}
_MEANS = {
    "AccessDeniedException": "access denied: neither IAM nor the key's policy allows it",
    "DisabledException": "the key is disabled",
    "KMSInvalidStateException": "the key is not usable: it is disabled, or scheduled for deletion",
    "NotFoundException": "there is no such key in this region",
    "InvalidCiphertextException": "it was altered, or wrapped by another key or for another record",
    "IncorrectKeyException": "it was wrapped by another key",
    "InvalidKeyUsageException": "the key is not a symmetric key for encryption",
}


def open_provider(settings: AwsSettings) -> ServiceProvider:
    """The provider; nothing is asked yet."""
    return ServiceProvider(AwsKms(settings), settings.timeout)


class AwsKms(Secret):
    """See crypto/providers/service.py."""

    def __init__(self, settings: AwsSettings) -> None:
        assert settings.key is not None
        self._settings = settings
        self._key = settings.key
        self._lock = threading.Lock()
        self._client: Any = None
        self.reference = f"aws-kms:{settings.key}"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        found = self._ask(
            lambda kms: kms.encrypt(KeyId=self._key, Plaintext=key, EncryptionContext=_context(context))
        )
        return bytes(found["CiphertextBlob"])

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        found = self._ask(
            lambda kms: kms.decrypt(
                KeyId=self._key, CiphertextBlob=wrapped, EncryptionContext=_context(context)
            )
        )
        return bytes(found["Plaintext"])

    def rewrap(self, wrapped: bytes, context: bytes) -> bytes:
        found = self._ask(
            lambda kms: kms.re_encrypt(
                CiphertextBlob=wrapped,
                SourceKeyId=self._key,
                DestinationKeyId=self._key,
                SourceEncryptionContext=_context(context),
                DestinationEncryptionContext=_context(context),
            )
        )
        return bytes(found["CiphertextBlob"])

    def rotate(self) -> None:
        """New key material, which KMS makes in the background. If that takes seconds only, it is waited for.

        Until it is there KMS wraps by the older one, which it keeps for ever.
        """
        key = self._described()["KeyId"]  # an alias does not do here
        until = time.monotonic() + self._settings.timeout / 2
        self._ask(lambda kms: kms.rotate_key_on_demand(KeyId=key))
        while time.monotonic() < until:
            status = self._ask(lambda kms: kms.get_key_rotation_status(KeyId=key))
            if "OnDemandRotationStartDate" not in status:
                return
            time.sleep(_ROTATION_POLL)

    def describe(self) -> Mapping[str, str]:
        key = self._described()
        return {
            "key": str(key["Arn"]),
            "state": str(key["KeyState"]),
            "origin": str(key["Origin"]),
            "made": key["CreationDate"].isoformat(timespec="seconds"),
        }

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _described(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self._ask(lambda kms: kms.describe_key(KeyId=self._key))["KeyMetadata"]
        return found

    def _ask(self, work: Callable[[Any], Any]) -> Any:
        """What KMS answers. Raises ProviderError, ProviderUnavailable."""
        try:
            try:
                return work(self._connected())
            except exceptions.ClientError as error:
                if _code(error) not in _LOGIN_AGAIN:
                    raise
            self.close()  # credentials are read again
            return work(self._connected())
        except exceptions.ClientError as error:
            raise self._refused(error) from None
        except (exceptions.CredentialRetrievalError, exceptions.MetadataRetrievalError) as error:
            raise ProviderUnavailable(
                f"{self.reference}: no credentials now ({type(error).__name__})"
            ) from None
        except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
            raise no_answer(self.reference, error) from None
        except exceptions.NoCredentialsError:
            raise ProviderError(
                f"{self.reference}: no credentials: neither the platform nor a credentials file has any"
            ) from None
        except exceptions.BotoCoreError as error:  # of the configuration: no such profile, no region
            raise ProviderError(f"{self.reference}: {type(error).__name__}") from None

    def _refused(self, error: exceptions.ClientError) -> ProviderError:
        code = _code(error)
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if code in _LATER or status == 429 or status >= 500:
            return ProviderUnavailable(f"{self.reference}: {code}")
        return ProviderError(f"{self.reference}: {_MEANS.get(code, code)}")

    def _connected(self) -> Any:
        """The client. Credentials are those of the platform or of a file, never of the environment."""
        with self._lock:
            if self._client is None:
                settings = self._settings
                session = botocore.session.Session(profile=settings.profile)
                session.get_component("credential_provider").remove("env")
                self._client = boto3.session.Session(botocore_session=session).client(
                    "kms",
                    region_name=settings.region,
                    endpoint_url=settings.endpoint,
                    config=Config(
                        connect_timeout=settings.timeout,
                        read_timeout=settings.timeout,
                        retries={"total_max_attempts": 1},  # crypto/providers/resilient.py has its own
                    ),
                )
            return self._client


def _context(context: bytes) -> dict[str, str]:
    return {CONTEXT: hashlib.sha256(context).hexdigest()}


def _code(error: exceptions.ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", "an error without a code"))
