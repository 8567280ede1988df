"""The versions of what a snapshot of the catalogue was built from: which parts of it are old. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

RELATION = 1259  # oid of pg_class: objects are named, as in pg_depend, by their catalogue and their oid
_FUNCTION = 1255  # pg_proc
_TYPE = 1247  # pg_type, of which the parameters of functions are
_FIRST_NORMAL = 16384  # FirstNormalObjectId: below it stand the server's own
_SYSTEM = (RELATION, 0)
_UNKNOWN = -1  # a version that nothing has

Object = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Changes:
    """Objects that were there before and have changed, the oids of new relations and of those that are gone.

    `system`: the server's own relations have changed; `functions`: functions are other ones.
    """

    changed: Sequence[Object]
    new: Sequence[int]
    gone: Sequence[int]
    system: bool
    functions: bool


@dataclass(frozen=True, slots=True)
class Versions:
    """What catalog_sql.VERSIONS returned, by object."""

    of: Mapping[Object, int]

    @classmethod
    def from_arrays(cls, catalogues: Sequence[int], oids: Sequence[int], versions: Sequence[int]) -> Versions:
        return cls(dict(zip(zip(catalogues, oids, strict=True), versions, strict=True)))

    @property
    def relations(self) -> list[int]:
        """The oids of all relations but the server's own, indexes and sequences among them."""
        return [oid for catalogue, oid in self.of if catalogue == RELATION and oid >= _FIRST_NORMAL]

    def since(self, old: Versions) -> Changes:
        """What is not as it was."""
        was = old.of
        other = [key for key, version in self.of.items() if was.get(key) != version]
        gone = was.keys() - self.of.keys()
        return Changes(
            changed=[key for key in other if key in was],
            new=[key[1] for key in other if key not in was and key[0] == RELATION],
            gone=[oid for catalogue, oid in gone if catalogue == RELATION],
            system=_SYSTEM in other,
            functions=any(catalogue in (_FUNCTION, _TYPE) for catalogue, _ in (*other, *gone)),
        )

    def without(self, relations: Iterable[int]) -> Versions:
        """The same, with these to be read again next time whatever their version is then."""
        unknown = {(RELATION, oid): _UNKNOWN for oid in relations}
        return replace(self, of={**self.of, **unknown}) if unknown else self


def detail_versions(oids: Iterable[int], rows: Iterable[tuple[int, int]]) -> dict[int, int]:
    """What catalog_sql.DETAIL_VERSIONS returned for these relations; 0 for one that has no details."""
    return {**dict.fromkeys(oids, 0), **dict(rows)}


def no_details(oids: Iterable[int]) -> dict[int, int]:
    """For relations whose details could not be read, and are to be read again next time."""
    return dict.fromkeys(oids, _UNKNOWN)
