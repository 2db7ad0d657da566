"""The dashboard with one demo run: time to the first figure, peak memory, and the CPU time of serving.

    python -m benchmarks.dashboard [ROUNDS]     default 1; needs Chromium; about two minutes a round on two cores

Each round trains the demo in a server whose page Chromium shows to the end. Serving is the CPU time of the server's
threads other than the training threads: drawing, sending, answering. The browser's own work is not counted, although
here it shares the cores. Times of whole runs are not compared, because they differ by a quarter among themselves.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser

from benchmarks.common.browser import chromium, new_page
from benchmarks.common.memory import megabytes
from tests.support.page.dashboard import Dashboard

CHART_IS_DRAWN = """() => {
  const c = document.querySelector('.st-key-altruistic_loss .live-plot-chart')
  return !!c?.data?.length && c.layout.uirevision !== 'waiting'
}"""


class ThreadTimes:
    """CPU seconds of each thread of a process, as last read; those of ended threads are kept."""

    def __init__(self, pid: int) -> None:
        self.folder = Path(f"/proc/{pid}/task")
        self.seconds: dict[str, float] = {}

    def update(self) -> None:
        """Read the CPU seconds of all threads once."""
        for task in self.folder.glob("*/stat"):
            with contextlib.suppress(OSError):
                user, system = task.read_text().rpartition(")")[2].split()[11:13]
                self.seconds[task.parent.name] = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def serving(self, before: dict[str, float]) -> float:
        """Return the CPU seconds since earlier readings, without the threads that train f and g, which are those above
        a tenth of the total."""
        spent = {thread: s - before.get(thread, 0.0) for thread, s in self.seconds.items()}
        return sum(s for s in spent.values() if s < sum(spent.values()) / 10)


def wait_for_summary(folder: Path, threads: ThreadTimes) -> dict[str, Any]:
    """Return the summary of the only run below a folder, once it has ended."""
    while not (summaries := list(folder.glob("*/summary.json"))):
        threads.update()
        time.sleep(0.2)
    return json.loads(summaries[0].read_text())


def measure(folder: Path, browser: Browser) -> dict[str, float]:
    """Start the demo from the page and watch it to its end; returns the measurements."""
    runs = folder / "runs"
    with Dashboard(runs, folder / "log") as server:
        threads = ThreadTimes(server.process.pid)
        page = new_page(browser, server.url, viewport={"width": 1440, "height": 900})
        page.goto(f"{server.url}/run")
        page.get_by_role("button", name="Start", exact=True).click(timeout=60000)
        clicked = time.monotonic()
        page.wait_for_function(CHART_IS_DRAWN, timeout=120000)
        first_chart = time.monotonic() - clicked
        threads.update()
        before = dict(threads.seconds)
        seconds = wait_for_summary(runs, threads)["seconds"]
        peak = megabytes("VmHWM", server.process.pid)
        return {"seconds": seconds, "first chart": first_chart, "peak MB": peak, "serving": threads.serving(before)}


def main(rounds: int) -> None:
    """Print all measurements, then the medians."""
    shares, firsts = [], []
    with chromium() as browser:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                m = measure(Path(folder), browser)
            firsts.append(m["first chart"])
            shares.append(100 * m["serving"] / (m["seconds"] * len(os.sched_getaffinity(0))))
            print(
                f"run {m['seconds']:.1f} s, first chart {m['first chart']:.1f} s after Start, "
                f"peak {m['peak MB']:.0f} MB, serving {m['serving']:.1f} CPU seconds",
                flush=True,
            )
    print(
        f"median: first chart after {statistics.median(firsts):.1f} s; "
        f"serving takes {statistics.median(shares):.1f} % of the cores"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
