"""The queue of expected replies after an error."""

from __future__ import annotations

from collections import deque

from proxy.session.replies import BIND, PLAIN_EXECUTE, SYNC, Kind, Reply, drop_until_sync


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
