"""Server times of the page Audit for 50,000 samples, and the size of the report.

    python -m benchmarks.audit [--samples 50000]

The run is synthetic and deleted afterwards. Passport: reason, changes that would flip the sample, and figure, for
random samples at random epochs after T1. Table: filter, order and rows as Arrow, never the same twice. The times do
not include drawing in the browser.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.audit.audited import audited
from app.audit.table import FLAGS, SORTS, Filter, filtered
from app.figures.audit import passport_figure
from app.style.theme import LIGHT
from benchmarks.common.synthetic_run import SyntheticRun
from benchmarks.common.timing import p95, seconds_of
from bsd_engine.audit.explain.flips import what_would_flip
from bsd_engine.audit.explain.reasons import reason
from bsd_engine.audit.export.report import report
from bsd_engine.audit.history import RunHistory
from bsd_engine.audit.suspects import suspects
from bsd_engine.runs.reader import RunReader

PASSPORTS = 60


def print_times(what: str, seconds: Sequence[float]) -> None:
    """Print one line: median and 95th percentile."""
    print(
        f"{what:<58} median {1000 * np.median(seconds):7.1f} ms, p95 {1000 * p95(seconds):7.1f} ms "
        f"(n = {len(seconds)})",
        flush=True,
    )


def passport(history: RunHistory, sample: int, epoch: int) -> None:
    """Compute what the page shows in the passport of a sample."""
    reason(history, sample, epoch)
    what_would_flip(history, sample, epoch)
    passport_figure(history, sample, epoch, LIGHT).to_json(validate=False)


def measure(path: Path) -> None:
    """Print the times for a run folder."""
    run, rng = RunReader(path), np.random.default_rng(0)
    history_seconds = seconds_of(lambda: RunHistory.of(run))
    fresh = RunHistory.of(run)
    ranking_seconds = seconds_of(lambda: suspects(fresh))
    audit = audited(path)
    history = audit.history
    print(
        f"{run.num_samples:,} samples, {len(run.epochs)} epochs: "
        f"history {history_seconds:.2f} s, "
        f"ranking {ranking_seconds:.2f} s, both once for each new epoch"
    )
    first, last = history.first_main + history.config.schedule.t1, history.num_epochs - 1
    print(f"cuts of all epochs, once: {seconds_of(lambda: passport_figure(history, 0, last, LIGHT)):.2f} s")

    def passport_seconds(epoch: int | None) -> float:
        sample = int(rng.integers(run.num_samples))
        at = int(rng.integers(first, last + 1)) if epoch is None else epoch
        return seconds_of(lambda: passport(history, sample, at))

    print_times("passport, epoch at random", [passport_seconds(None) for _ in range(PASSPORTS)])
    print_times("passport, newest epoch", [passport_seconds(last) for _ in range(PASSPORTS)])
    filters = [
        Filter(sort=sort, flags=flags, pool=pool)
        for sort in SORTS
        for flags in ((), *((flag,) for flag in FLAGS))
        for pool in ("all", "kept out")
    ]
    print_times(
        "table: sort and filter, rows as Arrow",
        [seconds_of(lambda f=chosen: filtered(audit, f, 0)) for chosen in filters],
    )
    print(f"report: {len(report(run, history=history).encode()) / 1e6:.2f} MB")


def main() -> None:
    """Make the run, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=50_000)
    synthetic = SyntheticRun(parser.parse_args().samples)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        synthetic.write(path)
        measure(path)


if __name__ == "__main__":
    main()
