"""The data in a page that plays a run offline: a packet with every epoch, and one sheet of images; no streamlit."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image

from app.components import packet
from app.server import run_cache
from app.tune import packets
from app.tune.asks import Want
from app.tune.columns import Columns, distance_columns
from app.tune.packets import THUMB_SIDE
from app.tune.request import ViewRequest
from bsd_engine.runs.reader import RunReader

LARGEST_SHEET = 16383
"""Pixels a side: the limit of a WebP image."""
QUALITIES = (80, 60, 40, 25, 12)
"""Qualities of the sheet, tried in order until the page is small enough."""


def whole_packet(request: ViewRequest, name: str) -> bytes:
    """One packet with all data for the views, except images and counts, which the page provides itself.

    Parameters
    ----------
    name : the run's name in the page
    """
    header, arrays = _merged(request)
    config = request.run.config
    header["epochs"] = [[*row[:7], 0, *row[8:]] for row in header["epochs"]]  # file times mean nothing elsewhere
    del header["rows"]  # nor does their digest
    header |= {
        "run": name,
        "sent": [[epoch, 0] for epoch in range(len(header["epochs"]))],
        "maps": [],
        "thumbs": None,
        "grid": None,
        "answer": None,
    }
    header["own"] = {**header["own"], "updates_alike": config.altruistic.altruistic_update == "ce"}
    return packet.pack(header, arrays)


def _merged(request: ViewRequest) -> tuple[dict[str, Any], Columns]:
    """The packets that a browser would get one after another, merged."""
    rows = run_cache.rows(request.run.path)
    missing, header = list(range(len(rows))), dict[str, Any]()
    arrays: Columns = {}
    while missing or not header:
        want = Want(geometry=not header, columns=tuple(missing))
        part, more = packet.unpack(packets.build(request, want, None))
        arrays |= more
        header = {**header, **part}
        missing = [e for e in missing if e not in {epoch for epoch, _ in part["sent"]}]
    for row in rows:
        if row.all_distances:
            distances = distance_columns(run_cache.state(request.run.path, row.epoch))
            arrays |= {f"{row.epoch}/{name}": values for name, values in distances.items()}
    return header, arrays


@dataclass(frozen=True, kw_only=True)
class Sheet:
    """Thumbnails in rows on one WebP image; sample k is tile k."""

    content: bytes
    width: int
    """Of a tile."""
    height: int
    columns: int
    count: int


def sheets(run: RunReader) -> Iterator[Sheet]:
    """The images of a run on sheets of falling quality; only the first ones if a sheet cannot hold all."""
    whole = _laid_out(run)
    for quality in QUALITIES:
        yield _encoded(*whole, quality)


def _laid_out(run: RunReader) -> tuple[np.ndarray, Sheet]:
    images = run.images
    step = -(-max(images.shape[2:]) // THUMB_SIDE)
    height, width = (-(-side // step) for side in images.shape[2:])
    columns = min(LARGEST_SHEET // width, max(1, int(np.ceil(np.sqrt(len(images))))))
    count = min(len(images), columns * (LARGEST_SHEET // height))
    channels = 1 if images.shape[1] == 1 else 3
    lines = -(-count // columns)
    canvas = np.zeros((lines * columns, height, width, channels), np.uint8)
    for first in range(0, count, 1024):  # in chunks: the images of a large run are a mapped file
        canvas[first : min(first + 1024, count)] = images[
            first : min(first + 1024, count), :channels, ::step, ::step
        ].transpose(0, 2, 3, 1)
    pixels = (
        canvas.reshape(lines, columns, height, width, channels)
        .transpose(0, 2, 1, 3, 4)
        .reshape(lines * height, columns * width, channels)
    )
    return pixels, Sheet(content=b"", width=width, height=height, columns=columns, count=count)


def _encoded(pixels: np.ndarray, sheet: Sheet, quality: int) -> Sheet:
    buffer = io.BytesIO()
    Image.fromarray(pixels.squeeze(2) if pixels.shape[2] == 1 else pixels).save(
        buffer, "WEBP", quality=quality, method=4
    )
    return replace(sheet, content=buffer.getvalue())
