"""Nonces: never twice, counted before they are used, not shared with a child, and refused at the end."""

from __future__ import annotations

import os
import threading

import pytest

from crypto.errors import KeyExhausted
from crypto.nonces import BLOCK, REFUSE_AT, NonceSource


def take(source: NonceSource) -> bytes:
    """A nonce, as the sealers take one."""
    try:
        return source.take()
    except IndexError:
        return source.refill()


def test_no_nonce_comes_twice() -> None:
    source = NonceSource()
    nonces = [take(source) for _ in range(BLOCK * 10)]
    assert len(set(nonces)) == len(nonces)
    assert {len(nonce) for nonce in nonces} == {12}


def test_a_block_is_counted_before_it_is_used() -> None:
    source = NonceSource(used=1000)
    take(source)
    assert source.used == 1000 + BLOCK
    assert source.unreported == BLOCK
    for _ in range(BLOCK):
        take(source)
    assert source.unreported == 2 * BLOCK


def test_a_report_brings_in_what_others_used() -> None:
    source = NonceSource()
    take(source)
    source.reported(BLOCK, 5000)
    assert (source.used, source.unreported) == (5000, 0)


def test_what_is_drawn_during_a_report_stays_unreported() -> None:
    source = NonceSource()
    take(source)
    count = source.unreported
    for _ in range(BLOCK):
        take(source)
    source.reported(count, count)
    assert (source.used, source.unreported) == (2 * BLOCK, BLOCK)


def test_an_old_total_never_lowers_the_count() -> None:
    source = NonceSource(used=5000)
    source.reported(0, 10)
    assert source.used == 5000


def test_a_used_up_key_gives_no_more() -> None:
    source = NonceSource(used=REFUSE_AT - 1)
    for _ in range(BLOCK):
        take(source)
    with pytest.raises(KeyExhausted, match="as many values as is safe"):
        take(source)
    assert REFUSE_AT + BLOCK < 1 << 32


def test_a_forked_child_has_none_of_its_parents_nonces() -> None:
    source = NonceSource()
    take(source)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        nonces = b"".join(take(source) for _ in range(BLOCK - 1))
        os.write(write, source.unreported.to_bytes(4, "big") + nonces)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        unreported, theirs = int.from_bytes(pipe.read(4), "big"), pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert unreported == BLOCK  # its own block only
    ours = {take(source) for _ in range(BLOCK - 1)}
    assert ours.isdisjoint(theirs[i : i + 12] for i in range(0, len(theirs), 12))


def test_threads_share_a_source() -> None:
    source = NonceSource()
    taken: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: taken.extend([take(source) for _ in range(2000)])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(taken)) == 8000
