"""search_path through transactions: SET, SET LOCAL, savepoints and rollbacks.

PostgreSQL documentation, SET: what a transaction sets is undone when it, or the savepoint, is rolled back.
"""

from __future__ import annotations

Path = tuple[str, ...] | None  # None: not known


class SearchPath:
    """The value now. `initial` is what RESET goes back to."""

    def __init__(self, initial: Path) -> None:
        self.initial = initial
        self._reported: Path = None  # what the server last said
        self.version = 0  # goes up whenever `value` or `uncommitted` may have changed
        self._session: Path = initial
        self._local: tuple[Path] | None = None
        self._saved: Path = initial  # before the transaction
        self._savepoints: list[tuple[str, Path, tuple[Path] | None]] = []

    @property
    def value(self) -> Path:
        return self._session if self._local is None else self._local[0]

    @property
    def uncommitted(self) -> bool:
        """Whether the open transaction has changed it, so that a rollback would change it again."""
        return self._local is not None or self._session != self._saved

    def set(self, value: Path, *, local: bool = False) -> None:
        if not local and self._local is None and value == self._session:
            return
        self.version += 1
        if local:
            self._local = (value,)
        else:
            self._session, self._local = value, None

    def report(self, value: tuple[str, ...]) -> None:
        """The server itself says what it is (from PostgreSQL 18 on)."""
        self._reported = value
        if value == self.value:
            return
        self.version += 1
        if self._local is not None:
            self._local = (value,)
        elif self._session != value:
            self._session = value

    def settle(self) -> None:
        """The server is ready, and has said by now what is no longer what it last said."""
        if self.value is None and self._reported is not None:
            self.report(self._reported)

    def savepoint(self, name: str) -> None:
        self._savepoints.append((name, self._session, self._local))

    def rollback_to(self, name: str) -> None:
        """Back to what it was at the savepoint, which stays."""
        self.version += 1
        for i in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[i][0] == name:
                _, self._session, self._local = self._savepoints[i]
                del self._savepoints[i + 1 :]
                return

    def release(self, name: str) -> None:
        for i in range(len(self._savepoints) - 1, -1, -1):
            if self._savepoints[i][0] == name:
                del self._savepoints[i:]
                return

    def end(self, *, committed: bool) -> None:
        """The transaction is over."""
        self.version += self.uncommitted  # or nothing changes
        if not committed:
            self._session = self._saved
        self._saved = self._session
        self._local = None
        self._savepoints.clear()
