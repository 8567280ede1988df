"""Logins at a real OpenBao, and how long they last: tokens are renewed, replaced, and never shown."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
import traceback
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import hvac
import pytest

from crypto.errors import ProviderError, ProviderUnavailable
from crypto.providers.settings import VaultSettings
from crypto.providers.vault import open_provider
from crypto.providers.vault_session import VaultSession
from tests.crypto.providers.http_server import Answer, Request, serve
from tests.openbao import Bao, private


@pytest.fixture(scope="module")
def root(shared_bao: Bao) -> hvac.Client:
    """A client that may do anything, with the auth methods enabled."""
    shared_bao.root.sys.enable_auth_method("approle")
    shared_bao.root.sys.enable_auth_method("cert")
    return shared_bao.root


def token_settings(bao: Bao, tmp_path: Path, token: str, **more: Any) -> VaultSettings:
    return VaultSettings(
        address=bao.address, key="pgveil", token_file=private(tmp_path / "token", token), **more
    )


def approle_settings(bao: Bao, tmp_path: Path, role: str, **options: Any) -> VaultSettings:
    """A role whose tokens live as `options` say."""
    approle = bao.root.auth.approle
    approle.create_or_update_approle(role, token_policies=["pgveil-transit"], **options)
    secret = approle.generate_secret_id(role)["data"]["secret_id"]
    return VaultSettings(
        address=bao.address,
        key="pgveil",
        login="approle",
        role_id_file=private(tmp_path / "role_id", approle.read_role_id(role)["data"]["role_id"]),
        secret_id_file=private(tmp_path / "secret_id", secret),
    )


def token_of(session: VaultSession) -> dict[str, Any]:
    """What Vault says of the session's token."""
    told: dict[str, Any] = session.call(lambda client: client.auth.token.lookup_self())["data"]
    return told


def encrypt(client: hvac.Client) -> Any:
    return client.secrets.transit.encrypt_data("pgveil", "aGVsbG8=")


def test_a_role_and_its_secret_log_in(root: hvac.Client, shared_bao: Bao, tmp_path: Path) -> None:
    settings = approle_settings(shared_bao, tmp_path, "plain")
    session = VaultSession(settings)
    assert "pgveil-transit" in token_of(session)["policies"]
    assert settings.secret_id_file is not None
    settings.secret_id_file.write_text("of somebody else")
    session.close()
    with pytest.raises(ProviderError, match=r"invalid role or secret ID|login by approle was refused"):
        session.call(encrypt)


def test_a_certificate_logs_in(root: hvac.Client, shared_bao: Bao) -> None:
    files = shared_bao.certificates
    root.auth.cert.create_ca_certificate_role(
        "pgveil", certificate=files.authority.read_text(), token_policies=["pgveil-transit"]
    )
    settings = VaultSettings(
        address=shared_bao.tls_address,
        key="pgveil",
        ca=files.authority,
        login="certificate",
        role="pgveil",
        certificate=files.client,
        private_key=files.client_key,
    )
    session = VaultSession(settings)
    assert "pgveil-transit" in token_of(session)["policies"]
    session.close()


@pytest.fixture
def kubernetes(shared_bao: Bao) -> Iterator[list[Request]]:
    """Kubernetes' TokenReview API, as Vault calls it: one service account's token is good."""
    asked: list[Request] = []

    def review(request: Request) -> Answer:
        asked.append(request)
        assert request.path == "/apis/authentication.k8s.io/v1/tokenreviews"
        user = {"username": "system:serviceaccount:default:pgveil", "uid": "1", "groups": []}
        good = claims(request.json["spec"]["token"])["sub"].endswith(":pgveil")
        status = (
            {"authenticated": True, "user": user, "audiences": ["vault"]}
            if good
            else {"authenticated": False}
        )
        return Answer(201, {**request.json, "status": status})

    with serve(review) as port:
        shared_bao.root.sys.enable_auth_method("kubernetes")
        shared_bao.root.auth.kubernetes.configure(
            f"http://127.0.0.1:{port}",
            token_reviewer_jwt=service_account_token("vault"),
            kubernetes_ca_cert=shared_bao.certificates.authority.read_text(),
        )
        shared_bao.root.auth.kubernetes.create_role(
            "pgveil", ["pgveil"], ["default"], policies=["pgveil-transit"], audience="vault"
        )
        yield asked
        shared_bao.root.sys.disable_auth_method("kubernetes")


