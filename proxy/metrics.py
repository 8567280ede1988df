"""Counters that all workers share: what /metrics shows is the same whichever worker answers.

Each worker has a row of its own in shared memory, so nobody ever locks; a total is the sum of a column.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, with its name and kind as Prometheus knows them.

    `shared`: each worker sets it to what it sees of one thing, so that the highest is the number of all.
    """

    name: str
    kind: str  # counter | gauge
    help: str
    shared: bool = False


METRICS = (
    Metric("sessions", "gauge", "Sessions now, from start-up to their end"),
    Metric("connections_total", "counter", "Connections accepted"),
    Metric("sessions_total", "counter", "Sessions that were authenticated"),
    Metric("cancel_requests_total", "counter", "Cancel requests passed on"),
    Metric("refused_connections_total", "counter", "Connections refused before authentication"),
    Metric("failed_authentications_total", "counter", "Sessions that ended in authentication"),
    Metric("upstream_failures_total", "counter", "Times that no upstream host could be reached"),
    Metric("crashed_sessions_total", "counter", "Sessions ended by an unexpected exception"),
    Metric("reloads_total", "counter", "Reloads of policy and certificates that were taken over"),
    Metric("failed_reloads_total", "counter", "Reloads that were refused, so that the old ones stayed"),
    Metric("keys_open", "gauge", "Field keys, of all versions, that are open in a worker", shared=True),
    Metric("keys_overdue", "gauge", "Keys that should have been rotated more than an hour ago", shared=True),
    Metric("keys_rotated_total", "counter", "Keys that were rotated, or destroyed, because it was time"),
    Metric(
        "key_outage", "gauge", "1 while keystore or key service cannot be asked about the keys", shared=True
    ),
    Metric("key_outage_seconds", "gauge", "How long that has lasted", shared=True),
    Metric("audit_records_total", "counter", "Records written to the audit trail"),
    Metric("audit_lost_records_total", "counter", "Events that the audit trail had no room to wait for"),
    Metric("audit_failing", "gauge", "Workers whose audit trail cannot be written now"),
)
_COLUMNS = {metric.name: column for column, metric in enumerate(METRICS)}
_WIDTH = 8  # bytes of a number


class Metrics:
    """The numbers of `workers` processes; made before they are forked."""

    def __init__(self, workers: int = 1) -> None:
        self._memory = memoryview(mmap.mmap(-1, max(1, workers) * len(METRICS) * _WIDTH)).cast("q")
        self._row = 0

    def belong_to(self, worker: int) -> None:
        """Count for this worker from now on."""
        self._row = worker * len(METRICS)

    def add(self, name: str, amount: int = 1) -> None:
        self._memory[self._row + _COLUMNS[name]] += amount

    def set(self, name: str, value: int) -> None:
        """What this worker sees of something that all workers share."""
        self._memory[self._row + _COLUMNS[name]] = value

    def total(self, name: str) -> int:
        """The sum over all workers; of what they share, the highest that one of them sees."""
        column = _COLUMNS[name]
        return (max if METRICS[column].shared else sum)(self._memory[column :: len(METRICS)])

    def acquire_session(self, limit: int) -> bool:
        """Count one more session, unless all workers together have `limit` (0: no limit) already."""
        self.add("sessions")
        if limit and self.total("sessions") > limit:
            self.add("sessions", -1)
            return False
        return True

    def release_session(self) -> None:
        self.add("sessions", -1)

    def forget(self, worker: int) -> None:
        """A worker is dead: what it had open is gone; what it counted stays."""
        for column, metric in enumerate(METRICS):
            if metric.kind == "gauge":
                self._memory[worker * len(METRICS) + column] = 0

    def exposition(self) -> str:
        """All of them in Prometheus' text format 0.0.4."""
        lines = []
        for metric in METRICS:
            lines += [
                f"# HELP pgveil_{metric.name} {metric.help}",
                f"# TYPE pgveil_{metric.name} {metric.kind}",
                f"pgveil_{metric.name} {self.total(metric.name)}",
            ]
        return "\n".join(lines) + "\n"
