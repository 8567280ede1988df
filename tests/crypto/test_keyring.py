"""The keys in memory: who may encrypt, which key opens what, and that none of them shows itself."""

from __future__ import annotations

import copy
import pickle

import pytest

from crypto.envelope import SUITES
from crypto.errors import DecryptionError, UnknownKey
from crypto.keyring import FieldKey, Keyring
from crypto.keyset import KeyState

GCM, CHACHA, SIV = "aes-256-gcm", "chacha20-poly1305", "aes-siv"
EMAIL, PHONE = "public.users.email", "public.users.phone"


def new_key(
    id_: bytes, name: str = EMAIL, algorithm: str = GCM, version: int = 1, state: KeyState = KeyState.ACTIVE
) -> FieldKey:
    secret = (id_ * 16)[: SUITES[algorithm].key_bytes]
    return FieldKey(id_, name, algorithm, version, state, secret)


@pytest.mark.parametrize("algorithm", SUITES)
def test_a_key_opens_what_it_sealed_in_both_forms(algorithm: str) -> None:
    key = new_key(b"key1", algorithm=algorithm)
    assert key.opener("text")(key.sealer("text")(b"value")) == b"value"
    assert key.ascii_opener("text")(key.ascii_sealer("text")(b"value")) == b"value"


@pytest.mark.parametrize("algorithm", SUITES)
def test_functions_are_made_once(algorithm: str) -> None:
    key = new_key(b"key1", algorithm=algorithm)
    for make in (key.sealer, key.ascii_sealer, key.opener, key.ascii_opener):
        assert make("text") is make("text")
    made = {key.sealer("text"), key.ascii_sealer("text"), key.opener("text"), key.ascii_opener("text")}
    assert len(made | {key.sealer("int")}) == 5


@pytest.mark.parametrize("algorithm", SUITES)
def test_a_value_of_another_family_does_not_open(algorithm: str) -> None:
    key = new_key(b"key1", algorithm=algorithm)
    with pytest.raises(DecryptionError):
        key.opener("int")(key.sealer("text")(b"value"))


@pytest.mark.parametrize("state", [KeyState.PENDING, KeyState.RETIRING])
def test_only_the_active_version_encrypts(state: KeyState) -> None:
    active = new_key(b"key1")
    envelope = active.sealer("text")(b"value")
    other = active.in_state(state)
    for make in (other.sealer, other.ascii_sealer):
        with pytest.raises(ValueError, match=f"{state.value} does not encrypt"):
            make("text")
    assert other.opener("text")(envelope) == b"value"
    assert active.state is KeyState.ACTIVE


def test_a_retiring_deterministic_key_can_still_be_searched_for() -> None:
    active = new_key(b"key1", algorithm=SIV)
    retiring = new_key(b"key1", algorithm=SIV, state=KeyState.RETIRING)
    assert retiring.search_sealer("text", ascii=False)(b"v") == active.sealer("text")(b"v")
    assert retiring.search_sealer("text", ascii=True)(b"v") == active.ascii_sealer("text")(b"v")


def test_a_randomized_key_cannot_be_searched_for() -> None:
    with pytest.raises(ValueError, match="cannot be searched"):
        new_key(b"key1").search_sealer("text", ascii=True)


@pytest.mark.parametrize("algorithm", SUITES)
def test_a_key_shows_nothing_and_does_not_travel(algorithm: str) -> None:
    secret = bytes(range(65, 129))[: SUITES[algorithm].key_bytes]
    key = FieldKey(b"key1", EMAIL, algorithm, 3, KeyState.ACTIVE, secret)
    assert repr(key) == f"<FieldKey 6b657931 'public.users.email' version 3 {algorithm} active>"
    for travel in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="holds a key"):
            travel(key)
    with pytest.raises((AttributeError, pickle.PicklingError)):
        pickle.dumps(key.sealer("text"))


