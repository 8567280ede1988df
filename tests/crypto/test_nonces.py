"""Nonces: never twice, counted before they are used, not shared with a child, and refused at the end."""

from __future__ import annotations

import os
import threading

import pytest

from crypto import nonces
from crypto.errors import KeyExhausted
from crypto.nonces import BLOCK, FIRST, MOST, OVERDRAFT, REFUSE_AT, NonceSource


def take(source: NonceSource) -> bytes:
    """A nonce, as the sealers take one."""
    try:
        return source.take()
    except IndexError:
        return source.refill()


def test_no_nonce_comes_twice() -> None:
    source = NonceSource()
    drawn = [take(source) for _ in range(BLOCK * 10)]
    assert len(set(drawn)) == len(drawn)
    assert {len(nonce) for nonce in drawn} == {12}


def draw(source: NonceSource, count: int) -> None:
    for _ in range(count):
        take(source)


def test_what_is_reserved_is_drawn_of_and_more_is_asked_for_in_time() -> None:
    source, asked = NonceSource(used=1000), []
    source.on_low = lambda: asked.append(source.left)
    assert source.wanted == FIRST
    source.reserved(FIRST, 1000 + FIRST, now=0.0)
    assert (source.left, source.wanted, source.used) == (FIRST, 0, 1000 + FIRST)
    draw(source, FIRST // 2)
    assert (asked, source.wanted) == ([], 0)
    take(source)
    assert asked == [FIRST // 2 - BLOCK]
    assert source.wanted == FIRST - asked[0]


def test_a_burst_goes_on_in_debt_and_the_debt_is_reserved_next() -> None:
    source = NonceSource(used=1000)
    draw(source, BLOCK + 1)
    assert (source.left, source.used) == (-2 * BLOCK, 1000 + 2 * BLOCK)
    source.reserved(source.wanted, 1000 + 2 * BLOCK + FIRST, now=0.0)
    assert (source.left, source.used) == (FIRST, 1000 + 2 * BLOCK + FIRST)


def test_debt_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nonces, "OVERDRAFT", 3 * BLOCK)
    source = NonceSource()
    draw(source, 3 * BLOCK)
    with pytest.raises(KeyExhausted):
        take(source)
    source.reserved(source.wanted, 5000, now=0.0)
    draw(source, FIRST)


def test_reservations_are_as_large_as_they_need_to_be() -> None:
    """Whoever uses a key all the time asks for more of it, and for less when that is over."""
    source, sizes = NonceSource(), []
    for now in (0.0, 10.0, 20.0, 30.0, 40.0, 50.0, 60.0, 10_000.0, 20_000.0):
        draw(source, max(source.left, 0))
        sizes.append(count := source.wanted)
        source.reserved(count, 0, now)
    assert sizes == [FIRST, *(min(FIRST * 8**n, MOST) for n in range(6)), MOST, MOST >> 3]


def test_an_old_total_never_lowers_the_count() -> None:
    source = NonceSource(used=5000)
    source.told(10)
    assert source.used == 5000


def test_what_is_reserved_may_be_used_at_the_end_of_the_budget() -> None:
    source = NonceSource(used=REFUSE_AT - BLOCK)
    assert source.wanted == BLOCK
    source.reserved(BLOCK, REFUSE_AT, now=0.0)
    draw(source, BLOCK)
    assert source.wanted == 0
    with pytest.raises(KeyExhausted):
        take(source)


def test_a_used_up_key_gives_no_more() -> None:
    source = NonceSource(used=REFUSE_AT - 1)
    for _ in range(BLOCK):
        take(source)
    with pytest.raises(KeyExhausted, match="as many values as is safe"):
        take(source)
    assert REFUSE_AT + 64 * OVERDRAFT == 1 << 32  # so many crashes in the worst moment


def test_a_forked_child_has_none_of_its_parents_nonces() -> None:
    source = NonceSource()
    source.reserved(FIRST, FIRST, now=0.0)
    take(source)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        drawn = b"".join(take(source) for _ in range(BLOCK - 1))
        os.write(write, (-source.left).to_bytes(4, "big") + drawn)
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        debt, theirs = int.from_bytes(pipe.read(4), "big"), pipe.read()
    assert os.waitpid(child, 0)[1] == 0
    assert debt == BLOCK  # what is reserved is its parent's
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
