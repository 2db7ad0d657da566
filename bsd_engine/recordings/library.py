"""The runs that come with the program: finished runs in one file each, unpacked into a cache folder when they are first opened.

    names()                 the bundled ones, in the order in which they are offered
    describe(NAME)          title, sentence and command
    open_recording(NAME)    a run folder that `RunReader` reads; its name is recording-NAME

The cache folder is `recordings` below `$BSD_DATA` or `~/.cache/bsd` and may be deleted at any time. A recording lies in it under a
name that changes with the file's content, so that a new version never meets what was left of an old one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import secrets
import shutil
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.data import bundled
from bsd_engine.errors import RunFolderError
from bsd_engine.files import bounded
from bsd_engine.files.atomic import storage_errors
from bsd_engine.files.bounded import Stamp
from bsd_engine.recordings.arrays import Rounded, checked, unpack_labels, unpack_masks
from bsd_engine.recordings.card import RecordingCard, sentence_of
from bsd_engine.recordings.file import MOST_FILE_BYTES, naming, read_head, read_members
from bsd_engine.recordings.pack import LABELS, LOSSES, pack
from bsd_engine.runs.epoch_file import pack_epoch, unpack_epoch
from bsd_engine.runs.layout import FORMAT_VERSION as RUN_FORMAT

__all__ = [
    "NAMES",
    "PREFIX",
    "Recording",
    "RecordingCard",
    "describe",
    "folder_of",
    "names",
    "open_file",
    "open_recording",
    "pack",
]

FOLDER = Path(__file__).parents[2] / "assets/recordings"
SUFFIX = ".bsdrec"
PREFIX = "recording-"
"""Of the name of an unpacked folder, which is the run's id."""
NAMES = ("healthy", "collapse-poison", "collapse-classes", "wrong-target", "no-attack", "clean-label")
_CONTENTS = "recording-files.json"
_opening = threading.Lock()


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What a recording says of itself."""

    name: str
    title: str
    sentence: str
    """What to see, with the run's own numbers."""
    command: str
    """Remakes the run."""
    size_bytes: int
    """Of the file."""


def names() -> tuple[str, ...]:
    """The bundled recordings, in the order in which they are offered."""
    return tuple(name for name in NAMES if (FOLDER / f"{name}{SUFFIX}").is_file())


def file_of(name: str) -> Path:
    """The file of a bundled recording; raises `RunFolderError` for a name that there is not."""
    if name not in names():
        raise RunFolderError(f"There is no recording called {name[:60]!r}; there are {', '.join(names()) or 'none'}.")
    return FOLDER / f"{name}{SUFFIX}"


def describe(name: str) -> Recording:
    """Title, sentence and command of a bundled recording; raises `RunFolderError` with one sentence."""
    path = file_of(name)
    return _described(path, bounded.stamp_of(path))


@lru_cache(maxsize=32)
def _described(path: Path, stamp: Stamp) -> Recording:
    head = read_head(path)
    with naming(path):
        card = RecordingCard(**head["card"])
        if any(not isinstance(value, str) for value in vars(card).values()):
            raise ValueError("its card is no text")
        sentence = sentence_of(card.template, head["numbers"])
        return Recording(name=card.name, title=card.title, sentence=sentence, command=card.command, size_bytes=stamp[1])


def open_recording(name: str) -> Path:
    """The run folder of a bundled recording, unpacked where it was not; raises `BSDError` with one sentence."""
    return open_file(file_of(name), name)


def folder_of(path: Path, name: str) -> Path:
    """Where a file's run folder lies once it is unpacked."""
    cache = Path(os.environ.get("BSD_DATA") or "~/.cache/bsd").expanduser() / "recordings"
    return cache / f"{name}-{_digest(path, bounded.stamp_of(path))}" / f"{PREFIX}{name}"


def open_file(path: Path, name: str) -> Path:
    """The run folder of any recording's file; several threads and processes may open the same one at once."""
    with naming(path):
        folder = folder_of(path, name)
    with _opening:
        if not _is_whole(folder):
            _unpack(path, folder)
    return folder


@lru_cache(maxsize=32)
def _digest(path: Path, stamp: Stamp) -> str:
    return hashlib.blake2b(bounded.read_bytes(path, MOST_FILE_BYTES), digest_size=8).hexdigest()


# -- into the cache --------------------------------------------------------------------------------


def _is_whole(folder: Path) -> bool:
    """Whether all files that were unpacked are there in their sizes: somebody may have emptied a part of the cache."""
    try:
        sizes = bounded.read_object(folder / _CONTENTS)["files"]
        return all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, KeyError, AttributeError, TypeError):
        return False


