"""Time and memory as functions of the number of samples N: scoring, splits, OSS, recording, reading, maps, suspects.

    python -m benchmarks.scale [N ...]      default 1000 10000 50000 200000; about five minutes on two cores

The images are 28x28 pixels of noise, the network is the demo's, the scores are random. Each time is the median of
several repeats, after one that is not counted. Near-linear means that the time for 200,000 divided by that for 10,000,
divided by 20, is at most 1.1. With the default sizes the results, and their plot for docs/speed.md, are written.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.common.results import RESULTS, ROOT
from benchmarks.common.synthetic_run import SyntheticRun
from benchmarks.common.timing import seconds_of
from bsd_engine import splits
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.bench import parts as bench_parts
from bsd_engine.compute import models, runtime
from bsd_engine.compute.augment import Normalizer
from bsd_engine.config.presets import demo
from bsd_engine.method.scoring import score
from bsd_engine.runs.reader import RunReader

SIZES = (1000, 10_000, 50_000, 200_000)
RESULTS_FILE = RESULTS / "scale.json"
PLOT = ROOT / "docs/images/scale.svg"
REPEATS = 5
Work = Callable[[], Any]
Row = dict[str, list[float]]
"""n, seconds and megabytes of a part, one entry per size."""


def works(n: int, folder: Path) -> Iterator[tuple[str, Work]]:
    """Yield the name and work of each part, for N samples."""
    cpu = runtime.choose("cpu", "float32")
    data = bench_parts.noise(n, 28, 1, 10)
    model = models.seeded(demo().model, data.images.shape, 10, 0)
    normalize = Normalizer.fit(data.images)
    yield "scoring pass", lambda: score(model, data.images, data.labels, normalize, cpu)
    features, losses = torch.randn(n, 64), torch.rand(2, n)
    yield "OSS scores", lambda: splits.oss_scores(features, data.labels, 3)
    yield (
        "split by both losses",
        lambda: splits.discrepancy_clean_mask(splits.loss_discrepancy(*losses), data.labels, 0.6),
    )
    yield "recording an epoch", bench_parts.record_epoch(n)
    synthetic = SyntheticRun(n, epochs=20)
    synthetic.write(folder / f"run-{n}")
    run = RunReader(folder / f"run-{n}")
    yield "reading an epoch", lambda: run.read_epoch(12)
    yield "ranking suspects", lambda: suspects(RunHistory.of(RunReader(run.path)))


def measured(work: Work) -> tuple[float, float]:
    """Return the median seconds, and the peak megabytes that Python and numpy allocated in addition."""
    work()
    seconds = [seconds_of(work) for _ in range(REPEATS)]
    tracemalloc.start()
    work()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return statistics.median(seconds), peak / 1e6


def measure(sizes: list[int]) -> dict[str, Row]:
    """Return the seconds and megabytes of each part for each N; the number of landmarks does not depend on N."""
    found: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        for n in sizes:
            for name, work in works(n, Path(folder)):
                seconds, megabytes = measured(work)
                row = found.setdefault(name, {"n": [], "seconds": [], "megabytes": []})
                for key, value in (("n", n), ("seconds", seconds), ("megabytes", megabytes)):
                    row[key].append(value)
                print(f"{name:<24}{n:>9}{1000 * seconds:>12.2f} ms{megabytes:>10.1f} MB", flush=True)
    for landmarks in (2000, 5000):
        seconds, megabytes = measured(bench_parts.map_refit(landmarks))
        found[f"map refit, {landmarks:,} landmarks"] = {
            "n": [landmarks],
            "seconds": [seconds],
            "megabytes": [megabytes],
        }
        print(f"map refit {landmarks:>23}{1000 * seconds:>12.2f} ms{megabytes:>10.1f} MB", flush=True)
    return found


def growth(row: Row, low: int = 10_000, high: int = 200_000) -> float | None:
    """Return the ratio of the times for many and for few samples, divided by the ratio of samples: 1 is linear."""
    if low not in row["n"] or high not in row["n"]:
        return None
    first, last = (row["seconds"][row["n"].index(n)] for n in (low, high))
    return last / first / (high / low)


def table(found: dict[str, Row]) -> str:
    """Return the results as a Markdown table."""
    lines = [
        "| part | " + " | ".join(f"{n:,}" for n in SIZES) + " | 200k against 10k, by 20 |",
        "|---" * (len(SIZES) + 2) + "|",
    ]
    for name, row in found.items():
        times = [f"{1000 * row['seconds'][row['n'].index(n)]:.1f} ms" if n in row["n"] else "" for n in SIZES]
        if ratio := growth(row):
            lines.append(f"| {name} | {' | '.join(times)} | {ratio:.2f} |")
    lines += [f"\n{name}: {row['seconds'][0]:.2f} s" for name, row in found.items() if len(row["n"]) == 1]
    return "\n".join(lines)


def plot(found: dict[str, Row]) -> str:
    """Return a log-log plot of time against N as SVG, with a dotted line of slope one."""
    rows = {name: row for name, row in found.items() if len(row["n"]) > 1}
    colors = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#7F7F7F")
    width, height, left, top = 640, 380, 70, 20

    def x(n: float) -> float:
        return left + (np.log10(n) - 3) / 2.5 * 360

    def y(seconds: float) -> float:
        return top + (2 - np.log10(seconds)) / 7 * 320

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for power in range(-5, 3):
        parts.append(
            f'<path d="M{left} {y(10.0**power):.0f}h370" stroke="#ddd"/>'
            f'<text x="{left - 6}" y="{y(10.0**power) + 4:.0f}" text-anchor="end">10^{power} s</text>'
        )
    for n in SIZES:
        parts.append(f'<text x="{x(n):.0f}" y="{top + 340}" text-anchor="middle">{n:,}</text>')
    parts.append(f'<text x="{left + 180}" y="{top + 356}" text-anchor="middle">samples N</text>')
    ends = sorted(rows, key=lambda name: -rows[name]["seconds"][-1])
    for (name, row), color in zip(rows.items(), colors):
        line = " ".join(f"{x(n):.1f},{y(s):.1f}" for n, s in zip(row["n"], row["seconds"]))
        linear = " ".join(f"{x(n):.1f},{y(row['seconds'][1] * n / row['n'][1]):.1f}" for n in row["n"])
        parts.append(f'<polyline points="{linear}" fill="none" stroke="{color}" stroke-dasharray="2 3" opacity="0.6"/>')
        parts.append(f'<polyline points="{line}" fill="none" stroke="{color}" stroke-width="2"/>')
        parts.append(f'<text x="{left + 384}" y="{top + 40 + 22 * ends.index(name)}" fill="{color}">{name}</text>')
    parts.append(
        f'<text x="{left + 384}" y="{top + 40 + 22 * len(ends)}" fill="#555">dotted: linear from 10,000</text></svg>'
    )
    return "\n".join(parts) + "\n"


def main(sizes: list[int]) -> None:
    """Measure, print, and write results and plot."""
    found = measure(sizes)
    print(table(found))
    if tuple(sizes) == SIZES:
        RESULTS_FILE.write_text(json.dumps(found, indent=1) + "\n")
        PLOT.write_text(plot(found))


if __name__ == "__main__":
    main([int(n) for n in sys.argv[1:]] or list(SIZES))
