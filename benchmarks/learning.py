"""The page Learn against its time limits, in headless Chromium with software rendering.

    python -m benchmarks.learning [first] [scrub] [--run FOLDER] [--times 3]

* first: time from the first byte of the page to the first figure of a recording, each time with an empty browser cache;
  once with the first session of a server, which loads the page's modules, then with later sessions
* scrub: time from a gesture on the range input to the end of drawing, for epochs in each step of the tour

Without --run the first bundled recording is shown, if there is one.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page

from benchmarks.common.browser import LINKED_VIEWS, chromium, new_page, served, wait_for_columns
from benchmarks.common.timing import p95, report

FIRST_BAR, SCRUB_BAR = 3000.0, 50.0
NOTE_FIRST_DRAWING = """
const look = () => {
  if (document.querySelector('.tn')?.dataset.shown) window.drawnAt = performance.now()
  else requestAnimationFrame(look)
}
requestAnimationFrame(look)
"""
SCRUB_ALL_EPOCHS = f"""async () => {{
  const app = {LINKED_VIEWS}, range = document.querySelector('.tn-epoch'), took = []
  const epochs = [...Array(app.model.info.length).keys()]
  for (const e of [...epochs, ...epochs.toReversed()]) {{
    if (e === app.view.epoch) continue
    const begin = performance.now()
    range.value = e + 1
    range.dispatchEvent(new Event('input', {{bubbles: true}}))
    while (app.todo !== null || +app.root.dataset.shown !== e) await new Promise(requestAnimationFrame)
    took.push(performance.now() - begin)
  }}
  return took
}}"""
"""JavaScript that goes through all epochs and back; returns the milliseconds of each step."""
TOUR_STEPS = 8


def opened(browser: Browser, url: str) -> tuple[Page, float]:
    """Return a page in a new context, and the milliseconds from its first byte to its first figure."""
    page = new_page(browser, url, viewport={"width": 1440, "height": 900})
    page.add_init_script(NOTE_FIRST_DRAWING)
    page.goto(url)
    page.wait_for_function("() => window.drawnAt", timeout=90000)
    return page, page.evaluate("() => window.drawnAt - performance.getEntriesByType('navigation')[0].responseStart")


def first(url: str, times: int) -> None:
    """Measure the time to the first figure."""
    took = []
    for _ in range(times + 1):
        with chromium() as browser:
            took.append(opened(browser, url)[1])
    report("first figure, first session of the server", f"{FIRST_BAR:,.0f} ms", took[0], passed=took[0] <= FIRST_BAR)
    report("first figure, each later session", f"{FIRST_BAR:,.0f} ms", *took[1:], passed=max(took[1:]) <= FIRST_BAR)


def scrub(url: str) -> None:
    """Measure scrubbing through the epochs by the range input, in every step of the tour."""
    took: list[float] = []
    with chromium() as browser:
        page, _ = opened(browser, url)
        wait_for_columns(page)
        for step in range(TOUR_STEPS):
            page.evaluate(f"k => {{ const l = {LINKED_VIEWS}.learn; l.go(k); l.tour.guess(0) }}", step)
            page.wait_for_timeout(1200)
            took += page.evaluate(SCRUB_ALL_EPOCHS)
    report(
        f"scrub, {len(took)} gestures in {TOUR_STEPS} steps, median and p95",
        f"{SCRUB_BAR:,.0f} ms",
        p95(sorted(took)[: len(took) // 2 + 1]),
        p95(took),
        passed=p95(took) <= SCRUB_BAR,
    )


def main() -> None:
    """Run the parts named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=["first", "scrub", []], default=[])
    parser.add_argument("--run", type=Path, help="run folder to show instead of a recording")
    parser.add_argument("--times", type=int, default=3, help="sessions after the first one")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.run:
            shutil.copytree(options.run, Path(folder) / options.run.name)
        with served(Path(folder)) as url:
            address = f"{url}/?run={options.run.name}" if options.run else url
            if not options.parts or "first" in options.parts:
                first(address, options.times)
            if not options.parts or "scrub" in options.parts:
                scrub(address)


if __name__ == "__main__":
    main()
