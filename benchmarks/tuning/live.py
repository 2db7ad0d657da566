"""Live updates for a user who zoomed, selected, pinned and went to an epoch, and for one who follows the newest."""

from __future__ import annotations

import statistics
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.common.browser import LINKED_VIEWS, served
from benchmarks.common.synthetic_run import SyntheticRun
from benchmarks.common.timing import report
from benchmarks.tuning.page import settle, tune_page, wait_for_views, write_run
from bsd_engine.runs.writer import RunWriter

VIEW_STATE = f"""() => {{
  const app = {LINKED_VIEWS}, view = app.view
  const selected = Array.from(view.selected).reduce((hash, bit, i) => bit ? (hash * 31 + i) % 1000000007 : hash, 7)
  const zooms = [app.quadrant.plot.zoom, app.map.plot.zoom]
  return JSON.stringify([...zooms, view.epoch, view.following, view.pin, view.count, selected])
}}"""
"""JavaScript that returns zoom, epoch, pin and selection as one text."""

COUNT_BYTES = """
window.received = 0
const Socket = window.WebSocket
window.WebSocket = class extends Socket {
  constructor(...given) {
    super(...given)
    this.addEventListener('message', ({data}) => { window.received += data.byteLength ?? data.size ?? data.length })
  }
}
"""
FIRST = 20  # epochs before the page is opened
FOLLOWED = 8  # updates whose bytes are counted
COUNTED_SECONDS = 2.5
BAR = 300  # kB


def live(samples: int, updates: int) -> None:
    """Add epochs while the page is open, for a user who stays at an epoch and for one who follows the newest."""
    with tempfile.TemporaryDirectory() as folder:
        run, writer = write_run(Path(folder), samples, epochs=FIRST + updates + 10, first=FIRST)
        writer.progress(state="running", epoch=FIRST, stage="class_completion", iteration=0, iterations=1)
        with writer, served(Path(folder)) as url, tune_page(url, 16) as page:
            _zoom_select_and_pin(page, samples)
            _stay(page, run, writer, updates)
            page.wait_for_timeout(1500)
            _follow(page, run, writer, FIRST + updates)


def _zoom_select_and_pin(page: Page, samples: int) -> None:
    hero = page.locator(".tn-hero .tn-plot").bounding_box()
    assert hero is not None, "the views are drawn"
    page.mouse.move(hero["x"] + 300, hero["y"] + 200)
    page.mouse.wheel(0, -200)
    page.evaluate(
        f"() => {{ const a = {LINKED_VIEWS}; a.select([5, 17, 99, 1234 % {samples}], {{}}); a.pick(17, {{}}) }}"
    )
    page.wait_for_timeout(1500)


def _stay(page: Page, run: SyntheticRun, writer: RunWriter, updates: int) -> None:
    """Count the updates that change nothing for a user who stays at an epoch."""
    before, kept = page.evaluate(VIEW_STATE), 0
    is_drawn = f"n => {LINKED_VIEWS}.model.info.length === n && {LINKED_VIEWS}.todo === null"
    for epoch in range(FIRST, FIRST + updates):
        writer.epoch(run.state(epoch))
        page.wait_for_function(is_drawn, arg=epoch + 1, timeout=60000)
        kept += page.evaluate(VIEW_STATE) == before
    what = f"live updates that left zoom, selection, cursor and pin alone, of {updates}"
    report(what, str(updates), kept, unit="", passed=kept == updates)


def _follow(page: Page, run: SyntheticRun, writer: RunWriter, first: int) -> None:
    """Count the bytes of one-epoch updates to a page that follows; the bytes of ticks without news are subtracted."""
    page.add_init_script(COUNT_BYTES)
    page.reload()
    wait_for_views(page)
    page.evaluate(f"() => {LINKED_VIEWS}.follow(true)")
    settle(page)
    page.wait_for_timeout(3000)
    is_drawn = f"n => {LINKED_VIEWS}.model.info.length === n && +document.querySelector('.tn').dataset.shown === n - 1"
    sizes, idle = [], []
    for epoch in range(first, first + FOLLOWED):
        page.evaluate("window.received = 0")
        writer.epoch(run.state(epoch))
        page.wait_for_function(is_drawn, arg=epoch + 1, timeout=60000)
        sizes.append(_received(page))
        page.evaluate("window.received = 0")
        idle.append(_received(page))
    tick = statistics.median(idle) / COUNTED_SECONDS
    print(
        f"     {tick:.1f} kB a second without a new epoch; with one, in {COUNTED_SECONDS} seconds, "
        f"{statistics.median(sizes):.1f} and at most {max(sizes):.1f} kB",
        flush=True,
    )
    updates = [size - COUNTED_SECONDS * tick for size in sizes]
    what = f"a live update of one epoch, {len(run.labels):,} samples, without the ticks, median and maximum"
    report(what, f"{BAR} kB", statistics.median(updates), max(updates), unit="kB", passed=max(updates) <= BAR)


def _received(page: Page) -> float:
    """Return the kilobytes since the counter was set to 0, after `COUNTED_SECONDS`."""
    page.wait_for_timeout(1000 * COUNTED_SECONDS)
    return page.evaluate("window.received") / 1000
