"""What the page Audit computes on the server for 50,000 samples, and the size of the report.

    python benchmarks/audit.py [--samples 50000]

The recording is made by code (`synthetic_run`) and thrown away. Passport: reason, what would flip the sample, and figure, of
samples drawn at random at epochs drawn at random after T1. Table: filter, order and rows as Arrow, never the same twice. What the
browser draws is not in these times.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from synthetic_run import SyntheticRun  # noqa: E402

from app.audit.audited import audited  # noqa: E402
from app.audit.table import FLAGS, SORTS, Filter, filtered  # noqa: E402
from app.figures.audit import passport_figure  # noqa: E402
from app.style.theme import LIGHT  # noqa: E402
from bsd_engine.audit.export.report import report  # noqa: E402
from bsd_engine.audit.flips import what_would_flip  # noqa: E402
from bsd_engine.audit.history import RunHistory  # noqa: E402
from bsd_engine.audit.reasons import reason  # noqa: E402
from bsd_engine.audit.suspects import suspects  # noqa: E402
from bsd_engine.runs.reader import RunReader  # noqa: E402


def seconds(what: Callable[[], object]) -> float:
    """How long a call takes."""
    begin = time.perf_counter()
    what()
    return time.perf_counter() - begin


def said(name: str, times: list[float]) -> None:
    """One line: median and 95th percentile."""
    print(
        f"{name:<58} median {1000 * np.median(times):7.1f} ms, p95 {1000 * np.quantile(times, 0.95):7.1f} ms (n = {len(times)})",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser()
    options.add_argument("--samples", type=int, default=50_000)
    count = options.parse_args().samples
    with tempfile.TemporaryDirectory() as place:
        made = SyntheticRun(count)
        path = Path(place) / "run"
        with made.create(path) as writer:
            for epoch in range(made.config.schedule.total_epochs):
                writer.epoch(made.state(epoch))
        run, rng = RunReader(path), np.random.default_rng(0)
        print(
            f"{count:,} samples, {len(run.epochs)} epochs: history {seconds(lambda: RunHistory.of(run)):.2f} s, "
            f"ranking {seconds(lambda h=RunHistory.of(run): suspects(h)):.2f} s, both once for each new epoch"
        )
        audit = audited(path)
        history = audit.history
        print(
            f"cuts of all epochs, once: {seconds(lambda: passport_figure(history, 0, history.num_epochs - 1, LIGHT)):.2f} s"
        )

        def passport(sample: int, epoch: int) -> None:
            reason(history, sample, epoch)
            what_would_flip(history, sample, epoch)
            passport_figure(history, sample, epoch, LIGHT).to_json(validate=False)

        first, last = history.first_main + history.config.schedule.t1, history.num_epochs
        said(
            "passport, epoch at random",
            [seconds(lambda: passport(int(rng.integers(count)), int(rng.integers(first, last)))) for _ in range(60)],
        )
        said(
            "passport, newest epoch", [seconds(lambda: passport(int(rng.integers(count)), last - 1)) for _ in range(60)]
        )
        wanted = [
            Filter(sort=sort, flags=flags, pool=pool)
            for sort in SORTS
            for flags in ((), *((f,) for f in FLAGS))
            for pool in ("all", "kept out")
        ]
        said("table: sort and filter, rows as Arrow", [seconds(lambda w=w: filtered(audit, w, 0)) for w in wanted])
        print(f"report: {len(report(run, history=history).encode()) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
