"""The queue of expected replies after an error, and positions in rewritten texts."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from proxy.session.replies import BIND, PLAIN_EXECUTE, SYNC, Kind, Reply, drop_until_sync, original_position


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


PARTS = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 40)), max_size=8)


@given(PARTS, st.integers(1, 400))
def test_a_position_stays_within_the_part_that_it_is_in(widths: list[tuple[int, int]], position: int) -> None:
    found = original_position(widths, position)
    client, server = 1, 1
    for origin, sent in widths:
        if server <= position < server + sent:
            assert client <= found <= max(client, client + origin - 1)
            return
        client, server = client + origin, server + sent
    assert found == client


@given(st.lists(st.integers(1, 9), max_size=8), st.integers(1, 90))
def test_without_edits_positions_stay(lengths: list[int], position: int) -> None:
    widths = [(length, length) for length in lengths]
    assert original_position(widths, position) == min(position, sum(lengths) + 1)
