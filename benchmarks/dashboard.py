"""The dashboard with one demo run: time to the first chart, peak memory, and what serving it costs the machine.

    python benchmarks/dashboard.py [ROUNDS]     default 1; needs Chromium; about two minutes a round on two cores

Each round trains the demo in a server whose page Chromium shows to the end. Serving is what the server's threads other
than the training's spend: drawing, sending, answering. The browser's own work is not counted, although here it
shares the cores; whole runs differ by a quarter among themselves, so comparing their times would say nothing.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
DRAWN = "() => { const c = document.querySelector('.st-key-altruistic_loss .live-plot-chart'); return !!c?.data?.length && c.layout.uirevision !== 'waiting' }"
CHROMIUM = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
}


class Threads:
    """CPU seconds of each thread that a process has, as last seen: those of a thread that ended are kept."""

    def __init__(self, pid: int) -> None:
        self.folder, self.seconds = Path(f"/proc/{pid}/task"), {}

    def look(self) -> None:
        """Read them all once."""
        for task in self.folder.glob("*/stat"):
            with contextlib.suppress(OSError):
                user, system = task.read_text().rpartition(")")[2].split()[11:13]
                self.seconds[task.parent.name] = (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def serving(self, before: dict[str, float]) -> float:
        """CPU seconds since an earlier look of all but the threads that train f and g, which are those above a tenth of all."""
        spent = {thread: s - before.get(thread, 0.0) for thread, s in self.seconds.items()}
        return sum(s for s in spent.values() if s < sum(spent.values()) / 10)


def summary(folder: Path, threads: Threads) -> dict:
    """Summary of the one run below a folder, waiting for its end."""
    while not (found := list(folder.glob("*/summary.json"))):
        threads.look()
        time.sleep(0.2)
    return json.loads(found[0].read_text())


def served(folder: Path, browser: Browser) -> dict[str, float]:
    """Start the demo from the page and watch it to its end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "streamlit",
            "run",
            "streamlit_app.py",
            "--server.port",
            str(port),
            "--server.headless",
            "true",
        ],
        cwd=ROOT,
        env={**os.environ, "BSD_RUNS": str(folder)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    threads = Threads(server.pid)
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"http://127.0.0.1:{port}/run")
        page.get_by_role("button", name="Start", exact=True).click(timeout=60000)
        clicked = time.monotonic()
        page.wait_for_function(DRAWN, timeout=120000)
        first = time.monotonic() - clicked
        threads.look()
        before = dict(threads.seconds)
        seconds = summary(folder, threads)["seconds"]
        peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[1]) / 1024
        return {"seconds": seconds, "first chart": first, "peak MB": peak, "serving": threads.serving(before)}
    finally:
        server.terminate()
        server.wait(30)


def _wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1)
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    raise SystemExit("the server did not start within a minute")


def main(rounds: int) -> None:
    """Print every measurement, then the medians."""
    shares, firsts = [], []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                m = served(Path(folder), browser)
            firsts.append(m["first chart"])
            shares.append(100 * m["serving"] / (m["seconds"] * len(os.sched_getaffinity(0))))
            print(
                f"run {m['seconds']:.1f} s, first chart {m['first chart']:.1f} s after Start, peak {m['peak MB']:.0f} MB, "
                f"serving {m['serving']:.1f} CPU seconds",
                flush=True,
            )
    print(
        f"median: first chart after {statistics.median(firsts):.1f} s; serving takes {statistics.median(shares):.1f} % of the cores"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
