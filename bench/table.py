"""The table that is printed: medians of the rates, how pgveil compares with its rival, and what proxies cost.

cost   the proxy's own processor time for each transaction or row, which a busy machine changes little
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.contenders import DIRECT, PGVEIL
from bench.outcome import Outcome, Outcomes
from bench.workloads import Workload

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Ratio:
    """pgveil's rate to that of `rival`: the median over the rounds of the ratio within a round."""

    rival: str
    value: float


def ratio(workload: Workload, outcomes: Outcomes) -> Ratio | None:
    """pgveil against the workload's rival, or the direct connection where that is not here.

    A busy machine slows a whole round: the ratio within a round stays, that of two medians need not.
    """
    rival = workload.rival if outcomes.get(workload.rival) else DIRECT
    if not outcomes.get(PGVEIL) or not outcomes.get(rival):
        return None
    rounds = zip(outcomes[PGVEIL], outcomes[rival], strict=True)
    return Ratio(rival, median(one.rate / other.rate for one, other in rounds))


def header(names: Sequence[str]) -> str:
    columns = "".join(f"{name:>12}" for name in names)
    costs = "".join(f"{name:>11}" for name in names if name != DIRECT)
    return f"{'':<32}{'':<7}{columns}   {'pgveil to':<11}{'ratio':>5}{'target':>7}   {'cost, µs:'}{costs}"


def line(workload: Workload, outcomes: Outcomes, names: Sequence[str]) -> str:
    columns = "".join(f"{median(o.rate for o in outcomes[name]):>12,.0f}" for name in names)
    found = ratio(workload, outcomes)
    compared = f"   {found.rival:<11}{found.value:>5.2f}" if found else " " * 19
    target = f"{'' if workload.target is None else format(workload.target, '.2f'):>7}"
    costs = "".join(f"{_cost(outcomes[name]):>11}" for name in names if name != DIRECT)
    return f"{workload.name:<32}{workload.unit:<7}{columns}{compared}{target}{'':<12}{costs}"


def _cost(outcomes: Sequence[Outcome]) -> str:
    return f"{median(outcome.cost or 0.0 for outcome in outcomes):.1f}"


def memory_line(when: str, sizes: Mapping[str, int | None], target: int | None = None) -> str:
    """Resident memory of each proxy in MiB."""
    columns = "".join(
        f"{'' if size is None else format(size / MEBIBYTE, '.1f'):>12}" for size in sizes.values()
    )
    goal = "" if target is None else f"{'':<19}{f'< {target}':>7}"
    return f"{'RSS, ' + when:<32}{'MiB':<7}{columns}{goal}"
