"""Dragging of a cut: each drag event must be drawn, and the server's table must be right soon after the release."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from benchmarks.common.browser import LINKED_VIEWS, served
from benchmarks.common.timing import report, report_times
from benchmarks.tuning.page import tune_page, write_run

DRAGS, MOVES = 12, 15
TABLE_BAR = 300  # milliseconds
TABLE_IS_RIGHT = f"""() => {{
  const table = document.querySelector('#tune-counts').dataset, app = {LINKED_VIEWS}, settings = app.view.settings
  return Math.abs(table.alpha - settings.alpha) < 1e-6 && Math.abs(table.beta - settings.beta) < 1e-6
    && +table.size === app.count.size
}}"""


def drag(samples: int, bar: float) -> None:
    """Drag both cuts, with the other classes drawn as a density and as points; `bar` is the limit per drawing, ms."""
    with tempfile.TemporaryDirectory() as folder:
        write_run(Path(folder), samples, first=16)[1].close()
        with served(Path(folder)) as url, tune_page(url, 15) as page:
            for mode in ("density", "points"):
                if mode == "points":
                    page.locator(".tn-front").check()
                    page.wait_for_timeout(500)
                _measure(page, bar, f"{samples:,} samples, other classes as {mode}")


def _measure(page: Page, bar: float, what: str) -> None:
    answers = []
    page.evaluate(
        f"() => {{ const s = {LINKED_VIEWS}.stats; s.events = 0; s.cutFrames = 0; s.draws = []; s.latency = [] }}"
    )
    for k in range(DRAGS):
        _drag_once(page, k)
        begin = time.perf_counter()
        page.wait_for_function(TABLE_IS_RIGHT, polling=5, timeout=20000)
        answers.append(1000 * (time.perf_counter() - begin))
        page.wait_for_timeout(250)
    stats = page.evaluate(f"() => {LINKED_VIEWS}.stats")
    report_times(f"recolour while dragging, {what}", bar, stats["draws"])
    drawn = 100 * stats["cutFrames"] / stats["events"]
    report(f"  of {stats['events']} drag events drawn", "95 %", drawn, unit="%", passed=drawn >= 95)
    report_times(f"  release to right table, {what}", TABLE_BAR, answers)


def _drag_once(page: Page, k: int) -> None:
    """Drag beta up or down if k is even, else alpha to the left or right; twice each way."""
    way = 1 if k % 4 < 2 else -1
    name, dx, dy = ("alpha", 60 * way, 0) if k % 2 else ("beta", 0, 40 * way)
    box = page.locator(f".tn-cut-{name}").bounding_box()
    assert box is not None, "the cuts are visible"
    x, y = box["x"] + (8 if name == "alpha" else 200), box["y"] + (150 if name == "alpha" else 8)
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(1, MOVES + 1):
        page.mouse.move(x + dx * step / MOVES, y + dy * step / MOVES)
        page.wait_for_timeout(16)
    page.mouse.up()
