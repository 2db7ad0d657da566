"""The dashboard with one demo run: time to the first chart, peak memory, and what watching costs the training.

    python benchmarks/dashboard.py [ROUNDS]     default 1; needs Chromium; about five minutes a round on two cores

Each round trains the demo three times: in a terminal, in the server with nobody watching, and in the server with
Chromium showing the page. The browser draws on the same cores here, which a second computer's would not.
"""

from __future__ import annotations

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
CHROMIUM = {"executable_path": "/usr/bin/chromium", "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]}


def terminal(folder: Path) -> dict[str, float]:
    """Seconds of the demo on the command line."""
    subprocess.run([sys.executable, "-m", "bsd_engine", "train", "--preset", "demo", "--out", folder / "run"],
                   cwd=ROOT, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return {"seconds": summary(folder)["seconds"]}


def summary(folder: Path) -> dict:
    """Summary of the one run below a folder, waiting for its end."""
    while not (found := list(folder.glob("*/summary.json"))):
        time.sleep(0.5)
    return json.loads(found[0].read_text())


def served(folder: Path, browser: Browser, *, watched: bool) -> dict[str, float]:
    """Start the demo from the page; seconds of the run and to the first chart, peak MB of the server process."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.port", str(port), "--server.headless", "true"],
        cwd=ROOT, env={**os.environ, "BSD_RUNS": str(folder)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(f"http://127.0.0.1:{port}/_stcore/health")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(f"http://127.0.0.1:{port}")
        page.get_by_role("button", name="Start", exact=True).click(timeout=60000)
        clicked = time.monotonic()
        page.wait_for_function(DRAWN, timeout=120000)
        first = time.monotonic() - clicked
        if not watched:
            page.close()
        seconds = summary(folder)["seconds"]
        peak = int(re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{server.pid}/status").read_text())[1]) / 1024
        return {"seconds": seconds, "first chart": first, "peak MB": peak}
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
    """Print every measurement, then the medians of the ratios."""
    ratios: dict[str, list[float]] = {"unwatched": [], "watched": []}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as folder:
                base = terminal(Path(folder))["seconds"]
            print(f"{'terminal':<11} {base:6.1f} s", flush=True)
            for kind in ratios:
                with tempfile.TemporaryDirectory() as folder:
                    m = served(Path(folder), browser, watched=kind == "watched")
                ratios[kind].append(m["seconds"] / base)
                print(f"{kind:<11} {m['seconds']:6.1f} s, first chart {m['first chart']:.1f} s after Start, peak {m['peak MB']:.0f} MB", flush=True)
    for kind, values in ratios.items():
        print(f"{kind}: training takes {100 * (statistics.median(values) - 1):+.1f} % of the terminal's time more")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1)
