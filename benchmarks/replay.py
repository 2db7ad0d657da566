"""The page that plays a run offline against its limits: size, requests, time to the first figure, scrubbing and
dragging.

    python -m benchmarks.replay [--samples 6000] [--epochs 24]

The runs are synthetic, with all three distances; one has the bundled photographs, the other 32x32 pixels of colour
noise, the worst case for compression. Both are deleted afterwards.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import Page

from app.replay.page import LARGEST_BYTES, replay_page
from benchmarks.common.browser import LINKED_VIEWS, SCRUB, chromium
from benchmarks.common.synthetic_run import SyntheticRun
from benchmarks.common.timing import report, report_times
from bsd_engine.config.presets import demo
from bsd_engine.prepare.prepare import prepare
from bsd_engine.runs.reader import RunReader


def synthetic_run(folder: Path, images: np.ndarray, epochs: int) -> RunReader:
    """Return the reader of a synthetic run of the given images."""
    run = SyntheticRun(len(images), epochs=epochs)
    with run.create(folder, images) as writer:
        for epoch in range(epochs):
            writer.epoch(run.state(epoch))
    return RunReader(folder)


def image_sets(samples: int) -> dict[str, np.ndarray]:
    """Return the images of both runs by name, (N, C, H, W) uint8."""
    prepared = prepare(demo().with_settings(limit=samples, attack="none", device="cpu"))
    return {
        "bundled photographs": prepared.images.numpy().transpose(0, 3, 1, 2),
        "colour noise 32x32": np.random.default_rng(0).integers(0, 256, (samples, 3, 32, 32), np.uint8),
    }


def play(file: Path) -> None:
    """Open the page without a network, scrub and drag."""
    with chromium() as browser:
        context = browser.new_context(offline=True, viewport={"width": 1440, "height": 900})
        requests: list[str] = []
        context.on("request", lambda request: requests.append(request.url))
        page = context.new_page()
        begin = time.perf_counter()
        page.goto(file.as_uri())
        page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=90000)
        drawn = time.perf_counter() - begin
        report("  from opening to the first figure", "3 s", drawn, unit="s", passed=drawn <= 3)
        page.wait_for_timeout(1000)
        epochs = page.evaluate(f"() => {LINKED_VIEWS}.model.info.length")
        scrubs = [page.evaluate(SCRUB, (7 * k + 3) % epochs) for k in range(60)]
        report_times("  scrub to another epoch", 50, scrubs)
        report_times("  recolour while a cut moves", 33, recolour_times(page))
        others = [url for url in requests if url != file.as_uri()]
        report("  requests besides the file itself", "0", len(others), unit="", passed=not others)


def recolour_times(page: Page) -> list[float]:
    """Return the milliseconds of each drawing while alpha moves in 60 steps."""
    page.evaluate(f"() => {{ const a = {LINKED_VIEWS}; a.warmup(a.model.own.t1); a.commit(); a.stats.draws = [] }}")
    page.wait_for_timeout(800)
    for k in range(60):
        page.evaluate(f"k => {LINKED_VIEWS}.change({{alpha: .3 + .01 * k}})", k)
        page.wait_for_timeout(20)
    return page.evaluate(f"() => {LINKED_VIEWS}.stats.draws")


def main() -> None:
    """Make both pages, and open the first in a browser."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=24)
    given = parser.parse_args()
    for name, images in image_sets(given.samples).items():
        with tempfile.TemporaryDirectory() as folder:
            run = synthetic_run(Path(folder) / "synthetic", images, given.epochs)
            begin = time.perf_counter()
            page = replay_page(run)
            took = time.perf_counter() - begin
            report(
                f"page of {given.samples:,} samples, {given.epochs} epochs, {name}, made in {took:.1f} s",
                f"{LARGEST_BYTES / 1e6:g} MB",
                len(page) / 1e6,
                unit="MB",
                passed=len(page) <= LARGEST_BYTES,
            )
            if name.startswith("bundled"):
                file = Path(folder) / "replay.html"
                file.write_bytes(page)
                play(file)


if __name__ == "__main__":
    main()
