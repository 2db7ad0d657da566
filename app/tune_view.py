"""The linked views: one browser component for quadrant, map, losses, images, curves and the cursor over them.

Plain JavaScript, put together from the files in app/tune in this order; there is no build step and nothing from outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

FOLDER = Path(__file__).parent / "tune"
SCRIPTS = ("splits", "packet", "raster", "model", "plot", "axes", "quadrant", "panels", "heat", "time", "controls", "inspector", "main")


def script(*names: str) -> str:
    """The text of some of the scripts, or of all."""
    return "\n".join((FOLDER / f"{name}.js").read_text() for name in names or SCRIPTS)


_component = st.components.v2.component(
    "tune", html=(FOLDER / "tune.html").read_text(), css=(FOLDER / "tune.css").read_text(), js=script(), isolate_styles=False
)


def last_ask(key: str) -> Any:
    """What the views with that key asked for last; unchecked. To be read before they are mounted, which their data depend on."""
    state = st.session_state.get(key)
    return state.get("ask") if hasattr(state, "get") else None


def tune_view(data: bytes, *, key: str) -> Any:
    """Show the views; returns an unchecked "run this" in the one script run that it causes, else None."""
    return _component(key=key, data=data, height="content", on_ask_change=lambda: None, on_run_change=lambda: None).run
