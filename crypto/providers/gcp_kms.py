"""The master key in Google Cloud KMS: a symmetric key (ENCRYPT_DECRYPT), which never leaves it.

A wrapped key's identity is additional authenticated data. What goes to KMS and what comes back is proved with
CRC32C, as Google's documentation of data integrity asks. By REST: gRPC does not survive a fork.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import google.auth
import google_crc32c
import requests
from google.api_core import exceptions
from google.auth import exceptions as auth_exceptions
from google.cloud import kms_v1
from google.cloud.kms_v1.services.key_management_service.transports import KeyManagementServiceRestTransport
from google.oauth2 import service_account

from crypto.errors import ProviderError, ProviderUnavailable
from crypto.private_file import read_private
from crypto.providers.http_errors import no_answer
from crypto.providers.service import ServiceProvider
from crypto.providers.settings import GcpSettings
from crypto.secret import Secret

_SCOPE = "https://www.googleapis.com/auth/cloudkms"
_GENERATION_POLL = 0.2  # seconds between two looks at a version that is being made
_REQUEST = re.compile(r"^[A-Z]+ \S+: ")  # what its library puts before what Google says
_MESSAGE_LIMIT = 300  # characters of what Google says
_ENABLED = kms_v1.CryptoKeyVersion.CryptoKeyVersionState.ENABLED
_PENDING = kms_v1.CryptoKeyVersion.CryptoKeyVersionState.PENDING_GENERATION


def open_provider(settings: GcpSettings) -> ServiceProvider:
    """The provider; nothing is asked yet."""
    return ServiceProvider(GcpKms(settings), settings.timeout)


class GcpKms(Secret):
    """See crypto/providers/service.py."""

    def __init__(self, settings: GcpSettings) -> None:
        assert settings.key is not None
        self._settings = settings
        self._key = settings.key
        self._lock = threading.Lock()
        self._client: kms_v1.KeyManagementServiceClient | None = None
        self.reference = f"gcp-kms:{settings.key}"

    def wrap(self, key: bytes, context: bytes) -> bytes:
        answer = self._ask(
            "encrypt",
            kms_v1.EncryptRequest(
                name=self._key,
                plaintext=key,
                plaintext_crc32c=_crc32c(key),
                additional_authenticated_data=context,
                additional_authenticated_data_crc32c=_crc32c(context),
            ),
        )
        self._prove(
            answer.verified_plaintext_crc32c
            and answer.verified_additional_authenticated_data_crc32c
            and answer.ciphertext_crc32c == _crc32c(answer.ciphertext)
        )
        return bytes(answer.ciphertext)

    def unwrap(self, wrapped: bytes, context: bytes) -> bytes:
        answer = self._ask(
            "decrypt",
            kms_v1.DecryptRequest(
                name=self._key,
                ciphertext=wrapped,
                ciphertext_crc32c=_crc32c(wrapped),
                additional_authenticated_data=context,
                additional_authenticated_data_crc32c=_crc32c(context),
            ),
        )
        self._prove(answer.plaintext_crc32c == _crc32c(answer.plaintext))
        return bytes(answer.plaintext)

    def rewrap(self, wrapped: bytes, context: bytes) -> bytes:
        return self.wrap(self.unwrap(wrapped, context), context)

    def rotate(self) -> None:
        made = self._ask("create_crypto_key_version", kms_v1.CreateCryptoKeyVersionRequest(parent=self._key))
        until = time.monotonic() + self._settings.timeout / 2
        while made.state == _PENDING and time.monotonic() < until:  # an HSM takes its time
            time.sleep(_GENERATION_POLL)
            made = self._ask("get_crypto_key_version", kms_v1.GetCryptoKeyVersionRequest(name=made.name))
        if made.state != _ENABLED:
            raise ProviderUnavailable(f"{self.reference}: the new version is still being made")
        self._ask(
            "update_crypto_key_primary_version",
            kms_v1.UpdateCryptoKeyPrimaryVersionRequest(
                name=self._key, crypto_key_version_id=made.name.rpartition("/")[2]
            ),
        )

    def describe(self) -> Mapping[str, str]:
        key = self._ask("get_crypto_key", kms_v1.GetCryptoKeyRequest(name=self._key))
        primary = key.primary
        return {
            "version": primary.name.rpartition("/")[2],
            "state": primary.state.name.lower(),
            "protection": primary.protection_level.name.lower(),
            "made": primary.create_time.isoformat(timespec="seconds"),
        }

    def close(self) -> None:
        with self._lock:
            if self._client is not None:
                self._client.transport.close()
                self._client = None

    def _prove(self, whole: bool) -> None:
        if not whole:
            raise ProviderUnavailable(f"{self.reference}: what was sent or received was damaged on its way")

    def _ask(self, method: str, request: Any) -> Any:
        """What KMS answers. Raises ProviderError, ProviderUnavailable."""
        try:
            call: Callable[..., Any] = getattr(self._connected(), method)
            return call(request=request, retry=None, timeout=self._settings.timeout)
        except exceptions.GoogleAPICallError as error:
            raise self._refused(error) from None
        except auth_exceptions.DefaultCredentialsError:
            raise ProviderError(
                f"{self.reference}: no credentials: the platform has none, and there is no credentials_file"
            ) from None
        except auth_exceptions.GoogleAuthError as error:
            if isinstance(error, auth_exceptions.TransportError) or error.retryable:
                raise ProviderUnavailable(
                    f"{self.reference}: no credentials now ({type(error).__name__})"
                ) from None
            raise ProviderError(f"{self.reference}: its login was refused ({type(error).__name__})") from None
        except (requests.RequestException, OSError) as error:
            raise no_answer(self.reference, error) from None

    def _refused(self, error: exceptions.GoogleAPICallError) -> ProviderError:
        code = int(error.code or 500)
        if code in (408, 429) or code >= 500:
            return ProviderUnavailable(f"{self.reference}: {type(error).__name__}")
        said = _REQUEST.sub("", " ".join(str(error.message).split()))[:_MESSAGE_LIMIT]
        return ProviderError(f"{self.reference}: {said}")

    def _connected(self) -> kms_v1.KeyManagementServiceClient:
        with self._lock:
            if self._client is None:
                transport = KeyManagementServiceRestTransport(
                    host=self._settings.endpoint or kms_v1.KeyManagementServiceClient.DEFAULT_ENDPOINT,
                    credentials=self._credentials(),
                )
                self._client = kms_v1.KeyManagementServiceClient(transport=transport)
            return self._client

    def _credentials(self) -> Any:
        """A service account's key in a file, or the platform's own identity."""
        if (file := self._settings.credentials_file) is None:
            return google.auth.default(scopes=[_SCOPE])[0]
        try:
            account = json.loads(read_private(file))
            return service_account.Credentials.from_service_account_info(account, scopes=[_SCOPE])
        except (
            ValueError,
            RecursionError,
            auth_exceptions.GoogleAuthError,
        ):  # what it says could quote the file
            raise ProviderError(f"{file}: is not the key of a service account") from None


def _crc32c(data: bytes) -> int:
    return int(google_crc32c.value(data))
