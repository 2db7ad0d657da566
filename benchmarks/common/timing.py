"""Wall times of calls, and lines that compare them with their bars."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np


def seconds_of(work: Callable[[], object]) -> float:
    """Wall time of one call, seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def milliseconds_of(work: Callable[[], object], times: int) -> list[float]:
    """Wall times of so many calls, milliseconds."""
    return [1000 * seconds_of(work) for _ in range(times)]


def p95(values: Sequence[float]) -> float:
    """The 95th percentile."""
    return float(np.percentile(values, 95))


def report(what: str, bar: str, *numbers: float, unit: str = "ms", passed: bool) -> None:
    """Print one line: what was measured, the numbers, and whether they are within the bar."""
    shown = ", ".join(f"{x:,.1f}" for x in numbers)
    print(f"{'ok  ' if passed else 'MISS'} {what}: {shown} {unit} (bar {bar})", flush=True)


def report_times(what: str, bar: float, milliseconds: Sequence[float]) -> None:
    """Print the median and the 95th percentile, which has to be within the bar."""
    last = p95(milliseconds)
    report(f"{what}, median and p95", f"{bar:,g} ms", statistics.median(milliseconds), last, passed=last <= bar)
