"""The keys in memory: one field encryption key version, and the immutable snapshot of all of them.

This is what the data path reads. A snapshot never changes; the manager puts a new one in its place. The keys
in it, with their ciphers and nonces, live on from one snapshot to the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from crypto.aead import Aes256Gcm, ChaCha20Poly1305
from crypto.columns import ColumnOpener
from crypto.daead import AesSiv
from crypto.deterministic import Deterministic
from crypto.envelope import SUITES, associated_data, from_ascii, header, key_id
from crypto.errors import DecryptionError, DestroyedKey, UnknownKey
from crypto.keyset import KeyState
from crypto.nonces import NonceSource
from crypto.randomized import Randomized
from crypto.record_aead import RecordAead
from crypto.scheme import Scheme, Transform, reject
from crypto.secret import Secret

# algorithm -> (header, key, encryptions so far) -> scheme; the algorithms of envelope.SUITES
_SCHEMES: dict[str, Callable[[bytes, bytes, int], Scheme]] = {
    "aes-256-gcm": lambda header, key, used: Randomized(header, Aes256Gcm(key), NonceSource(used)),
    "chacha20-poly1305": lambda header, key, used: Randomized(
        header, ChaCha20Poly1305(key), NonceSource(used)
    ),
    "aes-siv": lambda header, key, _: Deterministic(header, AesSiv(key)),
    "aes-256-gcm-record": lambda header, key, _: _by_record(header, RecordAead(Aes256Gcm, key)),
    "chacha20-poly1305-record": lambda header, key, _: _by_record(header, RecordAead(ChaCha20Poly1305, key)),
}


def _by_record(header: bytes, cipher: RecordAead) -> Scheme:
    return Randomized(header, cipher, NonceSource(nonce_bytes=cipher.nonce_bytes))


class FieldKey(Secret):
    """One FEK version, ready for use. Raises ValueError for a key of the wrong length.

    `id` is the four bytes by which envelopes name it. Sealers and openers are made once for each family of
    logical types, and may be kept.
    """

    __slots__ = ("_header", "_made", "_scheme", "algorithm", "id", "name", "state", "version")

    def __init__(
        self,
        id: bytes,  # noqa: A002  the word of the envelope's format
        name: str,
        algorithm: str,
        version: int,
        state: KeyState,
        key: bytes,
        *,
        used: int = 0,
    ) -> None:
        self.id = id
        self.name = name
        self.algorithm = algorithm
        self.version = version
        self.state = state
        self._header = header(algorithm, id)
        self._scheme = _SCHEMES[algorithm](self._header, key, used)
        self._made: dict[tuple[object, str], Transform] = {}

    def __repr__(self) -> str:
        state = f"{self.algorithm} {self.state.value}"
        return f"<FieldKey {self.id.hex()} {self.name!r} version {self.version} {state}>"

    @property
    def nonces(self) -> NonceSource | None:
        """The nonces and their count; None for a key that has no such budget."""
        return self._scheme.nonces

    def in_state(self, state: KeyState) -> FieldKey:
        """The same key in another state, with the same cipher and nonces."""
        if state is self.state:
            return self
        other = object.__new__(FieldKey)
        for slot in FieldKey.__slots__:
            setattr(other, slot, getattr(self, slot))
        other.state = state
        return other

    def for_reading(self) -> FieldKey:
        """The same key, which encrypts no more."""
        return self.in_state(KeyState.RETIRING) if self.state is KeyState.ACTIVE else self

    def sealer(self, family: str) -> Transform:
        """Canonical bytes -> binary envelope. Raises ValueError unless this version is the active one."""
        return self._cached(self._active_scheme.sealer, family)

    def ascii_sealer(self, family: str) -> Transform:
        """Canonical bytes -> ASCII envelope. Raises ValueError unless this version is the active one."""
        return self._cached(self._active_scheme.ascii_sealer, family)

    def search_sealer(self, family: str, *, ascii: bool) -> Transform:  # noqa: A002  the form's name
        """Canonical bytes -> the envelope that a deterministic key of any state has written for them.

        While a deterministic key is rotated, an equality search looks for what each version made of the
        value. Raises ValueError for a randomized key, which writes nothing twice.
        """
        if not SUITES[self.algorithm].deterministic:
            raise ValueError("a randomized key cannot be searched")
        return self._cached(self._scheme.ascii_sealer if ascii else self._scheme.sealer, family)

    def opener(self, family: str) -> Transform:
        """Binary envelope -> canonical bytes; the function raises DecryptionError, also for other keys."""
        return self._cached(self._opener, family)

    def ascii_opener(self, family: str) -> Transform:
        """ASCII envelope -> canonical bytes; the function raises DecryptionError, also for other keys."""
        return self._cached(self._ascii_opener, family)

    def opener_or(self, family: str, other: Transform, *, ascii: bool) -> Transform:  # noqa: A002
        """An opener that hands the envelopes of other keys to `other`."""
        make = self._scheme.ascii_opener if ascii else self._scheme.opener
        return make(associated_data(self._header, self.name, family), other)

    def ascii_column_opener(self, family: str) -> ColumnOpener:
        """Many ASCII envelopes -> canonical bytes; it raises DecryptionError unless it opens all of them."""
        return self._scheme.ascii_column_opener(associated_data(self._header, self.name, family))

    @property
    def _active_scheme(self) -> Scheme:
        if self.state is not KeyState.ACTIVE:
            raise ValueError(f"a key version that is {self.state.value} does not encrypt")
        return self._scheme

    def _opener(self, aad: bytes) -> Transform:
        return self._scheme.opener(aad, reject)

    def _ascii_opener(self, aad: bytes) -> Transform:
        return self._scheme.ascii_opener(aad, reject)

    def _cached(self, make: Callable[[bytes], Transform], family: str) -> Transform:
        place = (make.__name__, family)
        if (found := self._made.get(place)) is None:
            found = self._made[place] = make(associated_data(self._header, self.name, family))
        return found


@dataclass(frozen=True, slots=True)
class Destroyed:
    """A key that was destroyed: the name it had, and when that was (ISO 8601)."""

    name: str
    at: str


class Keyring:
    """An immutable snapshot of the field keys. Raises ValueError if two keys have one id.

    `destroyed` has those that are gone, by their id: so that an envelope of one is told from an envelope of
    a key that nobody knows.
    """

    __slots__ = ("_active", "_by_id", "_openers", "_versions", "destroyed")

    def __init__(
        self, keys: Iterable[FieldKey] = (), destroyed: Mapping[bytes, Destroyed] = MappingProxyType({})
    ) -> None:
        self.destroyed = destroyed
        self._by_id: dict[bytes, FieldKey] = {}
        self._active: dict[tuple[str, str], FieldKey] = {}
        self._versions: dict[tuple[str, str], tuple[FieldKey, ...]] = {}
        self._openers: dict[tuple[str, str, str, bool], Transform] = {}
        for key in sorted(keys, key=lambda key: -key.version):
            if self._by_id.setdefault(key.id, key) is not key:
                raise ValueError(f"two keys have the id {key.id.hex()}")
            place = (key.name, key.algorithm)
            self._versions[place] = (*self._versions.get(place, ()), key)
            if key.state is KeyState.ACTIVE:
                self._active.setdefault(place, key)

    def __len__(self) -> int:
        return len(self._by_id)

    def __repr__(self) -> str:
        return f"<Keyring of {len(self)} keys>"

    def active(self, name: str, algorithm: str) -> FieldKey | None:
        """The version that encrypts."""
        return self._active.get((name, algorithm))

    def versions(self, name: str, algorithm: str) -> tuple[FieldKey, ...]:
        """Every version that can decrypt, newest first: what an equality search has to look for."""
        return self._versions.get((name, algorithm), ())

    def find(self, key_id: bytes) -> FieldKey | None:
        """The key that an envelope names."""
        return self._by_id.get(key_id)

    def name_of(self, key_id: bytes) -> str | None:
        """The name of the key that an envelope names, also of one that was destroyed."""
        known = self._by_id.get(key_id) or self.destroyed.get(key_id)
        return None if known is None else known.name

    def opener(self, name: str, algorithm: str, family: str) -> Transform:
        """Binary envelope -> canonical bytes, for any version of one name's key; fastest for the active one.

        The function raises DecryptionError for an envelope of another name's key, DestroyedKey for one whose
        key is gone, and UnknownKey for one whose key is not in this snapshot. `algorithm` is a hint: every
        algorithm of the name is opened.
        """
        return self._opener(name, algorithm, family, ascii=False)

    def ascii_opener(self, name: str, algorithm: str, family: str) -> Transform:
        """The same for ASCII envelopes."""
        return self._opener(name, algorithm, family, ascii=True)

    def ascii_column_opener(self, name: str, algorithm: str, family: str) -> ColumnOpener | None:
        """The opener of many envelopes of the active key at once; None where there is none."""
        key = self.active(name, algorithm)
        return None if key is None else key.ascii_column_opener(family)

    def _opener(self, name: str, algorithm: str, family: str, *, ascii: bool) -> Transform:  # noqa: A002
        place = (name, algorithm, family, ascii)
        if (found := self._openers.get(place)) is not None:
            return found
        other = self._ascii_finder(name, family) if ascii else self._finder(name, family)
        key = self.active(name, algorithm)
        made = key.opener_or(family, other, ascii=ascii) if key else other
        self._openers[place] = made
        return made

    def _finder(self, name: str, family: str) -> Transform:
        """Opens whatever key of this name the envelope names. A key of another name must not even try."""
        by_id, destroyed = self._by_id, self.destroyed

        def find_and_open(data: bytes) -> bytes:
            found = key_id(data)
            key = by_id.get(found)
            if key is None:
                if (gone := destroyed.get(found)) is None:
                    raise UnknownKey(found)
                raise DestroyedKey(gone.at) if gone.name == name else DecryptionError
            if key.name != name:
                raise DecryptionError
            return key.opener(family)(data)

        return find_and_open

    def _ascii_finder(self, name: str, family: str) -> Transform:
        find_and_open = self._finder(name, family)
        return lambda data: find_and_open(from_ascii(data))
