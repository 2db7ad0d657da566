"""The state of the page Trigger bench, from its address or its browser component.

Both come from outside, so all of it is checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from app.trigger_bench import texts
from app.trigger_bench.drawings import LONGEST_DRAWING, encode_drawing, has_ink

PARTS = ("image", "trigger", "at", "opacity", "size", "drawing")
"""Parts of the address that belong to this page."""


@dataclass(frozen=True, kw_only=True)
class BenchState:
    """The shown state; two equal states look the same."""

    epoch: int
    """Global, 0-based; an epoch with a stored checkpoint."""
    image: int | None = 0
    """Number of the image; None for the uploaded one."""
    trigger: str = "own"
    """own, picture, drawn, or the name of an attack."""
    down: int = 0
    """Pixels by which the trigger is moved down; negative ones move it up."""
    across: int = 0
    opacity: int = 100
    """Percent."""
    size: int = 8
    """Height of the user's own picture, pixels."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """The choices on the page."""

    epochs: tuple[int, ...]
    """Epochs with a stored checkpoint, ascending; at least one."""
    images: int
    triggers: tuple[str, ...]
    """The page starts with the first."""
    height: int
    width: int

    @property
    def start(self) -> BenchState:
        """The state at the start."""
        return BenchState(epoch=self.epochs[-1], trigger=self.triggers[0], size=max(1, self.height // 4))


def _whole(value: Any, low: int, high: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def parse_state(value: Any, limits: Limits, *, has_upload: bool) -> BenchState | None:
    """The state in a message from the browser; None if any part of it is out of range."""
    if not isinstance(value, dict):
        return None
    numbers = {
        "down": _whole(value.get("down"), -limits.height, limits.height),
        "across": _whole(value.get("across"), -limits.width, limits.width),
        "opacity": _whole(value.get("opacity"), 0, 100),
        "size": _whole(value.get("size"), 1, limits.height),
    }
    epoch, trigger, image = value.get("epoch"), value.get("trigger"), value.get("image")
    fits = isinstance(epoch, int) and epoch in limits.epochs and isinstance(trigger, str) and trigger in limits.triggers
    uploaded = image is None and has_upload
    if None in numbers.values() or not fits or not (uploaded or _whole(image, 0, limits.images - 1) is not None):
        return None
    return BenchState(epoch=epoch, trigger=trigger, image=None if uploaded else image, **numbers)


def parse_address(
    address: Mapping[str, str], limits: Limits, shown_epoch: int | None, *, has_upload: bool
) -> tuple[BenchState, list[str]]:
    """The state in an address, and a sentence about each part of it that cannot be shown.

    Parameters
    ----------
    shown_epoch : global, 0-based epoch that all pages show, None for the newest; the nearest stored one is taken
    """
    start = limits.start
    problems: list[str] = []
    parts: dict[str, Any] = {
        "epoch": start.epoch if shown_epoch is None else min(limits.epochs, key=lambda e: (abs(e - shown_epoch), e))
    }
    image = address.get("image", "0")
    if image == "upload":
        if has_upload:
            parts["image"] = None
        else:
            problems.append(texts.UPLOAD_IN_ADDRESS)
    else:
        parts["image"] = _number(image, 0, limits.images - 1, 0, texts.IMAGE, problems)
    trigger = address.get("trigger", start.trigger)
    if trigger not in limits.triggers:
        problems.append(texts.UNKNOWN_TRIGGER.format(given=trigger[:20], expected=", ".join(limits.triggers)))
        trigger = start.trigger
    parts["trigger"] = trigger
    down, _, across = address.get("at", "0_0").partition("_")
    parts["down"] = _number(down, -limits.height, limits.height, 0, texts.ROW, problems)
    parts["across"] = _number(across, -limits.width, limits.width, 0, texts.COLUMN, problems)
    parts["opacity"] = _number(address.get("opacity", "100"), 0, 100, 100, texts.OPACITY, problems)
    parts["size"] = _number(address.get("size", str(start.size)), 1, limits.height, start.size, texts.SIZE, problems)
    return replace(start, **parts), problems


def _number(text: str, low: int, high: int, otherwise: int, what: str, problems: list[str]) -> int:
    digits = text.removeprefix("-")
    number = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
    if number is None or not low <= number <= high:
        problems.append(texts.BAD_NUMBER.format(given=text[:20], what=what, low=low, high=high, otherwise=otherwise))
        return otherwise
    return number


def address_of(state: BenchState, limits: Limits, drawing: np.ndarray | None) -> dict[str, str]:
    """The query parameters of a state, without the parts that are unchanged from the start."""
    start = limits.start
    parts = {
        "image": "upload" if state.image is None else "" if state.image == start.image else str(state.image),
        "trigger": "" if state.trigger == start.trigger else state.trigger,
        "at": f"{state.down}_{state.across}" if state.down or state.across else "",
        "opacity": "" if state.opacity == start.opacity else str(state.opacity),
        "size": str(state.size) if state.trigger == "picture" and state.size != start.size else "",
        "drawing": encode_drawing(drawing)
        if state.trigger == "drawn" and drawing is not None and has_ink(drawing)
        else "",
    }
    return {name: text for name, text in parts.items() if text and (name != "drawing" or len(text) <= LONGEST_DRAWING)}
