"""The page Trigger bench against its limit, in headless Chromium: time from a change to the answers of all models on
the screen.

    python -m benchmarks.trigger_bench [--run RUN_FOLDER] [--changes 60]

Without a folder, the bundled recording of a healthy run is used. The trigger is dragged, faded and drawn, and the
images are stepped through. Each change waits for the answer to the previous one, so that every answer belongs to one
change.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.common.browser import chromium, new_page, served
from benchmarks.common.timing import report_times

APP = "document.querySelector('.bn').app"
BAR = 150.0


def settle(page: Page) -> None:
    """Wait for the pending answer and for the updates that follow it."""
    is_settled = f"document.querySelector('.bn')?.dataset.settled === 'yes' && {APP}.asked && !{APP}.waiting"
    page.wait_for_function(f"() => {is_settled}", timeout=60000)


def measured(page: Page, change: str, changes: int) -> list[float]:
    """Return the milliseconds from each change to the pixels and bars of its answer; `change` is JavaScript with k."""
    return page.evaluate(
        f"""async changes => {{
        const bench = {APP}, took = []
        for (let k = 0; k < changes; k++) {{
            const begin = performance.now(), seen = bench.stats.latency.length
            {change}
            while (bench.waiting || bench.stats.latency.length === seen) await new Promise(done => setTimeout(done, 2))
            await new Promise(done => requestAnimationFrame(done))
            took.push(performance.now() - begin)
            await new Promise(done => setTimeout(done, 30))
        }}
        return took
    }}""",
        changes,
    )


CHANGES = {
    "move": "bench.moveTo(k % 15, (3 * k) % 15)",
    "fade": "bench.change({opacity: 100 - k % 90})",
    "next image": "bench.goTo(k % bench.fixed.images)",
    "checkpoint": "bench.change({epoch: bench.header.epochs[k % bench.header.epochs.length]})",
    "draw": "if (!k) Object.assign(bench.state, {trigger: 'drawn', down: 0, across: 0}); "
    "bench.drawing.dot(k % bench.shape[0], (2 * k) % bench.shape[1], 1, [255, 255, 255]); bench.drawn()",
}


def main() -> None:
    """Measure each kind of change."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path)
    parser.add_argument("--changes", type=int, default=60)
    chosen = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as empty,
        served(chosen.run.parent if chosen.run else Path(empty)) as url,
        chromium() as browser,
    ):
        page = new_page(browser, url, viewport={"width": 1280, "height": 900})
        page.goto(f"{url}/bench?run={chosen.run.name if chosen.run else 'recording-healthy'}")
        settle(page)
        answering = page.evaluate("() => document.querySelectorAll('.bn-row[data-row=\"1\"] [data-top]').length")
        print(f"{answering} models answer")
        every: list[float] = []
        for what, change in CHANGES.items():
            took = measured(page, change, chosen.changes)
            settle(page)
            every += took
            report_times(f"{what}: change to all answers", BAR, took)
        report_times(f"all {len(every)} changes", BAR, every)


if __name__ == "__main__":
    main()
