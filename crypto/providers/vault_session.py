"""A login at Vault or OpenBao that lasts: the token is renewed, and replaced when it cannot be.

Rule 1: a token is renewed at about half its life. When its end draws near all the same (the maximum TTL), or
        it cannot be renewed, there is a new login; with a token file, whatever the file holds by then.
Rule 2: a 403 may mean that the token is gone. If it is, there is one login and one more try; if it is not,
        the 403 is the answer.
Rule 3: neither a token nor what it was got with is ever part of an error. Of what Vault says, only the list
        of its own messages is.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Any, TypeVar

import hvac
import requests
from hvac import exceptions

from crypto.errors import ProviderError, ProviderUnavailable
from crypto.private_file import read_private
from crypto.providers.http_errors import no_answer
from crypto.providers.settings import VaultSettings
from crypto.secret import Secret

_LONGEST_PAUSE = 3600.0  # seconds between two looks at the token
_SHORTEST_PAUSE = 0.2
_MESSAGE_LIMIT = 300  # characters of what Vault says

T = TypeVar("T")


class VaultSession(Secret):
    """Calls Vault with a valid token. Threads may share it."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._name = f"vault at {settings.address}"
        self._lock = threading.Lock()
        self._http: requests.Session | None = None
        self._client: hvac.Client | None = None
        self._life = 0.0  # seconds that the token had when it was new; 0: it does not end, as far as we know
        self._renewable = False
        self._due = 0.0  # when to renew

    def call(self, work: Callable[[hvac.Client], T]) -> T:
        """What `work` returns, given a client with a token. Raises ProviderError, ProviderUnavailable."""
        client = self._logged_in()
        try:
            return self._translated(client, work)
        except exceptions.Forbidden:
            pass
        if self._is_valid(client):
            raise self._denied()
        with self._lock:
            if self._client is client:
                self._client = None
        try:
            return self._translated(self._logged_in(), work)
        except exceptions.Forbidden:
            raise self._denied() from None

    def keep(self) -> float:
        """Renew the token if it is time; returns the seconds until the next look."""
        self._logged_in()
        with self._lock:
            if self._client is not None and self._life and time.monotonic() >= self._due:
                self._renew(self._client)
            if not self._life:
                return _LONGEST_PAUSE
            return min(max(self._due - time.monotonic(), _SHORTEST_PAUSE), _LONGEST_PAUSE)

    def close(self) -> None:
        """Forget the token and the connections."""
        with self._lock:
            self._client = None
            if self._http is not None:
                self._http.close()
                self._http = None

    def _logged_in(self) -> hvac.Client:
        with self._lock:
            if self._client is None:
                self._login()
            assert self._client is not None
            return self._client

    def _login(self) -> None:
        """The lock is held."""
        login = self._settings.login
        try:
            if login == "token":
                client, life = self._with_token_of_file()
            else:
                client, life = self._with_new_token()
        except exceptions.Forbidden as error:
            raise ProviderError(f"{self._name}: the login by {login} was refused: {error.args[0]}") from None
        self._lives(life)
        self._client = client

    def _with_token_of_file(self) -> tuple[hvac.Client, dict[str, Any]]:
        assert self._settings.token_file is not None
        client = self._connect(_content(self._settings.token_file))
        try:
            told = self._translated(client, lambda client: client.auth.token.lookup_self())["data"]
        except exceptions.Forbidden:
            return client, {}  # it is gone, or may not look at itself: its use will show
        return client, {"lease_duration": told["ttl"], "renewable": told.get("renewable", False)}

    def _with_new_token(self) -> tuple[hvac.Client, dict[str, Any]]:
        settings = self._settings
        mount = settings.auth_mount or {"certificate": "cert"}.get(settings.login, settings.login)
        credentials = _CREDENTIALS[settings.login](settings)
        auth = self._translated(
            self._connect(""), lambda client: client.adapter.post(f"/v1/auth/{mount}/login", json=credentials)
        )["auth"]
        return self._connect(auth["client_token"]), auth

    def _renew(self, client: hvac.Client) -> None:
        """The lock is held. Where it is no use there is a new login."""
        before, failure = self._life, None
        if self._renewable:
            try:
                self._lives(self._translated(client, lambda client: client.auth.token.renew_self())["auth"])
            except (exceptions.Forbidden, ProviderError) as error:  # past its maximum: a status of 500
                failure = error
            else:
                if self._life >= before / 2:
                    self._life = before
                    return
        if self._settings.login != "token" or _content(self._settings.token_file) != client.token:
            self._login()
        elif isinstance(failure, ProviderUnavailable):
            raise failure
        else:
            self._due = time.monotonic() + before / 4  # nobody but the file can give a new one

    def _lives(self, auth: dict[str, Any]) -> None:
        self._life = float(auth.get("lease_duration") or 0)
        self._renewable = bool(auth.get("renewable"))
        self._due = time.monotonic() + self._life * random.uniform(0.4, 0.5)  # noqa: S311  not a secret

    def _is_valid(self, client: hvac.Client) -> bool:
        try:
            self._translated(client, lambda client: client.auth.token.lookup_self())
        except exceptions.Forbidden:
            return False
        return True

    def _denied(self) -> ProviderError:
        return ProviderError(f"{self._name}: permission denied: the token's policies do not allow it")

    def _connect(self, token: str) -> hvac.Client:
        settings = self._settings
        if self._http is None:
            self._http = requests.Session()
            self._http.verify = str(settings.ca) if settings.ca else True
            if settings.certificate and settings.private_key:
                self._http.cert = (str(settings.certificate), str(settings.private_key))
            self._http.hooks["response"].append(_refuse_redirect)
        return hvac.Client(
            url=settings.address,
            token=token,
            namespace=settings.namespace,
            timeout=settings.timeout,
            verify=self._http.verify,
            session=self._http,
            allow_redirects=False,
        )

    def _translated(self, client: hvac.Client, work: Callable[[hvac.Client], T]) -> T:
        """What `work` returns. Raises ProviderError, ProviderUnavailable; for callers here, Forbidden."""
        try:
            return work(client)
        except (exceptions.Forbidden, exceptions.Unauthorized) as error:
            raise exceptions.Forbidden(_said(error)) from None
        except exceptions.InvalidPath as error:
            said = _said(error) or "there is no such key or secret"
            raise ProviderError(f"{self._name}: {said} (check mount, name and namespace)") from None
        except exceptions.InvalidRequest as error:
            raise ProviderError(f"{self._name}: {_said(error)}") from None
        except exceptions.VaultError as error:  # 412, 429, 472, 473, 5xx: sealed, a standby, overloaded
            said = _said(error) or type(error).__name__
            raise ProviderUnavailable(f"{self._name}: {said}") from None
        except (requests.RequestException, OSError) as error:
            raise no_answer(self._name, error) from None


