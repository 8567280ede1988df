"""The queue of expected replies after an error, and positions in rewritten texts."""

from __future__ import annotations

import itertools
from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from proxy.session.replies import BIND, PLAIN_EXECUTE, SYNC, Kind, Reply, drop_until_sync, original_position
from proxy.sql.plan import Widths


def test_what_the_server_skips_is_taken_back_the_latest_first() -> None:
    undone: list[tuple[int, bool]] = []

    def parse(number: int) -> Reply:
        return Reply(Kind.PARSE, undo=lambda failed: undone.append((number, failed)))

    replies = deque([parse(1), BIND, parse(2), PLAIN_EXECUTE, parse(3), SYNC, parse(4)])
    assert drop_until_sync(replies)
    assert undone == [(3, False), (2, False), (1, True)]
    assert replies[0] is SYNC
    assert len(replies) == 2


def test_without_a_sync_everything_goes() -> None:
    replies = deque([BIND, PLAIN_EXECUTE])
    assert not drop_until_sync(replies)
    assert not replies


def test_a_queue_that_begins_with_sync_stays() -> None:
    replies = deque([SYNC, BIND])
    assert drop_until_sync(replies)
    assert list(replies) == [SYNC, BIND]


SAME = st.integers(0, 9).map(lambda length: ((length, length),))
REPLACED = st.tuples(st.integers(0, 9), st.integers(0, 40)).map(lambda old: ((0, old[1]), (old[0], 0)))
PARTS = st.lists(SAME | REPLACED, max_size=8).map(lambda parts: tuple(itertools.chain(*parts)))


@given(PARTS, st.integers(1, 400))
def test_a_position_is_that_of_the_same_character_or_of_what_was_replaced(
    widths: Widths, position: int
) -> None:
    places = [0]  # of the characters in the server's text: places in the client's text, from 1
    client = 1
    for origin, sent in widths:
        places += range(client, client + sent) if origin == sent else [client] * sent
        client += origin
    expected = places[position] if position < len(places) else client
    assert original_position(widths, position) == expected


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 90))
def test_without_edits_positions_stay(lengths: list[int], position: int) -> None:
    widths = tuple((length, length) for length in lengths)
    assert original_position(widths, position) == min(position, sum(lengths) + 1)
