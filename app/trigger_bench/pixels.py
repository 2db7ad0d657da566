"""The image on the bench without and with the trigger; no streamlit."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

from torch import Tensor

from app.server import run_cache
from app.trigger_bench.bench import BenchRequest
from app.trigger_bench.drawings import has_ink
from bsd_engine.attacks.patterns.placing import Change, drawn, placed
from bsd_engine.files.bounded import Stamp, stamp_of
from bsd_engine.runs import trigger_bench


def clean_image(request: BenchRequest) -> tuple[Tensor, int, int | None]:
    """The chosen image, (1, C, H, W) uint8, its number, and its true label; None for an uploaded one."""
    bench, number = request.bench, request.state.image
    if number is None and request.uploads.image is not None:
        return _uploaded(str(request.uploads.image), tuple(bench.run.images.shape[1:]))[None], 0, None
    number = number or 0
    return bench.images.images[number : number + 1].contiguous(), number, int(bench.images.labels[number])


@lru_cache(maxsize=4)
def _uploaded(path: str, shape: tuple[int, int, int]) -> Tensor:
    return trigger_bench.fitted_picture(Path(path), shape)


def triggered_image(request: BenchRequest, clean: Tensor, number: int) -> Tensor:
    """The image with the trigger as it is placed and faded, (1, C, H, W) uint8."""
    state = request.state
    if (change := _change(request, number)) is None:
        return clean
    return placed(clean, change, down=state.down, across=state.across, opacity=state.opacity / 100)


def _change(request: BenchRequest, number: int) -> Change | None:
    """What the chosen trigger does to an image; None while nothing is drawn."""
    state, run = request.state, request.bench.run
    if state.trigger == "drawn":
        drawing = request.uploads.drawing
        return drawn(drawing, run.images.shape[1]) if drawing is not None and has_ink(drawing) else None
    picture = str(request.uploads.picture or "") if state.trigger == "picture" else None
    attack = _attack(str(run.path), stamp_of(run.path / "config.json"), state.trigger, picture, state.size)
    return trigger_bench.change_of(attack, number)


@lru_cache(maxsize=32)
def _attack(path: str, stamp: Stamp, trigger: str, picture: str | None, size: int) -> Any:
    run = run_cache.reader(Path(path))
    if trigger == "own":
        return trigger_bench.own_attack(run)
    if trigger == "picture":
        return trigger_bench.picture_attack(run, picture or "", size)
    return trigger_bench.attack_named(run, trigger)
