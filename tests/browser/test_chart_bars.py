"""No chart offers to send itself anywhere: the bars of charts on pages, of figure files and of the offline page.

plotly.js 7 puts "Share chart" into every bar, which uploads the figure with its data.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app import figure_file
from app.replay.page import replay_page
from bsd_engine.runs.reader import RunReader
from tests.browser.conftest import wait_until_ran

RUN = "20260101-000000-abcdef"
SAFE = {
    "Zoom", "Pan", "Box Select", "Lasso Select", "Zoom in", "Zoom out", "Autoscale", "Reset axes", "Reset",
    "Download plot", "Toggle show closest data on hover", "Show closest data on hover",
    "Compare data on hover", "Toggle spike lines",
    "Save as SVG, with data and command inside", "Save as PNG", "Save the data and the command (JSON)",
}  # fmt: skip
"""Titles of buttons that work within the page."""
BARS = """() => [...document.querySelectorAll('.js-plotly-plot')].filter(c => c._fullLayout).map(c => ({
  titles: [...c.querySelectorAll('.modebar-btn')].map(b => b.dataset.title ?? b.getAttribute('aria-label') ?? b.title),
  cloud: c._context.showSendToCloud, links: c.querySelectorAll('a[href]').length
}))"""
DRAWN = """n => {
  const charts = [...document.querySelectorAll('.live-plot-chart')]
  return charts.length >= n && charts.every(c => c.querySelector('.main-svg'))
}"""


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, recorded_run: Path) -> Path:
    """A runs folder that holds the recorded run under a fixed name."""
    root = tmp_path_factory.mktemp("runs")
    shutil.copytree(recorded_run, root / RUN)
    return root


def check_bars(page: Any, where: str, at_least: int = 1) -> int:
    """Read all bars on a page; returns their number."""
    bars = page.evaluate(BARS)
    assert len(bars) >= at_least, f"{where} shows {len(bars)} charts"
    for bar in bars:
        assert bar["titles"], f"a chart without a bar: {where}"
        assert set(bar["titles"]) <= SAFE, f"{where}: {set(bar['titles']) - SAFE}"
        assert bar["cloud"] is False and bar["links"] == 0, where
    return len(bars)


def drawn(page: Any, at_least: int) -> None:
    """Wait until the script has run and all charts are drawn."""
    wait_until_ran(page)
    page.wait_for_function(DRAWN, arg=at_least, timeout=60000)


@pytest.mark.slow
def test_no_chart_of_a_page_can_be_uploaded(server: Any, visit: Callable) -> None:
    page = visit(f"{server.url}/run?run={RUN}", width=1440, height=900, expect_errors=True)
    drawn(page, 6)
    page.locator(".live-plot-chart").first.hover()
    page.locator(".live-plot-chart").first.locator(".modebar-btn").first.wait_for(state="visible")
    page.get_by_text("Which class is the target?").click()
    drawn(page, 7)
    seen = check_bars(page, "Run", 7)
    for name, charts in (("Audit", 1), ("Attacks", 2), ("Tune", 0), ("Trigger bench", 0), ("Learn", 0)):
        page.get_by_role("link", name=name, exact=True).first.click()
        if not charts:  # the charts of the page before may stand until the new page has run
            page.wait_for_function("() => !document.querySelector('.modebar')", timeout=60000)
        drawn(page, charts)
        seen += check_bars(page, name, charts)
    assert seen >= 10


@pytest.mark.slow
def test_no_chart_of_the_page_paper_can_be_uploaded(server: Any, visit: Callable) -> None:
    page = visit(f"{server.url}/paper", width=1440, height=900, expect_errors=True)
    page.get_by_role("radio", name="Table 1", exact=True).wait_for()
    names = page.get_by_role("radio").all_inner_texts()
    seen = 0
    for name in [name for name in names if name.startswith("Fig")]:
        page.get_by_role("radio", name=name, exact=True).click()
        page.get_by_role("heading", name=name.replace("Fig.", "Figure")).wait_for()
        drawn(page, 0)
        seen += check_bars(page, name, 0)
    assert len(names) >= 6 and seen >= 6


def test_no_figure_file_can_be_uploaded(runs: Path, browser: Any, tmp_path: Path) -> None:
    out = tmp_path / "figure.html"
    assert figure_file.main(["accuracy", "--run", str(runs / RUN), "--out", str(out)]) == 0
    page = browser.new_page()
    page.goto(out.as_uri())
    page.wait_for_selector(".main-svg")
    check_bars(page, "a figure file")
    page.close()


def test_the_offline_page_has_no_such_chart(runs: Path, browser: Any, tmp_path: Path) -> None:
    out = tmp_path / "replay.html"
    out.write_bytes(replay_page(RunReader(runs / RUN)))
    page = browser.new_page()
    page.goto(out.as_uri())
    page.wait_for_function("() => document.querySelector('.tn')?.dataset.shown", timeout=60000)
    assert page.locator(".modebar, .js-plotly-plot").count() == 0 and page.evaluate("window.Plotly") is None
    page.close()
