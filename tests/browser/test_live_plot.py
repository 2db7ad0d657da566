"""`live_plot` in a real browser, updated once a second by a fragment."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import plotly
import pytest

from app.components.live_plot import install_plotly_js

pytestmark = pytest.mark.slow

sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")

SCRIPT = """
from pathlib import Path
import numpy as np
import plotly.graph_objects as go
import streamlit as st
from app.components.live_plot import install_plotly_js, live_plot

if MODE != "no library":
    install_plotly_js(Path(__file__).parent / "static")

def figure(tick, name):
    grid = np.arange(5, dtype=np.float32)
    x, y = (a.ravel() for a in np.meshgrid(grid, grid))
    f = go.Figure(go.Scattergl(x=x + np.float32(0.001 * tick), y=y, mode="markers", marker_size=14,
                               customdata=np.arange(25, dtype=np.int32)))
    return f.update_layout(template="plotly_white", uirevision="u", selectionrevision="u",
                           dragmode="zoom" if name == "a" else "select", xaxis_range=[-1, 5], yaxis_range=[-1, 5],
                           margin=dict(l=30, r=10, t=10, b=30),
                           meta={"summary": f"Chart {name} at tick {tick}."})

@st.fragment(run_every=1 if MODE == "ticking" else None)
def charts():
    tick = st.session_state["tick"] = st.session_state.get("tick", 0) + 1
    for name in "ab":
        picked = live_plot(figure(tick, name), key=f"chart_{name}", height=260)
        if picked:
            st.session_state["picked"] = f"{name} {picked['curve']} {picked['index']}"
    st.html(f"<p id='tick'>{tick}</p><p id='picked'>{st.session_state.get('picked', 'none')}</p>")

if st.toggle("show", True):
    charts()
