"""What the page Trigger bench looks at, from its address or its browser component; both are from outside, so all is checked."""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

FURTHEST, LARGEST_DRAWING = 4096, 4 * 512 * 512
PARTS = ("image", "trigger", "at", "opacity", "size", "drawing")
LONGEST_DRAWING = 3000
"""Characters of a drawing in the address; a longer one is left to the session."""


@dataclass(frozen=True, kw_only=True)
class BenchState:
    """One look; two equal states show the same."""

    epoch: int
    """Global, 0-based: one of the stored ones."""
    image: int | None = 0
    """Number of the image; None is the one that was uploaded."""
    trigger: str = "own"
    """own, picture, drawn, or the name of an attack."""
    down: int = 0
    across: int = 0
    opacity: int = 100
    """Percent."""
    size: int = 8
    """Height of an own picture, pixels."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What there is to choose from."""

    epochs: tuple[int, ...]
    """Stored ones, ascending; at least one."""
    images: int
    triggers: tuple[str, ...]
    """The first is the one to begin with."""
    height: int
    width: int

    @property
    def start(self) -> BenchState:
        """The look to begin with."""
        return BenchState(epoch=self.epochs[-1], trigger=self.triggers[0], size=max(1, self.height // 4))


def _whole(value: Any, low: int, high: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and low <= value <= high else None


def parse_state(value: Any, limits: Limits, *, has_upload: bool) -> BenchState | None:
    """The state in a message of the browser; None where any part of it is not what it may be."""
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
    """The state that an address asks for, and a sentence about each part of it that cannot be.

    Parameters
    ----------
    shown_epoch : global, 0-based epoch that all pages look at, None for the newest; the nearest stored one is shown
    """
    start, problems = limits.start, []
    found: dict[str, Any] = {
        "epoch": start.epoch if shown_epoch is None else min(limits.epochs, key=lambda e: (abs(e - shown_epoch), e))
    }
    image = address.get("image", "0")
    if image == "upload":
        if has_upload:
            found["image"] = None
        else:
            problems.append(
                "The address asks for an image that was uploaded, which an address cannot hold; image 0 is shown. Upload it again."
            )
    else:
        found["image"] = _number(image, 0, limits.images - 1, 0, "image", problems)
    trigger = address.get("trigger", start.trigger)
    if trigger not in limits.triggers:
        problems.append(
            f"The address names the trigger {trigger[:20]!r}, but there are {', '.join(limits.triggers)}; the first is taken."
        )
        trigger = start.trigger
    found["trigger"] = trigger
    down, _, across = address.get("at", "0_0").partition("_")
    found["down"] = _number(down, -limits.height, limits.height, 0, "row of the trigger", problems)
    found["across"] = _number(across, -limits.width, limits.width, 0, "column of the trigger", problems)
    found["opacity"] = _number(address.get("opacity", "100"), 0, 100, 100, "opacity", problems)
    found["size"] = _number(
        address.get("size", str(start.size)), 1, limits.height, start.size, "size of the picture", problems
    )
    return replace(start, **found), problems


def _number(text: str, low: int, high: int, otherwise: int, what: str, problems: list[str]) -> int:
    digits = text.removeprefix("-")
    number = int(text) if digits.isascii() and digits.isdigit() and len(digits) < 10 else None
    if number is None or not low <= number <= high:
        problems.append(
            f"The address gives {text[:20]!r} for the {what}, expected a number from {low} to {high}; {otherwise} is taken."
        )
        return otherwise
    return number


def address_of(state: BenchState, limits: Limits, drawing: np.ndarray | None) -> dict[str, str]:
    """The query parameters of a state, without what is as at the start."""
    start = limits.start
    parts = {
        "image": "upload" if state.image is None else "" if state.image == start.image else str(state.image),
        "trigger": "" if state.trigger == start.trigger else state.trigger,
        "at": f"{state.down}_{state.across}" if state.down or state.across else "",
        "opacity": "" if state.opacity == start.opacity else str(state.opacity),
        "size": str(state.size) if state.trigger == "picture" and state.size != start.size else "",
        "drawing": ""
        if state.trigger != "drawn" or drawing is None or not drawing[..., 3].any()
        else encode_drawing(drawing),
    }
    return {name: text for name, text in parts.items() if text and (name != "drawing" or len(text) <= LONGEST_DRAWING)}


def encode_drawing(drawing: np.ndarray) -> str:
    """An (H, W, 4) uint8 drawing as text for an address."""
    return base64.urlsafe_b64encode(zlib.compress(np.ascontiguousarray(drawing).tobytes(), 9)).decode().rstrip("=")


def decode_drawing(text: str, height: int, width: int) -> np.ndarray:
    """The drawing that `encode_drawing` wrote for images of a size; raises `ValueError` for anything else."""
    size = 4 * height * width
    if len(text) > LONGEST_DRAWING:
        raise ValueError("too long")
    try:
        unpacker = zlib.decompressobj()  # bounded: a short text can unpack to gigabytes
        content = unpacker.decompress(
            base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True), size + 1
        )
    except (binascii.Error, zlib.error) as error:
        raise ValueError("no drawing") from error
    if len(content) != size or not unpacker.eof:
        raise ValueError("another size")
    return np.frombuffer(content, np.uint8).reshape(height, width, 4)


def parse_drawing(text: Any, height: int, width: int) -> np.ndarray | None:
    """The drawing in a message: base64 of H x W x 4 bytes; None for anything else."""
    if not isinstance(text, str) or len(text) > 2 * LARGEST_DRAWING:
        return None
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return np.frombuffer(content, np.uint8).reshape(height, width, 4) if len(content) == 4 * height * width else None


def parse_file(value: Any, most: int) -> bytes | None:
    """The content of a file in a message: base64; None for anything else or what is larger than `most` bytes."""
    if not isinstance(value, str) or len(value) > 4 * (most + 2) // 3 + 4:
        return None
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return None
