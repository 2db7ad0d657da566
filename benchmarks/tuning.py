"""The page Tune against its bars, in headless Chromium with software rendering.

    python benchmarks/tuning.py [engine] [drag] [scrub] [live] [--samples 50000] [--updates 100]

Without a word all of them, about five minutes. The recordings are made by code (`synthetic_run`), say so, and are thrown away.

* engine: the first split by `splits`, and the map of 21 x 21 alphas and betas
* drag: a cut is dragged; each drag event must be drawn, and the server's table be right soon after the release
* scrub: from epoch to epoch by the range input, all columns being there
* live: epochs are added while somebody has zoomed, selected, pinned and gone to an epoch; and one who follows gets bytes
"""

from __future__ import annotations

import argparse
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from synthetic_run import TARGET, SyntheticRun  # noqa: E402

CHROMIUM = {
    "executable_path": "/usr/bin/chromium",
    "args": ["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
}
APP = "document.querySelector('.tn').app"
RUN = "synthetic"


def p95(values: list[float]) -> float:
    """The 95th percentile."""
    return float(np.percentile(values, 95))


def report(what: str, bar: str, *numbers: float, unit: str = "ms", passed: bool) -> None:
    """One line of the table."""
    print(
        f"{'ok  ' if passed else 'MISS'} {what}: {', '.join(f'{x:,.1f}' for x in numbers)} {unit} (bar {bar})",
        flush=True,
    )


@contextmanager
def served(runs: Path) -> Iterator[str]:
    """A server of the dashboard on a free port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable,
        "-m",
        "streamlit",
        "run",
        "streamlit_app.py",
        "--server.port",
        str(port),
        "--server.headless",
        "true",
    ]
    server = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "BSD_RUNS": str(runs)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=1)
                break
            except OSError:
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(30)


@contextmanager
def page_of(url: str) -> Iterator[Page]:
    """The page Tune with its views drawn, all columns there."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(url)
        page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=90000)
        yield page
        browser.close()


def wait_for_columns(page: Page) -> None:
    """Wait until every epoch's columns are in the browser."""
    page.wait_for_function(f"() => {{ const m = {APP}.model; return m.info.every((_, e) => m.has(e)) }}", timeout=90000)
    page.wait_for_timeout(500)


def recording(folder: Path, samples: int, *, epochs: int = 40, first: int = 40) -> tuple[SyntheticRun, Any]:
    """A synthetic run folder with its first epochs, and its writer."""
    run = SyntheticRun(samples, epochs=epochs)
    writer = run.create(folder / RUN)
    for epoch in range(first):
        writer.epoch(run.state(epoch))
    return run, writer


def engine(samples: int) -> None:
    """The functions alone, on one thread."""
    import torch

    from bsd_engine import splits
    from bsd_engine.method import preview
    from bsd_engine.method.pool_map import pool_map

    torch.set_num_threads(1)
    run = SyntheticRun(samples)
    state, config, labels = run.state(14), run.config, run.labels
    scores = preview.FirstScores(losses=state.altruistic_loss, oss=state.oss_score, target=TARGET)
    grid = tuple(k / 20 for k in range(21))

    def split() -> None:
        splits.initial_clean_mask(
            splits.als_clean_mask(scores.losses, 0.6), splits.oss_clean_mask(scores.oss, labels, TARGET, 0.2)
        )

    def timed(job: Callable[[], Any], times: int = 200) -> list[float]:
        took = []
        for _ in range(times):
            begin = time.perf_counter()
            job()
            took.append(1000 * (time.perf_counter() - begin))
        return took

    took = timed(split)
    report(
        f"re-split of {samples:,} samples, median and p95",
        "2 ms",
        statistics.median(took),
        p95(took),
        passed=statistics.median(took) <= 2,
    )
    took = timed(lambda: pool_map(config, labels, scores, run.is_poison, alphas=grid, betas=grid), 20)
    report(
        "alpha x beta map 21 x 21, median and p95",
        "1,000 ms",
        statistics.median(took),
        p95(took),
        passed=p95(took) <= 1000,
    )


