"""The trigger bench as one browser component: image, trigger, answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from app.components import served_script

SCRIPT = Path(__file__).parent / "bench.js"


def last_ask(key: str) -> Any:
    """The last request of the bench with that key, unchecked. Read it before mounting the bench, whose data need it."""
    return served_script.last_value(key, "ask")


def bench_view(data: bytes, *, key: str) -> None:
    """Show the bench."""
    component = served_script.component("bn", SCRIPT)
    component(key=key, data=data, height="content", on_ask_change=lambda: None)
