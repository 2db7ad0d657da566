"""The linked views: one browser component for quadrant, map, losses, images, curves and the cursor over them.

Plain JavaScript, put together from the files in this folder in this order; there is no build step and nothing from outside.
The script is a file that the browser fetches once (`served_script`): with every message it would be 124 kB, beside the 280 kB
of an epoch of 50,000 samples.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from app.components import served_script

FOLDER = Path(__file__).parent
SCRIPTS = (
    "model/splits",
    "../packet",
    "views/raster",
    "model/model",
    "views/plot",
    "views/axes",
    "views/quadrant",
    "views/panels",
    "views/heat",
    "views/time",
    "views/controls",
    "views/inspector",
    "lesson/texts",
    "lesson/algorithm",
    "lesson/tour",
    "lesson/learn",
    "app",
)
SCRIPT_NAME = "tune.js"


def script(*names: str) -> str:
    """The text of some of the scripts, or of all."""
    return "\n".join((FOLDER / f"{name}.js").read_text() for name in names or SCRIPTS)


@cache
def whole_script() -> str:
    """The module that the browser fetches: the scripts, with the page's elements and styles."""
    texts = {
        "HTML": (FOLDER / "tune.html").read_text(),
        "CSS": (FOLDER / "tune.css").read_text() + (FOLDER / "lesson/learn.css").read_text(),
    }
    return "\n".join([*(f"const {name} = {json.dumps(text)}" for name, text in texts.items()), script()])


def last_ask(key: str) -> Any:
    """What the views with that key asked for last; unchecked. To be read before they are mounted, which their data depend on."""
    return served_script.last_value(key, "ask")


def tune_view(data: bytes, *, key: str) -> Any:
    """Show the views; returns an unchecked "run this" in the one script run that it causes, else None."""
    return _component("tune")(
        key=key, data=data, height="content", on_ask_change=lambda: None, on_run_change=lambda: None
    ).run


def learn_view(data: bytes, *, key: str) -> Any:
    """Show the views in their teaching layout; returns an unchecked "open this run" in the one script run that it causes, else None."""
    return _component("learn")(
        key=key, data=data, height="content", on_ask_change=lambda: None, on_open_change=lambda: None
    ).open


def _component(mode: str) -> Any:
    return served_script.component("tn", SCRIPT_NAME, whole_script(), mode=mode)
