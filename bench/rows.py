"""What rewriting DataRow frames costs, per row, without what the openers themselves do.

    python bench/rows.py

50,000 rows of five columns in chunks of 64 KiB, as the session gets them; the least of several rounds.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from proxy.wire.backend import DataRow
from proxy.wire.rows import Opener, make_row_rewriter

ROWS = 50_000
CHUNK = 65_536
ROUNDS = 7
SEALED = b"pgv1:" + b"A" * 100
OPENED = b"person@example.com"


def rows(protected: frozenset[int]) -> bytes:
    plain = (b"%d", b"+49 30 %d", b"name %d", b"street %d", b"2024-01-01 00:00:%d")
    return b"".join(
        DataRow(tuple([SEALED if i in protected else p % n for i, p in enumerate(plain)])).pack()
        for n in range(ROWS)
    )


def chunks(data: bytes) -> Iterator[bytes]:
    for at in range(0, len(data), CHUNK):
        yield data[at : at + CHUNK]


def seconds(data: bytes, openers: Sequence[Opener | None]) -> float:
    rewrite = make_row_rewriter(openers)
    rest = b""
    done = 0
    start = time.perf_counter()
    for chunk in chunks(data):
        out: list[bytes] = []
        buffer = rest + chunk
        at, count = rewrite(buffer, 0, len(buffer), out)
        rest = buffer[at:]
        done += count
        b"".join(out)
    assert done == ROWS
    return time.perf_counter() - start


def calls(opener: Opener, times: int) -> float:
    start = time.perf_counter()
    for _ in range(times):
        opener(SEALED)
    return time.perf_counter() - start


def main() -> None:
    def opener(_sealed: bytes) -> bytes:
        return OPENED

    print(f"{'protected columns of 5':<26}{'us/row':>8}{'without the openers':>22}")
    for protected in ((1,), (1, 3), (0, 1), (3, 4), (1, 2, 3), (0, 1, 2, 3, 4)):
        data = rows(frozenset(protected))
        openers = [opener if i in protected else None for i in range(5)]
        whole = min(seconds(data, openers) for _ in range(ROUNDS))
        called = min(calls(opener, ROWS * len(protected)) for _ in range(ROUNDS))
        name = ", ".join(map(str, protected))
        print(f"{name:<26}{whole / ROWS * 1e6:>8.2f}{(whole - called) / ROWS * 1e6:>22.2f}")


if __name__ == "__main__":
    main()