def drag(samples: int, bar: float) -> None:
    """Drag both cuts, and wait for the server's count."""
    with tempfile.TemporaryDirectory() as folder:
        recording(Path(folder), samples, first=16)[1].close()
        with served(Path(folder)) as url, page_of(f"{url}/tune?run={RUN}&epoch=15") as page:
            wait_for_columns(page)
            for mode in ("density", "points"):
                if mode == "points":
                    page.locator(".tn-front").check()
                    page.wait_for_timeout(500)
                _drag(page, samples, bar, mode)


def _drag(page: Page, samples: int, bar: float, mode: str) -> None:
    answers = []
    page.evaluate(f"() => {{ const s = {APP}.stats; s.events = 0; s.cutFrames = 0; s.draws = []; s.latency = [] }}")
    for k in range(12):
        name, dx, dy = ("alpha", 60 if k % 4 < 2 else -60, 0) if k % 2 else ("beta", 0, 40 if k % 4 < 2 else -40)
        box = page.locator(f".tn-cut-{name}").bounding_box()
        x, y = box["x"] + (8 if name == "alpha" else 200), box["y"] + (150 if name == "alpha" else 8)
        page.mouse.move(x, y)
        page.mouse.down()
        for step in range(1, 16):
            page.mouse.move(x + dx * step / 15, y + dy * step / 15)
            page.wait_for_timeout(16)
        page.mouse.up()
        begin = time.perf_counter()
        page.wait_for_function(
            f"() => {{ const c = document.querySelector('#tune-counts').dataset, s = {APP}.view.settings, a = {APP};"
            "return Math.abs(c.alpha - s.alpha) < 1e-6 && Math.abs(c.beta - s.beta) < 1e-6 && +c.size === a.count.size }",
            polling=5,
            timeout=20000,
        )
        answers.append(1000 * (time.perf_counter() - begin))
        page.wait_for_timeout(250)
    stats = page.evaluate(f"() => {APP}.stats")
    what = f"{samples:,} samples, other classes as {mode}"
    report(
        f"recolour while dragging, {what}, median and p95",
        f"{bar:g} ms",
        statistics.median(stats["draws"]),
        p95(stats["draws"]),
        passed=p95(stats["draws"]) <= bar,
    )
    drawn = 100 * stats["cutFrames"] / stats["events"]
    report(f"  of {stats['events']} drag events drawn", "95 %", drawn, unit="%", passed=drawn >= 95)
    report(
        f"  release to right table, {what}, median and p95",
        "300 ms",
        statistics.median(answers),
        p95(answers),
        passed=p95(answers) <= 300,
    )


def scrub(samples: int) -> None:
    """Go to epochs in an order that no cache of scenes helps with."""
    with tempfile.TemporaryDirectory() as folder:
        recording(Path(folder), samples)[1].close()
        with served(Path(folder)) as url, page_of(f"{url}/tune?run={RUN}&epoch=15") as page:
            wait_for_columns(page)
            took = []
            for k in range(60):
                epoch = (15 + 13 * (k + 1)) % 40
                took.append(
                    page.evaluate(
                        """async epoch => { const root = document.querySelector('.tn'), range = root.querySelector('.tn-epoch'), begin = performance.now()
                       range.value = epoch + 1; range.dispatchEvent(new Event('input'))
                       while (+root.dataset.shown !== epoch || root.app.todo) await new Promise(requestAnimationFrame)
                       return performance.now() - begin }""",
                        epoch,
                    )
                )
                page.wait_for_timeout(60)
            report(
                f"scrub to another epoch, {samples:,} samples, median and p95",
                "100 ms",
                statistics.median(took),
                p95(took),
                passed=p95(took) <= 100,
            )


LOOK = f"""() => {{ const a = {APP}, v = a.view; return JSON.stringify([a.quadrant.plot.zoom, a.map.plot.zoom, v.epoch, v.following, v.pin, v.count,
  Array.from(v.selected).reduce((h, b, i) => b ? (h * 31 + i) % 1000000007 : h, 7)]) }}"""


