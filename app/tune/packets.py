"""The packets for the linked views: geometry once, then the columns of epochs that the browser lacks; no streamlit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from app.components import packet
from app.server import run_cache
from app.tune import texts, what_if
from app.tune.asks import Want
from app.tune.columns import Columns, distance_columns
from app.tune.epoch_packets import add_columns, add_maps, epoch_rows, stamp
from app.tune.request import ViewRequest
from app.tune.run_packets import geometry, static
from app.tune.what_if import Preview
from bsd_engine.runs.reader import RunReader

THUMB_SIDE = 48


def build(request: ViewRequest, want: Want, answer: Preview | None, more: Mapping[str, Any] | None = None) -> bytes:
    """The packet that answers a message; `more` is added to its header."""
    arrays: Columns = {}
    header = _header(request, answer) | epoch_rows(request, want.rows) | dict(more or {})
    epochs = len(run_cache.rows(request.run.path))
    shown = request.view.shown_epoch(epochs)
    if want.geometry:
        arrays |= geometry(request)
    if want.geometry or want.static:
        header |= static(request)
    header["sent"] = [
        [epoch, stamp(request, epoch)] for epoch in add_columns(request, arrays, _urgent(request, want, shown))
    ]
    header["maps"] = add_maps(request, arrays, want.maps)
    for epoch in want.distances:
        arrays |= {
            f"{epoch}/{name}": a for name, a in distance_columns(run_cache.state(request.run.path, epoch)).items()
        }
        header["sent"] += [[epoch, stamp(request, epoch)]]
    if want.thumbs:
        header["thumbs"], arrays["thumbs"] = _thumbs(request.run, want.thumbs)
    if shown is not None:
        header |= _grid(request, want, shown)
    return packet.pack(header, arrays)


def _urgent(request: ViewRequest, want: Want, shown: int | None) -> tuple[int, ...]:
    """The requested epochs. The shown one comes first if the browser has no data or lacks the newest epoch."""
    if shown is None:
        return ()
    unasked = (shown,) if want.geometry or (request.live and request.view.epoch is None and shown > want.last) else ()
    return tuple(dict.fromkeys(unasked + want.columns))


def _header(request: ViewRequest, answer: Preview | None) -> dict[str, Any]:
    """The header fields that may change from one message to the next."""
    return {
        "run": request.run.run_id,
        "samples": request.run.num_samples,
        "truth": request.is_poison is not None,
        "live": request.live,
        "busy": request.busy,
        "answer": _answer(request, answer),
    }


def _answer(request: ViewRequest, preview: Preview | None) -> dict[str, Any] | None:
    """The engine's count for the shown settings, to be compared with the browser's count."""
    if preview is None:
        return None
    poison, difference = request.is_poison, preview.difference
    return {
        "settings": asdict(preview.settings),
        "epoch": preview.epoch,
        "honesty": preview.worth.honesty,
        "sentence": preview.worth.sentence,
        "size": int(preview.pool.sum()),
        "poison": None if poison is None else int((preview.pool & poison).sum()),
        "difference": None if difference is None else asdict(difference),
        "begin": branch_text(preview),
    }


def branch_text(preview: Preview) -> str:
    """The sentence about where "Run this" would begin."""
    at = preview.worth.branch_epoch
    return texts.BRANCH_FROM_START if at is None else texts.BRANCH_FROM_EPOCH.format(epoch=at + 1)


def _thumbs(run: RunReader, ids: tuple[int, ...]) -> tuple[dict[str, Any], np.ndarray]:
    """Thumbnails, (K, H, W, C) uint8, and their sizes; of large images every n-th pixel."""
    images = run.images
    step = -(-max(images.shape[2:]) // THUMB_SIDE)
    pixels = np.stack([images[i, :3, ::step, ::step].transpose(1, 2, 0) for i in ids])
    _, height, width, channels = pixels.shape
    return {"ids": list(ids), "height": height, "width": width, "channels": channels}, pixels


def _grid(request: ViewRequest, want: Want, shown: int) -> dict[str, Any]:
    """The map over alpha and beta, unless the browser has it already."""
    key, grid = what_if.pool_map(request.run, request.settings, shown, truth_shown=request.is_poison is not None)
    if grid is None:
        first = request.run.config.schedule.altruistic_epochs + 1
        return {"grid": None, "grid_empty": texts.NO_DISTANCES.format(epoch=first)}
    if key == want.grid:
        return {}

    def flat(values: np.ndarray | None) -> list[int] | None:
        return None if values is None else values.ravel().tolist()

    return {
        "grid": {
            "key": key,
            "alphas": list(grid.alphas),
            "betas": list(grid.betas),
            "size": flat(grid.size),
            "poison": flat(grid.poison),
            "clean": flat(grid.clean),
            "smallest": flat(grid.smallest_class),
        },
        "grid_empty": None,
    }
