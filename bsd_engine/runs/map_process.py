"""The map process: follows a run folder and adds UMAP maps to it. It is a separate process because UMAP's compiled
loops hold the GIL."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from bsd_engine.compute.projection import umap_map
from bsd_engine.errors import RunFolderError
from bsd_engine.runs.origin.provenance import refuse_foreign
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import write_map

POLL_SECONDS = 0.5


def make_maps(folder: Path, *, follow: bool = False) -> None:
    """Map every recorded epoch, starting each map from the previous one; with `follow`, until the run is over.

    If maps fall behind a live run, intermediate epochs are skipped so that the newest is shown. They are filled in at
    the end, in order, each started from its predecessor.

    Raises `RunFolderError` for a folder that this installation did not write.
    """
    reader = RunReader(folder)
    refuse_foreign(reader.path, "mapped")
    while True:
        live = follow and reader.status in ("running", "paused")
        epochs = [e for e in reader.epochs if e not in reader.map_epochs]
        for epoch in epochs[-1:] if live else epochs:
            _add_map(reader, epoch)
        if not live:
            return
        if not epochs:
            time.sleep(POLL_SECONDS)


def _add_map(reader: RunReader, epoch: int) -> None:
    """Map one epoch, starting from the nearest earlier map of the same model."""
    state = reader.epoch(epoch)
    if state.landmark_features is None:
        raise RunFolderError(f"{reader.path} has no landmark features in epoch {epoch}; it cannot be mapped.")
    earlier = [
        e for e in reader.map_epochs if e < epoch and (reader.epoch(e).main_loss is None) == (state.main_loss is None)
    ]
    previous = reader.map(earlier[-1]) if earlier else None
    xy = umap_map(state.landmark_features.astype(np.float32), previous)
    write_map(reader.path, epoch, xy)
