"""Unpacking of a recording into the files of a run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.data import bundled
from bsd_engine.files import bounded
from bsd_engine.files.arrays import npy_bytes, pack_arrays
from bsd_engine.recordings.archive import checksum, read_members, reading_errors
from bsd_engine.recordings.arrays import Rounded, checked, unpack_labels, unpack_masks
from bsd_engine.recordings.stacks import DISTANCES, LABELS, LOSSES, rows_an_epoch
from bsd_engine.runs.epoch_file import pack_epoch, unpack_epoch
from bsd_engine.runs.layout import FORMAT_VERSION

Arrays = Mapping[str, np.ndarray]
Rows = dict[str, list[int]]
"""The epochs of the rows of each stack."""


def unpack(path: Path) -> dict[str, bytes]:
    """Return the files of the run folder by name; raises `RunFolderError` with one sentence.

    The bundled images take most of the time (0.4 s) and are unpacked in a second thread.
    """
    with reading_errors(path), ThreadPoolExecutor(1) as thread:
        bundled_arrays = thread.submit(bundled.arrays)
        head, members = read_members(path)
        arrays = bounded.unpack_arrays(members.pop("arrays.npz"))
        config = bounded.parse_object(members["config.json"])
        rows = _rows_of(head)
        by_epoch = _arrays_by_epoch(rows, arrays, config["num_samples"])
        for name in sorted(name for name in members if name.startswith("epochs/")):
            members[name] = _whole_epoch(members[name], by_epoch)
        for epoch, xy in zip(rows.get("maps", []), arrays.get("maps", ())):
            members[f"maps/{epoch:05d}.npz"] = pack_arrays(xy=xy.astype(np.float32))
        members["config.json"] = (json.dumps({**config, "format_version": FORMAT_VERSION}) + "\n").encode()
        members["images.npy"] = npy_bytes(_images(arrays, bundled_arrays.result, head))
        return members


def _rows_of(head: Mapping[str, Any]) -> Rows:
    rows = head["rows"]
    if not isinstance(rows, dict) or any(
        type(epoch) is not int or not -1 <= epoch < 100_000 for epochs in rows.values() for epoch in epochs
    ):
        raise ValueError("it does not say which epochs its arrays belong to")
    return rows


def _whole_epoch(content: bytes, by_epoch: Mapping[str, Mapping[int, np.ndarray]]) -> bytes:
    """Return the file of an epoch with its stacked arrays put back."""
    state = unpack_epoch(content)
    arrays: dict[str, Any] = {name: of[state.epoch] for name, of in by_epoch.items() if state.epoch in of}
    return pack_epoch(replace(state, **arrays))


def _arrays_by_epoch(rows: Rows, arrays: Arrays, samples: int) -> dict[str, dict[int, np.ndarray]]:
    """Return the stacked arrays, by name and epoch."""
    by_epoch = {name: dict(zip(rows[name], stack)) for name, stack in _stacks(rows, arrays, samples)}
    for epoch, kind in zip(rows.get("oss_distances", []), rows.get("oss_kind", [])):
        if kind >= 0:
            by_epoch.setdefault("oss_score", {})[epoch] = by_epoch["oss_distances"][epoch][kind]
    return by_epoch


def _stacks(rows: Rows, arrays: Arrays, samples: int) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the name and values of each stack that has rows; the first axis is the epoch."""
    for name in (*LOSSES, "oss_score", "oss_distances"):
        if epochs := rows.get(name):
            values = Rounded.from_arrays(name, arrays, rows_an_epoch(name) * len(epochs), samples).rows
            yield name, values.reshape(-1, DISTANCES, samples) if name == "oss_distances" else values
    for name in LABELS:
        if epochs := rows.get(name):
            yield name, unpack_labels(name, arrays, len(epochs), samples)
    if epochs := rows.get("clean_mask"):
        yield "clean_mask", unpack_masks("clean_mask", arrays, len(epochs), samples)
    if epochs := rows.get("landmark_features"):
        yield "landmark_features", checked(arrays, "landmark_features", np.float16, (len(epochs), None, None))


def _images(arrays: Arrays, bundled_arrays: Callable[[], Arrays], head: Mapping[str, Any]) -> np.ndarray:
    """Return the (N, C, H, W) uint8 images, checked against the recorded checksum."""
    if "source_idx" in arrays:
        source_idx, changed = (checked(arrays, name, np.uint32, (None,)) for name in ("source_idx", "changed_idx"))
        images = bundled_arrays()["train_images"][source_idx][:, None]
        images[changed] += checked(arrays, "changes", np.uint8, (len(changed), *images.shape[1:]))
    else:
        images = checked(arrays, "images", np.uint8, (None, None, None, None))
    if checksum(images) != head["images_crc"]:
        raise ValueError("its images differ from those that were recorded")
    return images
