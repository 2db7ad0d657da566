"""Changes of the epoch by the range input, with all columns loaded."""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.common.browser import SCRUB, served
from benchmarks.common.timing import report_times
from benchmarks.tuning.page import tune_page, write_run

STEPS = 60
BAR = 100  # milliseconds


def scrub(samples: int) -> None:
    """Go to epochs in an order for which a cache of scenes does not help."""
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), samples)[1].close()
        with served(Path(folder)) as url, tune_page(url, 15) as page:
            took = []
            for k in range(STEPS):
                took.append(page.evaluate(SCRUB, (15 + 13 * (k + 1)) % 40))
                page.wait_for_timeout(60)
    report_times(f"scrub to another epoch, {samples:,} samples", BAR, took)