def _said(error: exceptions.VaultError) -> str:
    return " ".join(", ".join(map(str, error.errors or ())).split())[:_MESSAGE_LIMIT]


def _refuse_redirect(response: requests.Response, *_: object, **__: object) -> None:
    """Nobody is to send the token elsewhere. A standby node forwards; only one that cannot redirects."""
    if response.is_redirect:
        raise requests.TooManyRedirects


def _content(path: Any) -> str:
    text = read_private(path).strip()
    try:
        return text.decode("ascii")
    except UnicodeDecodeError:
        raise ProviderError(f"{path}: is not text") from None


def _service_account(settings: VaultSettings) -> str:
    """What Kubernetes puts into a pod, readable by whoever is in it."""
    assert settings.jwt_file is not None
    try:
        return settings.jwt_file.read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ProviderError(f"{settings.jwt_file}: cannot be read ({type(error).__name__})") from None


# What each login sends, read anew each time.
_CREDENTIALS: dict[str, Callable[[VaultSettings], dict[str, str]]] = {
    "approle": lambda s: {"role_id": _content(s.role_id_file), "secret_id": _content(s.secret_id_file)},
    "kubernetes": lambda s: {"role": s.role or "", "jwt": _service_account(s)},
    "certificate": lambda s: {"name": s.role} if s.role else {},
}
