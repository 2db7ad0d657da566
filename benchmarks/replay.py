"""The page that plays a run offline against its bars: size, requests, time to the first picture, scrubbing and dragging.

    python benchmarks/replay.py [--samples 6000] [--epochs 24]

The recordings are made by code (`synthetic_run`) with all three distances; one has the bundled photographs, one colour noise of 32x32
pixels, which no picture compresses worse than. Both are thrown away.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

from synthetic_run import CLASSES, SyntheticRun  # noqa: E402
from tuning import APP, CHROMIUM, p95, report  # noqa: E402

from app.replay.page import LARGEST_BYTES, replay_page  # noqa: E402
from bsd_engine.config.presets import demo  # noqa: E402
from bsd_engine.prepare.prepare import prepare  # noqa: E402
from bsd_engine.runs.reader import RunReader  # noqa: E402
from bsd_engine.runs.writer import RunWriter  # noqa: E402

SCRUB = """async epoch => { const root = document.querySelector('.tn'), range = root.querySelector('.tn-epoch'), begin = performance.now()
  range.value = epoch + 1; range.dispatchEvent(new Event('input'))
  while (+root.dataset.shown !== epoch || root.app.todo) await new Promise(requestAnimationFrame)
  return performance.now() - begin }"""


def recording(folder: Path, images: np.ndarray, epochs: int) -> RunReader:
    """A synthetic run of given images."""
    run = SyntheticRun(len(images), epochs=epochs)
    names = tuple(f"class {c}" for c in range(CLASSES))
    with RunWriter.create(
        folder,
        run.config,
        fingerprint="synthetic",
        class_names=names,
        images=images,
        labels=run.labels,
        landmark_idx=run.landmark_idx,
        is_poison=run.is_poison,
        original_labels=run.original,
    ) as writer:
        for epoch in range(epochs):
            writer.epoch(run.state(epoch))
    return RunReader(folder)


def pictures(samples: int) -> dict[str, np.ndarray]:
    """(N, C, H, W) uint8 of both kinds."""
    photographs = (
        prepare(demo().with_settings(limit=samples, attack="none", device="cpu")).images.numpy().transpose(0, 3, 1, 2)
    )
    return {
        "bundled photographs": photographs,
        "colour noise 32x32": np.random.default_rng(0).integers(0, 256, (samples, 3, 32, 32), np.uint8),
    }


def played(file: Path) -> None:
    """Open the page without a network, scrub and drag."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(**CHROMIUM)
        context = browser.new_context(offline=True, viewport={"width": 1440, "height": 900})
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        page = context.new_page()
        begin = time.perf_counter()
        page.goto(file.as_uri())
        page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=90000)
        drawn = time.perf_counter() - begin
        report("  from opening to the first picture", "3 s", drawn, unit="s", passed=drawn <= 3)
        page.wait_for_timeout(1000)
        epochs = page.evaluate(f"() => {APP}.model.info.length")
        took = [page.evaluate(SCRUB, (7 * k + 3) % epochs) for k in range(60)]
        report(
            "  scrub to another epoch, median and p95",
            "50 ms",
            statistics.median(took),
            p95(took),
            passed=p95(took) <= 50,
        )
        page.evaluate(f"() => {{ const a = {APP}; a.warmup(a.model.own.t1); a.commit(); a.stats.draws = [] }}")
        page.wait_for_timeout(800)
        for k in range(60):
            page.evaluate(f"k => {APP}.change({{alpha: .3 + .01 * k}})", k)
            page.wait_for_timeout(20)
        draws = page.evaluate(f"() => {APP}.stats.draws")
        report(
            "  recolour while a cut moves, median and p95",
            "33 ms",
            statistics.median(draws),
            p95(draws),
            passed=p95(draws) <= 33,
        )
        others = [url for url in asked if url != file.as_uri()]
        report("  requests but for the file itself", "0", len(others), unit="", passed=not others)
        browser.close()


def main() -> None:
    """Make both pages, and play the first."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", type=int, default=6000)
    parser.add_argument("--epochs", type=int, default=24)
    given = parser.parse_args()
    for name, images in pictures(given.samples).items():
        with tempfile.TemporaryDirectory() as folder:
            run = recording(Path(folder) / "synthetic", images, given.epochs)
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
                played(file)


if __name__ == "__main__":
    main()