def test_a_keyring_finds_keys_by_id_and_by_name() -> None:
    old = new_key(b"old1", version=1, state=KeyState.RETIRING)
    now = new_key(b"now1", version=2)
    new = new_key(b"new1", version=3, state=KeyState.PENDING)
    siv = new_key(b"siv1", version=4, algorithm=SIV)
    ring = Keyring([new, old, siv, now])
    assert ring.active(EMAIL, GCM) is now
    assert ring.active(EMAIL, SIV) is siv
    assert ring.active(EMAIL, CHACHA) is None
    assert ring.active(PHONE, GCM) is None
    assert ring.versions(EMAIL, GCM) == (new, now, old)
    assert ring.versions(PHONE, GCM) == ()
    assert ring.find(b"old1") is old
    assert ring.find(b"none") is None
    assert (len(ring), repr(ring)) == (4, "<Keyring of 4 keys>")


def test_two_keys_of_one_id_are_an_error() -> None:
    with pytest.raises(ValueError, match="6b657931"):
        Keyring([new_key(b"key1"), new_key(b"key1", name=PHONE)])


@pytest.fixture
def history() -> tuple[Keyring, list[FieldKey]]:
    """Four versions of one field's key, of three algorithms, and the snapshot of today."""
    then = [
        new_key(b"gcm1", version=1),
        new_key(b"gcm2", version=2),
        new_key(b"cha3", version=3, algorithm=CHACHA),
        new_key(b"siv4", version=4, algorithm=SIV),
    ]
    return Keyring([then[0].in_state(KeyState.RETIRING), *then[1:]]), then


@pytest.mark.parametrize("algorithm", [GCM, CHACHA, SIV, "none at all"])
def test_an_opener_opens_every_version_whatever_is_active(
    history: tuple[Keyring, list[FieldKey]], algorithm: str
) -> None:
    ring, keys = history
    opener = ring.opener(EMAIL, algorithm, "text")
    ascii_opener = ring.ascii_opener(EMAIL, algorithm, "text")
    for key in keys:
        assert opener(key.sealer("text")(b"value")) == b"value"
        assert ascii_opener(key.ascii_sealer("text")(b"value")) == b"value"
    assert ring.opener(EMAIL, algorithm, "text") is opener
    assert ring.ascii_opener(EMAIL, algorithm, "text") is ascii_opener


def test_a_ciphertext_moved_to_another_field_does_not_open() -> None:
    """Its key would open it, and is at hand; but it is not the key of the field that it was read from."""
    email, phone = new_key(b"key1", name=EMAIL), new_key(b"key2", name=PHONE)
    ring = Keyring([email, phone])
    with pytest.raises(DecryptionError) as caught:
        ring.opener(PHONE, GCM, "text")(email.sealer("text")(b"value"))
    assert not isinstance(caught.value, UnknownKey)
    with pytest.raises(DecryptionError):
        ring.ascii_opener(PHONE, GCM, "text")(email.ascii_sealer("text")(b"value"))


def test_an_unknown_key_is_named_so_that_it_can_be_looked_up() -> None:
    stranger = new_key(b"new!")
    ring = Keyring([new_key(b"key1")])
    with pytest.raises(UnknownKey) as caught:
        ring.opener(EMAIL, GCM, "text")(stranger.sealer("text")(b"value"))
    assert caught.value.key_id == b"new!"
    with pytest.raises(UnknownKey):
        ring.ascii_opener(EMAIL, GCM, "text")(stranger.ascii_sealer("text")(b"value"))


@pytest.mark.parametrize("foreign", [b"", b"plain", b"\xffPV\x01\x01", b"pgv1:", b"pgv1:AQ+"])
def test_what_is_no_envelope_does_not_open(foreign: bytes) -> None:
    ring = Keyring([new_key(b"key1")])
    for opener in (ring.opener(EMAIL, GCM, "text"), ring.ascii_opener(EMAIL, GCM, "text")):
        with pytest.raises(DecryptionError):
            opener(foreign)


def test_a_key_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="64 bytes"):
        FieldKey(b"key1", EMAIL, SIV, 1, KeyState.ACTIVE, bytes(32))
