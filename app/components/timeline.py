"""The stages of a run as a track to drag on: which epoch is shown, and whether the page follows the newest.

A component of its own, because a native slider that the server moves at each epoch is moved back by the next timer
tick: the tick carries the slider's old value, which then looks like the user's choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import streamlit as st

HTML = """
<div class="timeline"><div class="timeline-strip"></div><input type="range" min="1" step="1" aria-label="Epoch shown"></div>
"""

CSS = """
.timeline input { display: block; height: 1.4rem; box-sizing: border-box; margin: .25rem 0 0; accent-color: var(--st-primary-color); cursor: pointer; }
.timeline input:disabled { cursor: default; }
.timeline-strip > div { font: 12.5px/22px var(--st-font) !important; }
.timeline-strip [title] { padding: 0 5px !important; }
"""

# A choice stays as the user made it until the server has answered to it, or for three seconds.
JS = """
const PATIENCE = 3000

export default function ({data, parentElement, setStateValue}) {
  const strip = parentElement.querySelector('.timeline-strip'), range = parentElement.querySelector('input')
  const own = range.own ??= {timer: null, until: 0, held: false}

  if (strip.innerHTML !== data.strip) strip.innerHTML = data.strip
  range.max = data.total
  range.disabled = data.recorded < 1
  const half = `(50% / ${data.total} - 8px)`  // the thumb's middle lies on the middle of its epoch
  range.style.marginLeft = `calc${half}`
  range.style.width = `calc(100% - 2 * ${half})`
  if (own.epoch === data.epoch) own.until = 0
  if (!own.held && performance.now() > own.until) range.value = data.epoch
  range.setAttribute('aria-valuetext', `epoch ${range.value} of ${data.total}`)

  // A switch between light and dark reaches the server with the next run only: ask for one.
  const [r, g, b] = getComputedStyle(parentElement).getPropertyValue('--st-background-color').match(/[0-9a-f]{2}/gi)?.map(h => parseInt(h, 16)) ?? []
  const seen = r + g + b < 384 ? 'dark' : 'light'
  if (r !== undefined && seen !== data.theme && own.asked !== seen) { own.asked = seen; setStateValue('theme', seen) }
  if (seen === data.theme) own.asked = null

  const tell = () => {
    own.timer = null
    own.epoch = +range.value
    setStateValue('choice', {epoch: own.epoch, at: Date.now()})
  }
  range.onpointerdown = () => { own.held = true }
  range.onpointerup = range.onpointercancel = () => { own.held = false }
  range.oninput = () => {
    if (+range.value > data.recorded) range.value = data.recorded
    own.epoch = null
    own.until = performance.now() + PATIENCE
    own.timer ??= setTimeout(tell, 120)
  }
}
"""

_component = st.components.v2.component("timeline", html=HTML, css=CSS, js=JS, isolate_styles=False)


@dataclass(frozen=True)
class Position:
    """Where in time the page looks; epochs are global and 0-based."""

    epoch: int | None
    """None before the first whole epoch."""
    following: bool

    def among(self, recorded: int) -> Position:
        """The same with the newest epoch if it follows, and never beyond what is there."""
        if not recorded:
            return Position(None, self.following)
        newest = recorded - 1
        return Position(newest if self.following or self.epoch is None else min(self.epoch, newest), self.following)


def timeline(strip: str, *, recorded: int, total: int, theme: str, position: Position) -> Position:
    """Show the track; the position after a choice that the user made on it, else the given one.

    Parameters
    ----------
    strip : safe HTML of the stages
    recorded, total : epochs that are there, and of the whole run
    theme : "light" or "dark", as the page was drawn
    """
    data = {"strip": strip, "theme": theme, "recorded": recorded, "total": total, "epoch": (position.epoch or 0) + 1}
    choice = _component(
        key="timeline", data=data, height=52, on_choice_change=lambda: None, on_theme_change=lambda: None
    ).choice
    wanted = _new_choice(choice)
    return position if wanted is None or not recorded else Position(max(0, wanted - 1), False).among(recorded)


def _new_choice(choice: Any) -> int | None:
    """Number of the chosen epoch, once; it comes from the browser, so anything may be in it.

    A choice stays in the browser's state, where a timer tick cannot swallow it; its time tells whether it is new.
    """
    at, epoch = (choice.get("at"), choice.get("epoch")) if isinstance(choice, dict) else (None, None)
    if not isinstance(at, (int, float)) or not isinstance(epoch, (int, float)) or not math.isfinite(epoch):
        return None
    if at <= st.session_state.get("timeline_choice_at", 0):
        return None
    st.session_state["timeline_choice_at"] = at
    return int(epoch)
