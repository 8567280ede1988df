"""Numbers that all workers share."""

from __future__ import annotations

from proxy.metrics import METRICS, Metrics


def test_a_total_is_the_sum_over_the_workers() -> None:
    metrics = Metrics(3)
    for worker in range(3):
        metrics.belong_to(worker)
        metrics.add("connections_total", worker + 1)
    assert metrics.total("connections_total") == 6
    assert metrics.total("sessions_total") == 0


def test_what_workers_share_is_not_summed() -> None:
    metrics = Metrics(2)
    metrics.set("keys_overdue", 3)
    metrics.belong_to(1)
    metrics.set("keys_overdue", 2)
    assert metrics.total("keys_overdue") == 3
    metrics.forget(0)
    assert metrics.total("keys_overdue") == 2


def test_the_limit_is_for_all_workers_together() -> None:
    metrics = Metrics(2)
    assert metrics.acquire_session(2)
    metrics.belong_to(1)
    assert metrics.acquire_session(2)
    assert not metrics.acquire_session(2)
    assert metrics.total("sessions") == 2
    metrics.release_session()
    assert metrics.acquire_session(2)


def test_zero_is_no_limit() -> None:
    metrics = Metrics()
    assert all(metrics.acquire_session(0) for _ in range(100))


def test_what_a_dead_worker_had_open_is_gone_and_what_it_counted_stays() -> None:
    metrics = Metrics(2)
    metrics.belong_to(1)
    metrics.acquire_session(0)
    metrics.add("sessions_total")
    metrics.forget(1)
    assert (metrics.total("sessions"), metrics.total("sessions_total")) == (0, 1)


def test_the_format_of_prometheus() -> None:
    metrics = Metrics()
    metrics.add("cancel_requests_total", 3)
    lines = metrics.exposition().splitlines()
    assert "# TYPE pgveil_cancel_requests_total counter" in lines
    assert "pgveil_cancel_requests_total 3" in lines
    assert len(lines) == 3 * len(METRICS)
