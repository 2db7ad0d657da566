"""A Plotly chart that is mounted once and then only updated: zoom, hover and selection outlive every update.

`st.plotly_chart` makes a new chart whenever the data change, even with a key, which loses all three and, at one update
a second, most clicks. This component hands each figure to `Plotly.react` instead. plotly.js is the file of the installed
plotly package, copied to ./static and served by Streamlit (`server.enableStaticServing`), so nothing comes from outside.
"""

from __future__ import annotations

import filecmp
import logging
import os
import secrets
import shutil
from functools import cache
from pathlib import Path
from typing import Any, Protocol

import plotly
import plotly.graph_objects as go
import streamlit as st

from app.components.saving import SAVING_JS

logger = logging.getLogger(__name__)

STATIC = Path(__file__).resolve().parents[2] / "static"
SCRIPT_NAME = "plotly.min.js"

HTML = """
<div class="live-plot" aria-busy="true"><div class="live-plot-chart"></div><div class="live-plot-note"></div></div>
"""

CSS = """
.live-plot { position: relative; width: 100%; height: 100%; overflow: hidden; }
.live-plot-chart { width: 100%; height: 100%; }
.live-plot[aria-busy=true] { background: var(--st-secondary-background-color); border-radius: var(--st-base-radius); opacity: .6; }
.live-plot-note { position: absolute; inset: 0; display: grid; place-content: center; text-align: center; padding: 1rem; color: var(--st-text-color); }
.live-plot-note:empty { display: none; }
"""

# Facts the script rests on. Streamlit runs the export again for each change of data or theme and calls a returned clean-up
# at unmount, but also when a run was overtaken by the next one: so the clean-up looks whether the chart is really gone.
# An update during a press of the mouse would swallow the click, so it waits for the release.
JS = (
    SAVING_JS
    + """
let library = null
let config = null  // one for all: another one would have `react` begin anew

function script(source) {
  const main = document.querySelector('script[type=module][src*="/static/js/"]')  // its address survives a change of page
  const base = main ? new URL('../../', main.src) : document.baseURI
  return new Promise((done, fail) => {
    const tag = document.createElement('script')
    tag.src = new URL('app/static/' + source, base)
    tag.onload = () => window.Plotly ? done(window.Plotly) : fail()
    tag.onerror = () => { tag.remove(); fail() }
    document.head.append(tag)
  })
}

function load(source) {
  library ??= window.Plotly ? Promise.resolve(window.Plotly) : script(source)
  return library.catch(() => {
    library = null
    throw new Error('The chart library app/static/plotly.min.js did not load, so there is no chart here. '
      + 'Reload the page; if that does not help, check that server.enableStaticServing is on.')
  })
}

const CONFIG = {displaylogo: false, displayModeBar: 'hover', doubleClick: 'reset', typesetMath: false,
  modeBarButtonsToRemove: ['toImage', 'autoScale2d', 'zoomIn2d', 'zoomOut2d', 'toggleSpikelines', 'hoverClosestCartesian', 'hoverCompareCartesian']}

function prepare(chart) {
  if (chart.live) return chart.live
  const live = chart.live = {next: null, drawing: false, held: false}
  chart.addEventListener('pointerdown', () => {
    live.held = true
    const release = () => setTimeout(() => { live.held = false; draw(chart) }, 60)
    window.addEventListener('pointerup', release, {once: true})
    window.addEventListener('pointercancel', release, {once: true})
  }, true)
  live.observer = new ResizeObserver(() => {
    if (chart.clientWidth && live.drawn) window.Plotly.Plots.resize(chart)
  })
  live.observer.observe(chart)
  return live
}

function listen(chart) {
  chart.on('plotly_click', event => {
    const point = event.points.find(p => Number.isInteger(p.pointIndex))
    if (point) chart.live.send({curve: point.curveNumber, index: point.pointIndex})
  })
}

async function draw(chart) {
  const live = chart.live
  if (live.drawing) return
  live.drawing = true
  try {
    while (live.next && !live.held && chart.isConnected) {
      const {figure, source} = live.next
      live.next = null
      const Plotly = await load(source)
      if (!chart.isConnected) return
      await Plotly.react(chart, figure.data, figure.layout, config ??= {...CONFIG, modeBarButtonsToAdd: saveButtons()})
      if (!live.drawn) listen(chart)
      live.drawn = true
      settle(chart, figure.layout?.meta?.summary ?? '', '')
    }
  } catch (error) {
    settle(chart, '', error.message)
  } finally {
    live.drawing = false
  }
}

function settle(chart, summary, problem) {
  const frame = chart.parentElement
  frame.setAttribute('aria-busy', 'false')
  const note = frame.querySelector('.live-plot-note')
  note.textContent = problem
  problem ? note.setAttribute('role', 'alert') : note.removeAttribute('role')
  if (summary) { chart.setAttribute('role', 'figure'); chart.setAttribute('aria-label', summary) }
}

export default function ({data, parentElement, setTriggerValue}) {
  const frame = parentElement.querySelector('.live-plot')
  const chart = frame.querySelector('.live-plot-chart')
  frame.style.height = data.height + 'px'
  const live = prepare(chart)
  live.name = data.name
  live.remake = data.remake
  live.send = point => setTriggerValue('picked', point)
  if (live.spec !== data.spec) {
    live.spec = data.spec
    live.next = {figure: JSON.parse(data.spec), source: data.source}
  }
  draw(chart)
  return () => setTimeout(() => {
    if (chart.isConnected) return
    live.observer.disconnect()
    if (live.drawn) window.Plotly.purge(chart)
  })
}
"""
)

_component = st.components.v2.component("live_plot", html=HTML, css=CSS, js=JS, isolate_styles=False)


def install_plotly_js(folder: Path = STATIC) -> None:
    """Copy plotly.js of the installed plotly package into a folder that Streamlit serves, if it is not there already."""
    source, target = Path(plotly.__file__).parent / "package_data" / SCRIPT_NAME, folder / SCRIPT_NAME
    if target.exists() and filecmp.cmp(source, target, shallow=False):
        return
    folder.mkdir(parents=True, exist_ok=True)
    temporary = folder / f".{SCRIPT_NAME}.{secrets.token_hex(3)}.tmp"  # two servers may start at once
    try:
        shutil.copyfile(source, temporary)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)


@cache
def _install_once() -> None:
    try:
        install_plotly_js()
    except OSError as error:
        logger.warning("Cannot copy plotly.js to %s: %s. Charts need it; make the folder writable.", STATIC, error)


class Drawing(Protocol):
    """Anything that knows its JSON, such as a figure that was serialised once and kept."""

    def to_json(self, validate: bool = ...) -> str:
        """The figure as JSON."""


def live_plot(figure: go.Figure | Drawing, *, key: str, height: int, remake: str = "") -> dict[str, Any] | None:
    """Show a figure, or update the one with that key.

    Parameters
    ----------
    figure : built for the theme in use, with `uirevision` and `selectionrevision` set; `layout.meta["summary"]` is read
        out in its place
    key : one per chart on the page; another key is another chart
    height : pixels
    remake : command that makes the figure again; it is saved with it

    Returns
    -------
    dict or None
        {"curve": trace number, "index": point number} in the one script run that a click on a point causes, else None.
        It comes from the browser: check it.
    """
    _install_once()
    data = {
        "spec": figure.to_json(validate=False),
        "height": height,
        "source": f"{SCRIPT_NAME}?v={plotly.__version__}",
        "name": key,
        "remake": remake,
    }
    return _component(key=key, data=data, height=height, on_picked_change=lambda: None).picked
