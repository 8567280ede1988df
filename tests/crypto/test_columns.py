"""Many envelopes at once: what opening them one by one gives, or an error for all."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crypto.errors import DecryptionError
from crypto.keyring import FieldKey, Keyring
from crypto.keyset import KeyState

SIZES = {"aes-256-gcm": 32, "chacha20-poly1305": 32, "aes-siv": 64}
KEYS = {
    algorithm: FieldKey(bytes([0, 0, 0, i]), "t.c", algorithm, 1, KeyState.ACTIVE, os.urandom(size))
    for i, (algorithm, size) in enumerate(SIZES.items())
}
algorithms = st.sampled_from(list(SIZES))


@given(algorithms, st.lists(st.binary(max_size=40)))
def test_a_column_opens(algorithm: str, values: list[bytes]) -> None:
    key = KEYS[algorithm]
    sealed = list(map(key.ascii_sealer("text"), values))
    open_all = Keyring([key]).ascii_column_opener("t.c", algorithm, "text")
    assert open_all is not None
    assert open_all(sealed) == values


@given(
    algorithms,
    st.integers(0, 200),
    st.sampled_from([b"\n", b"=", b"+", b"-", b"A", b"", b"\npgv1:", b"\xff"]),
)
def test_an_altered_value_fails_its_column(algorithm: str, place: int, byte: bytes) -> None:
    key = KEYS[algorithm]
    sealed = list(map(key.ascii_sealer("text"), [b"a", b"bcd", b"efgh"]))
    column = b"\t".join(sealed)
    place %= len(column)
    altered = (column[:place] + byte + column[place + 1 :]).split(b"\t")
    if altered == sealed or len(altered) != 3:
        return
    with pytest.raises(DecryptionError):
        key.ascii_column_opener("text")(altered)


def test_values_do_not_change_places() -> None:
    """An end of line in one value must not make up for the prefix that another lacks."""
    key = KEYS["aes-siv"]
    one, two = map(key.ascii_sealer("text"), [b"one", b"two"])
    for column in ([one + b"\n" + two, b""], [b"", one + b"\n" + two], [one, b"\n" + two, b""]):
        with pytest.raises(DecryptionError):
            key.ascii_column_opener("text")(column)


def test_what_other_keys_and_types_have_written_is_not_opened() -> None:
    sealed = [KEYS["aes-256-gcm"].ascii_sealer("text")(b"x")]
    for algorithm, family in (("aes-siv", "text"), ("chacha20-poly1305", "text"), ("aes-256-gcm", "int")):
        with pytest.raises(DecryptionError):
            KEYS[algorithm].ascii_column_opener(family)(sealed)
    assert Keyring().ascii_column_opener("t.c", "aes-siv", "text") is None
