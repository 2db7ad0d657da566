"""The stages of a run as a slider: which epoch is shown, and whether the page follows the newest one.

It is not a native slider: the server moves it at each epoch, and the next timer tick would move a native one back. The
tick carries the slider's old value, which then looks like the user's choice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import streamlit as st

from app.components.bundle import bundle

_FILE = Path(__file__)
_component = st.components.v2.component(
    "timeline",
    html=_FILE.with_suffix(".html").read_text(),
    css=_FILE.with_suffix(".css").read_text(),
    js=bundle(_FILE.with_suffix(".js")),
    isolate_styles=False,
)


@dataclass(frozen=True)
class Position:
    """The epoch that the page shows; epochs are global and 0-based."""

    epoch: int | None
    """None before the first complete epoch."""
    following: bool

    def among(self, recorded: int) -> Position:
        """The position when that many epochs are recorded: the newest if it follows, and never a later one."""
        if not recorded:
            return Position(None, self.following)
        newest = recorded - 1
        return Position(newest if self.following or self.epoch is None else min(self.epoch, newest), self.following)


def timeline(strip: str, *, recorded: int, total: int, theme: str, position: Position) -> Position:
    """Show the slider; returns the position that the user chose on it, else the given one.

    Parameters
    ----------
    strip : safe HTML of the stages
    recorded, total : number of recorded epochs, and of all epochs of the run
    theme : "light" or "dark", as the page was drawn
    """
    data = {"strip": strip, "theme": theme, "recorded": recorded, "total": total, "epoch": (position.epoch or 0) + 1}
    choice = _component(
        key="timeline", data=data, height=52, on_choice_change=lambda: None, on_theme_change=lambda: None
    ).choice
    wanted = _new_choice(choice)
    return position if wanted is None or not recorded else Position(max(0, wanted - 1), False).among(recorded)


def _new_choice(choice: Any) -> int | None:
    """Number of a newly chosen epoch, returned once. The value comes from the browser and is checked.

    A choice stays in the browser's state, where a timer tick cannot swallow it. Its time tells whether it is new.
    """
    at, epoch = (choice.get("at"), choice.get("epoch")) if isinstance(choice, dict) else (None, None)
    if not isinstance(at, (int, float)) or not isinstance(epoch, (int, float)) or not math.isfinite(epoch):
        return None
    if at <= st.session_state.get("timeline_choice_at", 0):
        return None
    st.session_state["timeline_choice_at"] = at
    return int(epoch)
