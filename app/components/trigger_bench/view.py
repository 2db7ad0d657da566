"""The bench as one browser component: image, trigger, answers. Plain JavaScript from this folder, in this order; see `served_script`."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from app.components import served_script

FOLDER = Path(__file__).parent
PACKET = FOLDER.parent / "packet.js"
SCRIPTS = ("drawing", "answers", "stage", "bench")
SCRIPT_NAME = "bench.js"


@cache
def whole_script() -> str:
    """The module that the browser fetches: the scripts, with the page's elements and styles."""
    texts = {"HTML": (FOLDER / "bench.html").read_text(), "CSS": (FOLDER / "bench.css").read_text()}
    scripts = [PACKET.read_text(), *((FOLDER / f"{name}.js").read_text() for name in SCRIPTS)]
    return "\n".join([*(f"const {name} = {json.dumps(text)}" for name, text in texts.items()), *scripts])


def last_ask(key: str) -> Any:
    """What the bench with that key asked for last; unchecked. To be read before it is mounted, which its data depend on."""
    return served_script.last_value(key, "ask")


def bench_view(data: bytes, *, key: str) -> None:
    """Show the bench."""
    served_script.component("bn", SCRIPT_NAME, whole_script())(
        key=key, data=data, height="content", on_ask_change=lambda: None
    )