COUNT_BYTES = """
window.received = 0
const Socket = window.WebSocket
window.WebSocket = class extends Socket {
  constructor(...given) {
    super(...given)
    this.addEventListener('message', event => { window.received += event.data.byteLength ?? event.data.size ?? event.data.length })
  }
}
"""


def live(samples: int, updates: int) -> None:
    """Add epochs while the page is looked at, by one who stays and by one who follows."""
    with tempfile.TemporaryDirectory() as folder:
        run, writer = recording(Path(folder), samples, epochs=30 + updates, first=20)
        writer.progress(state="running", epoch=20, stage="class_completion", iteration=0, iterations=1)
        with writer, served(Path(folder)) as url, page_of(f"{url}/tune?run={RUN}&epoch=16") as page:
            wait_for_columns(page)
            hero = page.locator(".tn-hero .tn-plot").bounding_box()
            page.mouse.move(hero["x"] + 300, hero["y"] + 200)
            page.mouse.wheel(0, -200)
            page.evaluate(
                f"() => {{ const a = {APP}; a.select([5, 17, 99, 1234 % {samples}], {{}}); a.pick(17, {{}}) }}"
            )
            page.wait_for_timeout(1500)
            before, kept, seen = page.evaluate(LOOK), 0, 20
            for epoch in range(20, 20 + updates):
                writer.epoch(run.state(epoch))
                page.wait_for_function(
                    f"n => {APP}.model.info.length === n && {APP}.todo === null", arg=epoch + 1, timeout=60000
                )
                seen += 1
                kept += page.evaluate(LOOK) == before
            report(
                f"live updates that left zoom, selection, cursor and pin alone, of {updates}",
                str(updates),
                kept,
                unit="",
                passed=kept == updates,
            )
            page.wait_for_timeout(1500)
            _follow(page, run, writer, seen, samples)


def _follow(page: Page, run: SyntheticRun, writer: Any, epoch: int, samples: int) -> None:
    """Bytes over the socket for updates of one epoch each, to a page that follows; ticks that bring nothing new are told apart."""
    page.add_init_script(COUNT_BYTES)
    page.reload()
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=90000)
    page.evaluate(f"() => {APP}.follow(true)")
    wait_for_columns(page)
    page.wait_for_timeout(3000)
    sizes, idle = [], []
    for e in range(epoch, epoch + 8):
        page.evaluate("window.received = 0")
        writer.epoch(run.state(e))
        page.wait_for_function(
            f"n => {APP}.model.info.length === n && +document.querySelector('.tn').dataset.shown === n - 1",
            arg=e + 1,
            timeout=60000,
        )
        page.wait_for_timeout(2500)
        sizes.append(page.evaluate("window.received") / 1000)
        page.evaluate("window.received = 0")
        page.wait_for_timeout(2500)
        idle.append(page.evaluate("window.received") / 1000)
    tick = statistics.median(idle) / 2.5
    print(
        f"     {tick:.1f} kB a second without a new epoch; with one, in 2.5 seconds, {statistics.median(sizes):.1f} and at most {max(sizes):.1f} kB",
        flush=True,
    )
    own = [size - 2.5 * tick for size in sizes]
    report(
        f"a live update of one epoch, {samples:,} samples, beside the ticks, median and most",
        "300 kB",
        statistics.median(own),
        max(own),
        unit="kB",
        passed=max(own) <= 300,
    )


def main() -> None:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("what", nargs="*", default=[], choices=["engine", "drag", "scrub", "live", []])
    parser.add_argument("--samples", type=int, default=50_000)
    parser.add_argument("--updates", type=int, default=100)
    given = parser.parse_args()
    what = given.what or ["engine", "drag", "scrub", "live"]
    if "engine" in what:
        engine(given.samples)
    if "drag" in what:
        drag(given.samples, 33)
        drag(10_000, 16)
    if "scrub" in what:
        scrub(given.samples)
    if "live" in what:
        live(given.samples, given.updates)


if __name__ == "__main__":
    main()
