"""The table that is printed: medians of the rates, and how pgveil compares with its rival."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.contenders import DIRECT, PGVEIL
from bench.workloads import Workload

Rates = Mapping[str, Sequence[float]]  # contender -> its rate in each round
MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Ratio:
    """pgveil's rate to that of `rival`: the median over the rounds of the ratio within a round."""

    rival: str
    value: float


def ratio(workload: Workload, rates: Rates) -> Ratio | None:
    """pgveil against the workload's rival, or the direct connection where that is not here.

    A busy machine slows a whole round: the ratio within a round stays, that of two medians need not.
    """
    rival = workload.rival if rates.get(workload.rival) else DIRECT
    if not rates.get(PGVEIL) or not rates.get(rival):
        return None
    return Ratio(rival, median(a / b for a, b in zip(rates[PGVEIL], rates[rival], strict=True)))


def header(names: Sequence[str]) -> str:
    columns = "".join(f"{name:>12}" for name in names)
    return f"{'':<32}{'':<8}{columns}   {'pgveil to':<11}{'ratio':>6}{'target':>8}"


def line(workload: Workload, rates: Rates, names: Sequence[str]) -> str:
    columns = "".join(f"{median(rates[name]):>12,.0f}" for name in names)
    found = ratio(workload, rates)
    compared = "" if found is None else f"   {found.rival:<11}{found.value:>6.2f}"
    target = "" if workload.target is None else f"{workload.target:>8.2f}"
    return f"{workload.name:<32}{workload.unit:<8}{columns}{compared}{target}"


def memory_line(when: str, sizes: Mapping[str, int | None], target: int | None = None) -> str:
    """Resident memory of each proxy in MiB."""
    columns = "".join(
        f"{'' if size is None else format(size / MEBIBYTE, '.1f'):>12}" for size in sizes.values()
    )
    goal = "" if target is None else f"{'':<20}{f'< {target}':>8}"
    return f"{'RSS, ' + when:<32}{'MiB':<8}{columns}{goal}"
