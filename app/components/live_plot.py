"""A Plotly chart that is mounted once and then only updated: zoom, hover and selection survive every update.

`st.plotly_chart` makes a new chart whenever the data change, even with a key. That loses all three and, at one update
a second, most clicks. This component hands each figure to `Plotly.react` instead. plotly.js is the file of the
installed plotly package, copied to ./static and served by Streamlit (`server.enableStaticServing`), so nothing is
fetched from outside.
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

from app.components.bundle import bundle
from app.server.home import home

logger = logging.getLogger(__name__)

STATIC = home() / "static"
SCRIPT_NAME = "plotly.min.js"
OFFLINE = {"showSendToCloud": False, "displaylogo": False}
"""Options of plotly.js for every chart, on pages and in files: no button leads to another machine. By default the bar
of a chart offers to upload it."""

_FILE = Path(__file__)
_component = st.components.v2.component(
    "live_plot",
    html=_FILE.with_suffix(".html").read_text(),
    css=_FILE.with_suffix(".css").read_text(),
    js=bundle(_FILE.with_suffix(".js")),
    isolate_styles=False,
)


def install_plotly_js(folder: Path = STATIC) -> None:
    """Copy plotly.js of the installed plotly package into a folder served by Streamlit, unless it is there already."""
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
    """Anything that can return its JSON, such as a figure that was serialised once and kept."""

    def to_json(self, validate: bool = ...) -> str:
        """The figure as JSON."""


def live_plot(figure: go.Figure | Drawing, *, key: str, height: int, remake: str = "") -> dict[str, Any] | None:
    """Show a figure, or update the one with that key.

    Parameters
    ----------
    figure : built for the theme in use, with `uirevision` and `selectionrevision` set; a screen reader reads
        `layout.meta["summary"]` in its place
    key : one per chart on the page
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
        "options": OFFLINE,
    }
    return _component(key=key, data=data, height=height, on_picked_change=lambda: None).picked
