"""Versions of what a snapshot was built from; test_catalog_snapshot has them from real servers."""

from __future__ import annotations

from proxy.catalog_versions import RELATION, Versions, detail_versions, no_details

TYPE = 1247
OLD = Versions.from_arrays([TYPE, RELATION, RELATION, RELATION], [20000, 0, 20001, 20002], [1, 2, 3, 4])


def test_what_has_changed_is_found() -> None:
    new = Versions.from_arrays([TYPE, RELATION, RELATION, RELATION], [20000, 0, 20001, 20003], [5, 2, 6, 7])
    changes = new.since(OLD)
    assert changes.changed == [(TYPE, 20000), (RELATION, 20001)]
    assert (changes.new, changes.gone, changes.system) == ([20003], [20002], False)
    assert new.relations == [20001, 20003]


def test_a_change_of_the_servers_own_is_one_of_its_own() -> None:
    new = Versions({**OLD.of, (RELATION, 0): 9})
    assert new.since(OLD).system


def test_what_could_not_be_read_is_read_again() -> None:
    assert OLD.without([]) is OLD
    assert OLD.since(OLD.without([20001])).changed == [(RELATION, 20001)]
    assert no_details([1]) != detail_versions([1], [])


def test_a_relation_without_details_has_a_version_too() -> None:
    assert detail_versions([1, 2], [(2, 5)]) == {1: 0, 2: 5}