def service_account_token(name: str) -> str:
    told = {
        "aud": ["vault"],
        "iat": int(time.time()) - 60,
        "nbf": int(time.time()) - 60,
        "exp": int(time.time()) + 600,
        "kubernetes.io": {"namespace": "default", "serviceaccount": {"name": name, "uid": "1"}},
        "sub": f"system:serviceaccount:default:{name}",
    }
    parts = ({"alg": "RS256", "typ": "JWT"}, told)
    encoded = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join((*encoded, "c2lnbmF0dXJl"))


def claims(token: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    return told


@pytest.mark.emulated
def test_a_service_account_logs_in(kubernetes: list[Request], shared_bao: Bao, tmp_path: Path) -> None:
    jwt = tmp_path / "jwt"
    jwt.write_text(service_account_token("pgveil"))
    settings = VaultSettings(
        address=shared_bao.address, key="pgveil", login="kubernetes", role="pgveil", jwt_file=jwt
    )
    session = VaultSession(settings)
    assert "pgveil-transit" in token_of(session)["policies"]
    session.close()
    jwt.write_text(service_account_token("stranger"))
    with pytest.raises(ProviderError, match="login by kubernetes was refused"):
        session.call(encrypt)
    jwt.unlink()
    with pytest.raises(ProviderError, match="jwt: cannot be read"):
        session.call(encrypt)


def test_a_token_is_renewed_at_half_its_life(shared_bao: Bao, tmp_path: Path) -> None:
    settings = token_settings(shared_bao, tmp_path, shared_bao.token("pgveil-transit", ttl="4s"))
    session = VaultSession(settings)
    pause = session.keep()
    assert 0 < pause <= 2
    ends = token_of(session)["expire_time"]
    time.sleep(pause + 0.1)
    session.keep()
    assert token_of(session)["expire_time"] > ends


def test_a_token_that_cannot_be_renewed_further_is_replaced(
    root: hvac.Client, shared_bao: Bao, tmp_path: Path
) -> None:
    """The maximum of its life comes near: renewal gives less and less."""
    settings = approle_settings(shared_bao, tmp_path, "short", token_ttl="2s", token_max_ttl="3s")
    session = VaultSession(settings)
    first = token_of(session)["id"]
    deadline = time.monotonic() + 20
    while token_of(session)["id"] == first:
        assert time.monotonic() < deadline
        time.sleep(session.keep())
    assert session.call(encrypt)


@pytest.mark.parametrize("how", ["ended", "revoked"])
def test_after_a_token_is_gone_there_is_another_login(
    root: hvac.Client, shared_bao: Bao, tmp_path: Path, how: str
) -> None:
    settings = approle_settings(shared_bao, tmp_path, how, token_ttl="1s")
    session = VaultSession(settings)
    told = token_of(session)
    if how == "revoked":
        root.auth.token.revoke_accessor(told["accessor"])
    else:
        time.sleep(1.5)
    assert session.call(encrypt)
    assert token_of(session)["id"] != told["id"]


def test_a_token_file_is_read_again_when_its_token_is_gone(shared_bao: Bao, tmp_path: Path) -> None:
    """As Vault's own agent replaces it."""
    settings = token_settings(shared_bao, tmp_path, shared_bao.token("pgveil-transit"))
    session = VaultSession(settings)
    shared_bao.root.auth.token.revoke_accessor(token_of(session)["accessor"])
    with pytest.raises(ProviderError, match="permission denied"):
        session.call(encrypt)
    assert settings.token_file is not None
    settings.token_file.write_text(shared_bao.token("pgveil-transit"))
    assert session.call(encrypt)


def test_a_denial_costs_no_login(root: hvac.Client, shared_bao: Bao, tmp_path: Path) -> None:
    settings = approle_settings(shared_bao, tmp_path, "denied")
    session = VaultSession(settings)
    before = token_of(session)["id"]
    for _ in range(3):
        with pytest.raises(ProviderError, match="permission denied"):
            session.call(lambda client: client.secrets.transit.list_keys())
    assert token_of(session)["id"] == before


async def test_an_idle_process_keeps_its_token(shared_bao: Bao, tmp_path: Path) -> None:
    """A token of a file cannot be had again: it must not end while nobody asks for anything."""
    settings = token_settings(shared_bao, tmp_path, shared_bao.token("pgveil-transit", ttl="2s"))
    provider = open_provider(settings)
    await provider.health()
    await asyncio.sleep(3.5)
    await provider.health()
    await provider.close()


def test_a_token_that_others_can_read_is_refused(shared_bao: Bao, tmp_path: Path) -> None:
    settings = token_settings(shared_bao, tmp_path, shared_bao.token("pgveil-transit"))
    assert settings.token_file is not None
    settings.token_file.chmod(0o644)
    with pytest.raises(ProviderError, match="can be used by others"):
        VaultSession(settings).call(encrypt)


STATUSES: tuple[tuple[int, Any, type[ProviderError]], ...] = (
    (400, ["missing client token"], ProviderError),
    (404, ["no handler for route"], ProviderError),
    (405, ["unsupported operation"], ProviderUnavailable),
    (412, ["required index state not present"], ProviderUnavailable),
    (429, ['request path "transit/": rate limit quota exceeded'], ProviderUnavailable),
    (472, None, ProviderUnavailable),
    (473, None, ProviderUnavailable),
    (500, ["internal error"], ProviderUnavailable),
    (502, None, ProviderUnavailable),
    (503, ["Vault is sealed"], ProviderUnavailable),
)


@pytest.mark.emulated
@pytest.mark.parametrize(("status", "errors", "expected"), STATUSES)
def test_what_a_status_means(tmp_path: Path, status: int, errors: Any, expected: type[ProviderError]) -> None:
    def answers(request: Request) -> Answer:
        if request.path.endswith("lookup-self"):
            return Answer(200, {"data": {"ttl": 0}})
        return Answer(status, {"errors": errors} if errors else {"replication": "standby"})

    with serve(answers) as port:
        settings = VaultSettings(
            address=f"http://127.0.0.1:{port}", key="k", token_file=private(tmp_path / "token", "t0ken")
        )
        with pytest.raises(ProviderError) as told:
            VaultSession(settings).call(encrypt)
    assert type(told.value) is expected
    assert all(error in str(told.value) for error in errors or ())


@pytest.mark.emulated
def test_the_token_is_not_sent_elsewhere(tmp_path: Path) -> None:
    """A standby that cannot forward redirects."""
    reached: list[Request] = []

    def elsewhere(request: Request) -> Answer:
        reached.append(request)
        return Answer(200, {"data": {}})

    with serve(elsewhere) as other:
        moved = {"Location": f"http://127.0.0.1:{other}/"}
        with serve(lambda _: Answer(307, None, moved)) as port:
            settings = VaultSettings(
                address=f"http://127.0.0.1:{port}", key="k", token_file=private(tmp_path / "token", "t0ken")
            )
            with pytest.raises(ProviderUnavailable, match="TooManyRedirects"):
                VaultSession(settings).call(encrypt)
    assert reached == []


@pytest.mark.emulated
async def test_no_secret_is_ever_shown(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where a server repeats what it was sent in every error that it can make."""
    secrets = {"token": "hvs.kanarie-token", "role": "kanarie-role", "secret": "kanarie-secret"}
    caplog.set_level(logging.DEBUG, "pgveil")

    def answers(request: Request) -> Answer:
        token = request.headers.get("X-Vault-Token", "")
        if request.path.endswith("/login"):
            return Answer(200, {"auth": {"client_token": secrets["token"], "lease_duration": 1}})
        return Answer(statuses.pop(0) if statuses else 500, f"{token} {request.body.decode()}")

    statuses: list[int] = []
    shown: list[str] = []
    with serve(answers) as port:
        settings = VaultSettings(
            address=f"http://127.0.0.1:{port}",
            key="k",
            login="approle",
            role_id_file=private(tmp_path / "role", secrets["role"]),
            secret_id_file=private(tmp_path / "secret", secrets["secret"]),
        )
        for status in (200, 302, 400, 403, 404, 429, 500):
            session, provider = VaultSession(settings), open_provider(settings)
            for work in (partial(session.call, encrypt), session.keep, partial(session.call, encrypt)):
                statuses[:] = [status] * 3
                try:
                    work()
                except Exception as error:
                    shown += [repr(error), *traceback.format_exception(error)]
            shown += [repr(session), repr(provider), str(session), provider.reference]
    shown += [record.getMessage() for record in caplog.records]
    for secret in secrets.values():
        assert not [text for text in shown if secret in text]
