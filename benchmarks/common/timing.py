"""Wall times of calls, and output lines that compare them with their limits."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np


def seconds_of(work: Callable[[], object]) -> float:
    """Return the wall time of one call, seconds."""
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


def milliseconds_of(work: Callable[[], object], times: int) -> list[float]:
    """Return the wall times of `times` calls, milliseconds."""
    return [1000 * seconds_of(work) for _ in range(times)]


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return float(np.percentile(values, 95))


def report(what: str, bar: str, *numbers: float, unit: str = "ms", passed: bool) -> None:
    """Print one line: the name of the measurement, the numbers, and whether they are within the limit."""
    shown = ", ".join(f"{x:,.1f}" for x in numbers)
    print(f"{'ok  ' if passed else 'MISS'} {what}: {shown} {unit} (bar {bar})", flush=True)


def report_times(what: str, bar: float, milliseconds: Sequence[float]) -> None:
    """Print the median and the 95th percentile, which must be within the limit."""
    last = p95(milliseconds)
    report(f"{what}, median and p95", f"{bar:,g} ms", statistics.median(milliseconds), last, passed=last <= bar)
