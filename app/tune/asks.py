"""Requests of the linked views to the server. They come from the browser, so every part is checked."""

from __future__ import annotations

import base64
import binascii
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from app.state.linked import Linked
from bsd_engine.method.preview import Settings
from bsd_engine.shares import DISTANCES

MOST_EPOCHS, MOST_THUMBS = 64, 64


@dataclass(frozen=True, kw_only=True)
class Want:
    """Data that the browser lacks."""

    geometry: bool = False
    static: bool = False
    """The constants of the whole run: names, settings, colours."""
    columns: tuple[int, ...] = ()
    """Epochs, the most urgent first."""
    distances: tuple[int, ...] = ()
    maps: tuple[int, ...] = ()
    thumbs: tuple[int, ...] = ()
    """Sample ids."""
    last: int = -1
    """The newest epoch whose columns the browser has."""
    grid: str = ""
    """The map over alpha and beta that the browser has."""
    rows: str = ""
    """The rows of epochs that the browser has, as named by "rows" in a header."""


@dataclass(frozen=True, kw_only=True)
class Ask:
    """One message from the browser."""

    seq: int
    """Grows with each message; an old message that a refresh or a change of page brings back is ignored."""
    want: Want
    view: Linked | None
    """The shown view; None before there are data."""
    settings: Settings | None
    shown: int | None
    """The epoch on the screen; with "follow live", `view` has none."""


@dataclass(frozen=True, kw_only=True)
class RunRequest:
    """A press of "Run this"."""

    seq: int
    settings: Settings
    epoch: int = field(default=0)


def _numbers(value: Any, below: int, most: int) -> tuple[int, ...]:
    """The whole numbers in a list from 0 to a bound, each once, in the order of the list."""
    if not isinstance(value, list):
        return ()
    kept = (v for v in value[: 4 * most] if isinstance(v, int) and not isinstance(v, bool) and 0 <= v < below)
    return tuple(dict.fromkeys(kept))[:most]


def _number(value: Any, low: float, high: float) -> float | None:
    if (
        isinstance(value, bool)
        or not isinstance(value, int | float)
        or not math.isfinite(value)
        or not low <= value <= high
    ):
        return None
    return value


def parse_settings(value: Any) -> Settings | None:
    """Settings from an object with their names; None if one is missing or out of range."""
    if not isinstance(value, dict):
        return None
    alpha, beta = (_number(value.get(name), 0.0, 1.0) for name in ("alpha", "beta"))
    t1, altruistic_epochs = (_count(value.get(name), 2000) for name in ("t1", "altruistic_epochs"))
    distance = value.get("distance")
    if alpha is None or beta is None or t1 is None or altruistic_epochs is None or distance not in DISTANCES:
        return None
    return Settings(alpha=float(alpha), beta=float(beta), t1=t1, altruistic_epochs=altruistic_epochs, distance=distance)


def _count(value: Any, most: int) -> int | None:
    """A number without a fraction from 0 to a bound, as JavaScript may send it; None for anything else."""
    number = _number(value, 0, most)
    return None if number is None or number != int(number) else int(number)


def parse_ask(value: Any, *, run: str, samples: int, epochs: int) -> Ask | None:
    """The message; None if the value is not one."""
    if not isinstance(value, dict) or _number(value.get("seq"), 0, 2**53) is None:
        return None
    sent = value.get("want")
    raw: dict[str, Any] = sent if isinstance(sent, dict) else {}
    want = Want(
        geometry=raw.get("geometry") is True,
        static=raw.get("geometry") is True,
        columns=_numbers(raw.get("columns"), epochs, MOST_EPOCHS),
        distances=_numbers(raw.get("distances"), epochs, 2),
        maps=_numbers(raw.get("maps"), epochs, 4),
        thumbs=_numbers(raw.get("thumbs"), samples, MOST_THUMBS),
        grid=str(raw.get("grid", ""))[:80],
        rows=str(raw.get("rows", ""))[:80],
        last=int(_number(raw.get("last"), -1, 10**6) or 0) if raw.get("last") != -1 else -1,
    )
    state = value.get("state") if isinstance(value.get("state"), dict) else None
    if state is None:
        return Ask(seq=int(value["seq"]), want=want, view=None, settings=None, shown=None)
    epoch, pin, shown = (
        _whole(state.get(name), below) for name, below in (("epoch", epochs), ("pin", samples), ("shown", epochs))
    )
    view = Linked(run=run, epoch=epoch, pinned=pin, selected=_selected(state.get("selected"), samples))
    return Ask(seq=int(value["seq"]), want=want, view=view, settings=parse_settings(state.get("settings")), shown=shown)


def _whole(value: Any, below: int) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < below else None


def _selected(text: Any, samples: int) -> tuple[int, ...]:
    """Sample ids from a bitmap in base64, the first sample in the lowest bit."""
    if not isinstance(text, str) or not text or len(text) > samples // 6 + 8:
        return ()
    try:
        packed = np.frombuffer(base64.b64decode(text, validate=True), np.uint8)
    except (binascii.Error, ValueError):
        return ()
    return tuple(np.flatnonzero(np.unpackbits(packed, bitorder="little")[:samples]).tolist())


def bitmap(ids: tuple[int, ...], samples: int) -> str:
    """Ids as the text that `parse_ask` reads; "" if there are none."""
    if not ids:
        return ""
    mask = np.zeros(samples, bool)
    mask[list(ids)] = True
    return base64.b64encode(np.packbits(mask, bitorder="little").tobytes()).decode()


def parse_run(value: Any) -> RunRequest | None:
    """A press of "Run this" with its settings; None for anything else."""
    if not isinstance(value, dict) or _number(value.get("seq"), 0, 2**53) is None:
        return None
    settings = parse_settings(value.get("settings"))
    return (
        None
        if settings is None
        else RunRequest(seq=int(value["seq"]), settings=settings, epoch=int(_number(value.get("epoch"), 0, 10**6) or 0))
    )
