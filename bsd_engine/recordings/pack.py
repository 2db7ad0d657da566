"""Packing of a run folder into a recording."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.data import dataset
from bsd_engine.errors import RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.files import bounded
from bsd_engine.files.arrays import pack_arrays
from bsd_engine.files.atomic import write_atomic
from bsd_engine.recordings.archive import FORMAT_VERSION, HEAD, checksum, write_members
from bsd_engine.recordings.arrays import Rounded, pack_labels, pack_masks
from bsd_engine.recordings.card import RecordingCard, facts_of, sentence_of
from bsd_engine.recordings.rounding import distance_kind, epoch_rows, round_scores
from bsd_engine.recordings.stacks import LABELS, STACKED
from bsd_engine.recordings.weights import pack_checkpoints, pack_undefended
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.runs.origin import run_files
from bsd_engine.runs.reader import RunReader

COPIED = ("config.json", "summary.json", "samples.npz", "truth.npz", "files.json")
"""Files of a run folder that are kept as they are, where they exist."""
SHOWN_COMPONENTS = 2
"""Number of the landmarks' principal components kept: the PCA map shows two, and the UMAP maps are in the recording."""
_NO_ARRAYS: dict[str, Any] = dict.fromkeys(STACKED)


def pack(run: Path, out: Path, card: RecordingCard, *, undefended: Path | None = None) -> Path:
    """Write a finished run folder as one file; returns the file.

    Parameters
    ----------
    run : a run folder that has ended
    out : the file to write
    card : name and description of the recording
    undefended : the folder of undefended training on the same poisoned set

    Raises
    ------
    RunFolderError
        If the run has not ended or has no complete epoch, or undefended training was on other data.
    ValueError
        If the card's sentence names an unknown number.
    """
    reader = RunReader(run)
    if reader.summary is None or not reader.epochs:
        raise RunFolderError(f"{run} has not ended; only a run that has ended can be packed.")
    reader.check_images()
    states = [reader.epoch(epoch) for epoch in reader.epochs]
    numbers = {**reader.summary, **facts_of(reader), **_plain_numbers(undefended)}
    sentence_of(card.template, numbers)
    arrays, rows = _arrays(reader, states)
    head = {
        "format_version": FORMAT_VERSION,
        "card": asdict(card),
        "numbers": numbers,
        "rows": rows,
        "images_crc": checksum(reader.images),
    }
    members = {
        HEAD: (json.dumps(head, indent=1, allow_nan=False) + "\n").encode(),
        **{name: run_files.read(run, name, bounded.MOST_NPZ_BYTES) for name in COPIED if (run / name).exists()},
        "arrays.npz": pack_arrays(**arrays),
        **{f"epochs/{state.epoch:05d}.npz": pack_epoch(replace(state, **_NO_ARRAYS)) for state in states},
        **pack_checkpoints(reader),
        **(pack_undefended(reader, undefended) if undefended is not None else {}),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(out, write_members(members))
    return out


def _plain_numbers(undefended: Path | None) -> dict[str, Any]:
    """Return the results of undefended training on the same set."""
    if undefended is None:
        return {}
    summary = bounded.read_object(undefended / "summary.json")
    return {f"plain_{name}": summary.get(name) for name in ("clean_accuracy", "attack_success_rate", "epochs")}


def _arrays(reader: RunReader, states: list[EpochState]) -> tuple[dict[str, np.ndarray], dict[str, list[int]]]:
    """Return the content of arrays.npz, and the epochs of the rows of each stack."""
    rows: dict[str, list[int]] = {}
    scores = _score_arrays(round_scores(reader, states), states, rows)
    others = {**_other_arrays(states, rows), **_map_arrays(reader, rows), **_image_arrays(reader)}
    return {**scores, **others}, rows


def _score_arrays(
    rounded: Mapping[str, Rounded], states: list[EpochState], rows: dict[str, list[int]]
) -> dict[str, np.ndarray]:
    """Return the rounded scores; adds their epochs to `rows`, and which distance the OSS score equals, -1 for none."""
    arrays: dict[str, np.ndarray] = {}
    for name, part in rounded.items():
        rows[name] = list(epoch_rows(states, name))
        arrays |= part.arrays(name)
    kinds = {state.epoch: distance_kind(state) for state in states}
    rows["oss_kind"] = [-1 if (kind := kinds[epoch]) is None else kind for epoch in rows.get("oss_distances", [])]
    return arrays


def _other_arrays(states: list[EpochState], rows: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """Return predictions, pools and the landmarks' first components; adds their epochs to `rows`."""
    arrays: dict[str, np.ndarray] = {}
    for name in (*LABELS, "clean_mask", "landmark_features"):
        values = {state.epoch: array for state in states if (array := getattr(state, name)) is not None}
        if values:
            rows[name] = list(values)
            arrays[name] = _packed(name, list(values.values()))
    return arrays


def _packed(name: str, values: list[np.ndarray]) -> np.ndarray:
    """Return the stack of an array over the epochs that have it."""
    if name == "landmark_features":  # epochs may have different numbers of components
        return np.stack([features[:, :SHOWN_COMPONENTS].astype(np.float16) for features in values])
    return pack_masks(np.stack(values)) if name == "clean_mask" else pack_labels(np.stack(values))


def _map_arrays(reader: RunReader, rows: dict[str, list[int]]) -> dict[str, np.ndarray]:
    """Return the UMAP maps in half precision, which is accurate to a thousandth of their extent."""
    rows["maps"] = [epoch for epoch in reader.map_epochs if epoch in reader.epochs]
    return {"maps": np.stack([reader.map(epoch) for epoch in rows["maps"]]).astype(np.float16)} if rows["maps"] else {}


def _image_arrays(reader: RunReader) -> dict[str, np.ndarray]:
    """Return the images as differences from the bundled ones, or all of their pixels if the data are not bundled."""
    images = np.asarray(reader.images)
    bundled = _bundled_images(reader)
    if bundled is None or bundled[1].shape != images.shape:
        return {"images": images}
    source_idx, clean = bundled
    changed = np.flatnonzero((images != clean).any(axis=(1, 2, 3)))
    return {
        "source_idx": source_idx.astype(np.uint32),
        "changed_idx": changed.astype(np.uint32),
        "changes": images[changed] - clean[changed],
    }


def _bundled_images(reader: RunReader) -> tuple[np.ndarray, np.ndarray] | None:
    """Return positions in the bundled set (N,), and the images there (N, C, H, W); None for other data."""
    settings = reader.config.data
    if settings.data != "bundled":
        return None
    source = dataset.load("bundled", settings.limit, reader.config.seed, settings.image_size)
    assert source.source_idx is not None, "the bundled set numbers its images"
    return source.source_idx.numpy(), source.train_images.numpy()
