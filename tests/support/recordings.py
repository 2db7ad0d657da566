"""Helpers for tests of recordings: the compared pools, and recordings that are changed on purpose."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np

from bsd_engine.events import EpochState
from bsd_engine.method import preview
from bsd_engine.recordings.card import RecordingCard
from bsd_engine.runs.reader import RunReader

CARD = RecordingCard(
    name="short",
    title="A short run",
    template="{clean_accuracy} % right, {poison} poisoned, {fewest_in_pool} of the fewest.",
    command="python -m bsd_engine",
)
"""Card of the recording that the tests pack."""


def pools(reader: RunReader, states: list[EpochState]) -> dict[int, np.ndarray]:
    """Return the first pool and all later ones, decided from the recorded scores as on the page Tune."""
    config, own = reader.config, preview.Settings.of(reader.config)
    first, losses = preview.distance_epoch(config, own), preview.loss_epoch(config, own)
    found = {
        first: preview.first_pool(
            config, own, reader.labels, preview.first_scores(config, own, states[losses], states[first])
        )
    }
    later = (s for s in states if s.stage in ("class_completion", "selective_drop"))
    return found | {s.epoch: preview.later_pool(config, own, reader.labels, s) for s in later}


def all_states(reader: RunReader) -> list[EpochState]:
    return [reader.epoch(epoch) for epoch in reader.epochs]


def changed(file: Path, out: Path, *, drop: str | None = None, **members: bytes) -> Path:
    """Return a recording with some members replaced; __ in a name stands for a slash, and _dot_ for a dot."""
    with zipfile.ZipFile(file) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        named = {name.replace("__", "/").replace("_dot_", "."): content for name, content in members.items()}
        for name in old.namelist():
            if name not in named and name != drop:
                new.writestr(name, old.read(name))
        for name, content in named.items():
            new.writestr(name, content)
    return out


def head_of(file: Path) -> dict:
    with zipfile.ZipFile(file) as archive:
        return json.loads(archive.read("recording.json"))
