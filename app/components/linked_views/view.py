"""The linked views: one browser component for quadrant, map, losses, images, curves and the cursor over them.

Its modules are in model/ (the run in the browser and the twin of the engine's cuts), views/ (what is drawn), lesson/
(the teaching layout of the page Learn) and offline/ (the page that needs no server). Nothing is fetched from outside.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.components import served_script

FOLDER = Path(__file__).parent
SCRIPT = FOLDER / "tune.js"


def last_ask(key: str) -> Any:
    """The last request of the views with that key, unchecked. Read it before mounting them: their data depend on it."""
    return served_script.last_value(key, "ask")


def tune_view(data: bytes, *, key: str) -> Any:
    """Show the views. Returns the request "run this", unchecked, in the one script run that it causes, else None."""
    component = served_script.component("tn", SCRIPT, mode="tune")
    return component(key=key, data=data, height="content", on_ask_change=lambda: None, on_run_change=lambda: None).run


def learn_view(data: bytes, *, key: str) -> Any:
    """Show the views in their teaching layout.

    Returns the request "open this run", unchecked, in the one script run that it causes, else None.
    """
    component = served_script.component("tn", SCRIPT, mode="learn")
    return component(key=key, data=data, height="content", on_ask_change=lambda: None, on_open_change=lambda: None).open
