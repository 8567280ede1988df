"""What the table says of measurements."""

from __future__ import annotations

from bench.contenders import DIRECT, PGBOUNCER, PGVEIL
from bench.outcome import Outcome
from bench.table import Ratio, header, line, memory_line, ratio
from bench.workloads import Workload

NAMES = [DIRECT, PGBOUNCER, PGVEIL]


def workload(rival: str = PGBOUNCER, target: float | None = 0.85) -> Workload:
    return Workload("select", "tx/s", lambda _: Outcome(1, 1.0), rival, target)


def outcomes(*rates: float) -> list[Outcome]:
    return [Outcome(int(rate), 1.0, processor=rate * 20e-6) for rate in rates]


def test_the_ratio_is_the_median_of_the_ratios_within_the_rounds() -> None:
    # a busy second round halves both: their ratio there stays what it was
    found = ratio(workload(), {PGBOUNCER: outcomes(1000, 500, 1000), PGVEIL: outcomes(900, 450, 800)})
    assert found == Ratio(PGBOUNCER, 0.9)


def test_without_the_rival_the_direct_connection_takes_its_place() -> None:
    found = ratio(workload(), {DIRECT: outcomes(1000), PGVEIL: outcomes(500)})
    assert found == Ratio(DIRECT, 0.5)


def test_without_pgveil_there_is_no_ratio() -> None:
    assert ratio(workload(), {DIRECT: outcomes(1000), PGBOUNCER: outcomes(900)}) is None


def test_a_line_has_medians_ratio_target_and_cost_below_their_heads() -> None:
    rates = {DIRECT: outcomes(3000, 1000, 2000), PGBOUNCER: outcomes(1000) * 3, PGVEIL: outcomes(800) * 3}
    printed = line(workload(), rates, NAMES)
    assert printed.split() == [
        "select",
        "tx/s",
        "2,000",
        "1,000",
        "800",
        PGBOUNCER,
        "0.80",
        "0.85",
        "20.0",
        "20.0",
    ]
    assert len(printed) == len(header(NAMES))


def test_a_proxy_without_processor_time_costs_nothing() -> None:
    assert Outcome(10, 2.0).cost is None
    assert Outcome(10, 2.0).rate == 5.0


def test_memory_is_in_mebibytes_and_empty_for_the_direct_connection() -> None:
    printed = memory_line("idle", {DIRECT: None, PGBOUNCER: 8 << 20, PGVEIL: 50 << 20}, 60)
    assert printed.split() == ["RSS,", "idle", "MiB", "8.0", "50.0", "<", "60"]