def _unpack(path: Path, folder: Path) -> None:
    """Write the run folder beside its place and give it its name: others see it whole or not at all."""
    files = unpacked(path)
    sizes = {name: len(content) for name, content in files.items()}
    files[_CONTENTS] = _json({"files": sizes})
    advice = "Free some space or set BSD_DATA to another folder, then open the recording again."
    with storage_errors(folder, advice):
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = folder.parent / f".{secrets.token_hex(4)}.tmp"
        try:
            for name in ("epochs", "maps", "checkpoints"):
                (temporary / name).mkdir(parents=True)
            for name, content in files.items():
                (temporary / name).write_bytes(content)
            _move(temporary, folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _move(temporary: Path, folder: Path) -> None:
    """Give the new folder its name; into one that lost files, or that another process has just made, its files are moved."""
    try:
        os.rename(temporary, folder)
    except OSError:
        if not folder.is_dir():
            raise
        for part in sorted(temporary.rglob("*"), key=lambda p: p.name == _CONTENTS):
            if part.is_file():
                place = folder / part.relative_to(temporary)
                place.parent.mkdir(exist_ok=True)
                os.replace(part, place)


def _json(content: dict[str, Any]) -> bytes:
    return (json.dumps(content) + "\n").encode()


# -- out of the file -------------------------------------------------------------------------------


def unpacked(path: Path) -> dict[str, bytes]:
    """The files of the run folder by name; raises `RunFolderError` with one sentence.

    Most of the time goes into the bundled images (0.4 s), which are unpacked beside the rest.
    """
    with naming(path), ThreadPoolExecutor(1) as lane:
        base = lane.submit(bundled.arrays)
        head, members = read_members(path)
        arrays = bounded.unpack_arrays(members.pop("arrays.npz"))
        rows, samples = _rows_of(head), bounded.parse_object(members["config.json"])["num_samples"]
        epochs = sorted(name for name in members if name.startswith("epochs/"))
        columns = _columns(rows, arrays, samples)
        for name in epochs:
            state = unpack_epoch(members[name])
            new = {key: values[state.epoch] for key, values in columns.items() if state.epoch in values}
            members[name] = pack_epoch(replace(state, **new))
        for epoch, xy in zip(rows.get("maps", []), arrays.get("maps", ())):
            members[f"maps/{epoch:05d}.npz"] = _npz(xy=xy.astype(np.float32))
        members["config.json"] = _json({**bounded.parse_object(members["config.json"]), "format_version": RUN_FORMAT})
        members["images.npy"] = _npy(_images(arrays, base.result if "source_idx" in arrays else None, head))
        return members


def _rows_of(head: dict[str, Any]) -> dict[str, list[int]]:
    rows = head["rows"]
    if not isinstance(rows, dict) or any(
        type(e) is not int or not -1 <= e < 100_000 for epochs in rows.values() for e in epochs
    ):
        raise ValueError("it does not say which epochs its arrays are of")
    return rows


def _columns(
    rows: dict[str, list[int]], arrays: dict[str, np.ndarray], samples: int
) -> dict[str, dict[int, np.ndarray]]:
    """The stacked arrays by epoch."""
    columns: dict[str, dict[int, np.ndarray]] = {}
    for name in (*LOSSES, "oss_score", "oss_distances"):
        epochs = rows.get(name, [])
        if epochs:
            step = 3 if name == "oss_distances" else 1
            values = Rounded.from_arrays(name, arrays, step * len(epochs), samples).rows
            columns[name] = dict(zip(epochs, values.reshape(-1, 3, samples) if step == 3 else values))
    for epoch, kind in zip(rows.get("oss_distances", []), rows.get("oss_kind", [])):
        if kind >= 0:
            columns.setdefault("oss_score", {})[epoch] = columns["oss_distances"][epoch][kind]
    for name in LABELS:
        if epochs := rows.get(name, []):
            columns[name] = dict(zip(epochs, unpack_labels(name, arrays, len(epochs), samples)))
    if epochs := rows.get("clean_mask", []):
        columns["clean_mask"] = dict(zip(epochs, unpack_masks("clean_mask", arrays, len(epochs), samples)))
    if epochs := rows.get("landmark_features", []):
        columns["landmark_features"] = dict(
            zip(epochs, checked(arrays, "landmark_features", np.float16, (len(epochs), None, None)))
        )
    return columns


def _images(arrays: dict[str, np.ndarray], base: Any, head: dict[str, Any]) -> np.ndarray:
    """(N, C, H, W) uint8, compared with what was recorded."""
    if base is None:
        images = checked(arrays, "images", np.uint8, (None, None, None, None))
    else:
        idx, changed = (checked(arrays, name, np.uint32, (None,)) for name in ("source_idx", "changed_idx"))
        images = base()["train_images"][idx][:, None]
        images[changed] += checked(arrays, "changes", np.uint8, (len(changed), *images.shape[1:]))
    if zlib.crc32(np.ascontiguousarray(images)) != head["images_crc"]:
        raise ValueError("its images are not those that were recorded")
    return images


def _npz(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
