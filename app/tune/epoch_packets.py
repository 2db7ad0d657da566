"""The part of a packet that belongs to single epochs: their rows, columns and maps; no streamlit."""

from __future__ import annotations

import re
import zlib
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from app.server import run_cache
from app.style.theme import STAGE_NAMES
from app.tune.columns import Columns, epoch_columns, map_columns
from app.tune.request import ViewRequest
from bsd_engine.files.bounded import Stamp

BYTES_AT_ONCE = 1_500_000
"""Most columns in one message; the browser asks again for the other epochs."""


def epoch_rows(request: ViewRequest, known: str) -> dict[str, Any]:
    """The rows of the epochs from the first that the browser lacks; all of them if one that it has was changed.

    `known` is the "rows" of an earlier header: their number and a digest. Sent at every tick, all rows of 120 epochs
    would be 9 kB each time.
    """
    rows = [epoch_row(request, row) for row in run_cache.rows(request.run.path)]
    count = int(known.split(":")[0]) if re.fullmatch(r"\d{1,6}:\d+", known) else 0
    begin = count if known == rows_digest(rows[:count]) else 0
    return {"from": begin, "epochs": rows[begin:], "rows": rows_digest(rows)}


def rows_digest(rows: list[list[Any]]) -> str:
    """The number of the rows and a digest of them, by which the browser says which rows it has."""
    return f"{len(rows)}:{zlib.crc32(repr(rows).encode())}"


def epoch_row(request: ViewRequest, row: run_cache.EpochRow) -> list[Any]:
    """Stage number, T, target, CA, ASR, pool size, poison in it, stamp, map and whether all distances are recorded."""
    metrics, truth_shown = row.metrics, request.is_poison is not None

    def rounded(name: str, digits: int, shown: bool = True) -> float | None:
        value = metrics.get(name) if shown else None
        return None if value is None else round(value, digits)

    kind, key = _map_of(request, row.epoch)
    return [
        list(STAGE_NAMES).index(row.stage),
        row.main_epoch,
        row.pseudo_target,
        rounded("clean_accuracy", 2),
        rounded("attack_success_rate", 2, truth_shown),
        metrics.get("clean_pool_size"),
        rounded("poison_in_clean_pool", 0, truth_shown),
        stamp(request, row.epoch),
        kind,
        key,
        row.all_distances,
    ]


def stamp(request: ViewRequest, epoch: int) -> int:
    """A number that changes when the record of the epoch does."""
    return hash(run_cache.stamps(request.run.path, (epoch,))[0]) % 2**31


def add_columns(request: ViewRequest, arrays: Columns, epochs: tuple[int, ...]) -> list[int]:
    """Add the columns of as many epochs as fit into a message, at least the first; returns these epochs."""
    sent: list[int] = []
    total = sum(a.nbytes for a in arrays.values())
    for epoch in epochs:
        columns = _columns(str(request.run.path), epoch, *run_cache.stamps(request.run.path, (epoch,)))
        places = _map_columns(request, epoch)
        size = sum(a.nbytes for a in (*columns.values(), *places.values()))
        if sent and total + size > BYTES_AT_ONCE:
            break
        total += size
        sent.append(epoch)
        arrays |= {f"{epoch}/{name}": a for name, a in (columns | places).items()}
    return sent


@lru_cache(maxsize=48)
def _columns(path: str, epoch: int, stamp: Stamp) -> Columns:
    run = run_cache.reader(Path(path))
    state = run_cache.state(run.path, epoch)
    split = run.config.split
    columns = epoch_columns(
        state, state.pseudo_target, predictions=split.completion == "fewest" and split.count_by == "pool_pred"
    )
    if split.completion == "fewest" and split.count_by == "all_pred" and state.main_prediction is not None:
        columns["predictions"] = np.bincount(state.main_prediction, minlength=len(run.class_names)).astype(np.uint32)
    return columns


def _map_of(request: ViewRequest, epoch: int) -> tuple[str, int]:
    """Kind and epoch of the map to show at an epoch: the newest UMAP map of the same model, else PCA (-1)."""
    history = run_cache.rows(request.run.path)
    if history[epoch].pca is None:
        return "", -1
    warm = history[epoch].main_epoch < 0
    mapped = [e for e in request.run.map_epochs if e <= epoch and (history[e].main_epoch < 0) == warm]
    return ("UMAP", mapped[-1]) if mapped else ("PCA", -1)


def _map_columns(request: ViewRequest, epoch: int) -> Columns:
    kind, at = _map_of(request, epoch)
    if not kind:
        return {}
    xy = request.run.map(at) if kind == "UMAP" else run_cache.pca_map(request.run.path, epoch)
    if xy is None or len(xy) != len(request.run.landmark_idx):
        return {}
    columns = map_columns(xy, run_cache.state(request.run.path, epoch), request.run.landmark_idx)
    return columns | {"map_key": np.array([at + 1], np.uint32)}


def add_maps(request: ViewRequest, arrays: Columns, epochs: tuple[int, ...]) -> list[list[int]]:
    """Add the maps shown at the epochs; returns the epochs with their stamps."""
    for epoch in epochs:
        arrays |= {f"{epoch}/{name}": a for name, a in _map_columns(request, epoch).items()}
    return [[epoch, stamp(request, epoch)] for epoch in epochs]