"""
CHART = ".st-key-chart_{} .live-plot-chart"
RANGE = "chart => document.querySelector(chart)._fullLayout.xaxis.range.map(v => +v.toFixed(3))"


@pytest.fixture(scope="module")
def start(serve: Callable, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """`start(mode)`: address of a server that runs the script above."""

    def start_script(mode: str) -> str:
        folder = tmp_path_factory.mktemp("script")
        (folder / "script.py").write_text(f"MODE = {mode!r}\n{SCRIPT}")
        return serve("script.py", cwd=folder, args=("--server.enableStaticServing", "true")).url

    return start_script


@pytest.fixture(scope="module")
def ticking(start: Callable[[str], str]) -> str:
    """Address of the script with one update a second."""
    return start("ticking")


@pytest.fixture
def page(ticking: str, visit: Callable) -> Any:
    """A page with both charts drawn."""
    page = visit(ticking)
    for name in "ab":
        page.wait_for_selector(f"{CHART.format(name)} .nsewdrag", state="attached")
    return page


def tick(page: Any) -> int:
    return int(page.locator("#tick").inner_text())


def wait_for_ticks(page: Any, n: int = 2) -> None:
    """Wait until n more updates have been drawn."""
    page.wait_for_function(
        "n => { const chart = document.querySelector('.st-key-chart_b .live-plot-chart');"
        "return +chart.getAttribute('aria-label').match(/tick (\\d+)/)[1] >= n }",
        arg=tick(page) + n,
        timeout=60000,
    )


def at(page: Any, name: str, x: float, y: float) -> tuple[float, float]:
    """Pixel position of data coordinates in a chart."""
    return tuple(
        page.evaluate(
            "([c, x, y]) => { const g = document.querySelector(c), b = g.getBoundingClientRect(), l = g._fullLayout;"
            "return [b.left + l._size.l + l.xaxis.d2p(x), b.top + l._size.t + l.yaxis.d2p(y)] }",
            [CHART.format(name), x, y],
        )
    )


def drag(page: Any, name: str, start: tuple[float, float], end: tuple[float, float]) -> None:
    a, b = at(page, name, *start), at(page, name, *end)
    page.mouse.move(*a)
    page.mouse.down()
    page.mouse.move((a[0] + b[0]) / 2, (a[1] + b[1]) / 2, steps=4)
    page.mouse.move(*b, steps=4)
    page.mouse.up()


def test_zoom_selection_and_node_survive_updates(page: Any) -> None:
    page.evaluate("chart => { document.querySelector(chart).mark = 1 }", CHART.format("a"))
    drag(page, "a", (0.5, 0.5), (2.5, 2.5))
    page.wait_for_function(f"chart => ({RANGE})(chart)[1] < 4", arg=CHART.format("a"))
    zoomed = page.evaluate(RANGE, CHART.format("a"))
    drag(page, "b", (0.5, 0.5), (2.5, 2.5))
    selected = "chart => Array.from(document.querySelector(chart)._fullData[0].selectedpoints ?? [])"
    page.wait_for_function(f"chart => ({selected})(chart).length === 4", arg=CHART.format("b"))
    chosen = page.evaluate(selected, CHART.format("b"))
    page.mouse.move(5, 5)
    wait_for_ticks(page, 3)
    assert page.evaluate(RANGE, CHART.format("a")) == zoomed
    assert page.evaluate(selected, CHART.format("b")) == chosen == [6, 7, 11, 12]
    assert page.evaluate("chart => document.querySelector(chart).mark", CHART.format("a")) == 1
    x = page.evaluate("chart => document.querySelector(chart)._fullData[0].x[1]", CHART.format("b"))
    assert x > 1.001, "typed arrays arrive, and so do the updates"


def test_hover_survives_updates_and_every_click_registers(page: Any) -> None:
    page.mouse.move(*at(page, "a", 2, 3))
    label = page.locator(f"{CHART.format('a')} .hoverlayer .hovertext")
    label.wait_for()
    wait_for_ticks(page, 2)
    assert label.is_visible()
    for name, x, y in [("a", 2, 3), ("b", 1, 1), ("a", 4, 0), ("b", 0, 2), ("a", 3, 3), ("a", 1, 4)]:
        hover(page, name, x, y)
        page.mouse.down()
        page.wait_for_timeout(90)
        page.mouse.up()
        page.wait_for_function(
            "text => document.querySelector('#picked').innerText === text", arg=f"{name} 0 {5 * y + x}", timeout=60000
        )


def hover(page: Any, name: str, x: int, y: int) -> None:
    """Move onto a point and wait until plotly hovers over it, like a user before a click.

    An update may come in between and remove the hover; then the pointer moves a little, like a hand.
    """
    position, wanted = at(page, name, x, y), 5 * y + x
    hovered = "chart => document.querySelector(chart)._hoverdata?.[0]?.pointNumber ?? null"
    for step in range(300):
        page.mouse.move(position[0] + step % 2, position[1])
        page.wait_for_timeout(100)
        if page.evaluate(hovered, CHART.format(name)) == wanted:
            return
    pytest.fail(f"plotly did not hover over point {wanted} of chart {name}")


def test_one_script_load_summary_and_size_of_the_container(page: Any) -> None:
    assert page.evaluate("document.querySelectorAll('script[src*=\"plotly.min.js\"]').length") == 1
    chart = page.locator(CHART.format("a"))
    assert chart.get_attribute("role") == "figure"
    assert chart.get_attribute("aria-label").startswith("Chart a at tick ")
    page.set_viewport_size({"width": 900, "height": 700})
    fits = (
        "c => { const g = document.querySelector(c), svg = g.querySelector('.main-svg');"
        "return Math.abs(g.clientWidth - svg.clientWidth) < 2 }"
    )
    page.wait_for_function(fits, arg=CHART.format("a"))
    assert chart.bounding_box()["height"] == 260
    assert page.locator(".modebar-btn--logo").count() == 0


def test_unmount_purges_and_a_new_mount_draws(page: Any) -> None:
    page.evaluate("chart => { window.gone = document.querySelector(chart) }", CHART.format("a"))
    page.get_by_text("show").click()
    page.wait_for_function("() => !window.gone.isConnected && !window.gone._fullLayout")
    page.get_by_text("show").click()
    page.wait_for_selector(f"{CHART.format('a')} .nsewdrag", state="attached")


def test_a_missing_library_is_reported_in_words(start: Callable[[str], str], visit: Callable) -> None:
    page = visit(start("no library"), expect_errors=True)
    note = page.get_by_role("alert").first
    note.wait_for()
    assert "plotly.min.js did not load" in note.inner_text()
    assert note.bounding_box()["height"] > 200, "same size as the chart"


def test_the_library_is_copied_when_missing_or_different(tmp_path: Path) -> None:
    copy = tmp_path / "static" / "plotly.min.js"
    original = Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
    install_plotly_js(copy.parent)
    assert copy.read_bytes() == original.read_bytes()
    made = copy.stat().st_mtime_ns
    install_plotly_js(copy.parent)
    assert copy.stat().st_mtime_ns == made
    copy.write_text("an older version")
    install_plotly_js(copy.parent)
    assert copy.read_bytes() == original.read_bytes()
    assert [p.name for p in copy.parent.iterdir()] == [copy.name]
