"""Positions of samples in the feature spaces of both models, and their nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from bsd_engine.compute import runtime
from bsd_engine.files import bounded
from bsd_engine.files.arrays import pack_arrays
from bsd_engine.files.atomic import storage_errors, write_atomic
from bsd_engine.method.scoring import score
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.stored_models import StoredModels, channels_last


@dataclass(frozen=True, kw_only=True)
class Features:
    """Position of each sample in the feature spaces of both models."""

    epoch: int
    main: np.ndarray
    """(N, D) float32, of unit length."""
    altruistic: np.ndarray
    """(N, D) float32, of unit length."""


def features(run: RunReader, *, compute: bool = True) -> Features | None:
    """Features under the newest checkpoint, computed once; None where they are not kept and `compute` is false, or
    there is no checkpoint.

    They are kept in audit/features-EPOCH.npz. Those of a foreign run are kept in memory: nothing is written into its
    folder, and what it holds there is not believed. A pass of both models over all images takes 5 s for the 6,000 of
    the demo (two cores).

    Raises `RunFolderError` if the images are damaged or no checkpoint can be read.
    """
    paths = [path for path in checkpoint_paths(run.path) if path.stat().st_size]
    if not paths:
        return None
    if not run.is_own:
        return _features_of_foreign(run, paths[-1], compute=compute)
    file = run.path / "audit" / f"features-{int(paths[-1].stem):05d}.npz"
    kept = _read(file, run.num_samples)
    if kept is not None or not compute:
        return kept
    made = _computed(run)
    content = pack_arrays(epoch=np.array(made.epoch, np.int64), main=made.main, altruistic=made.altruistic)
    with storage_errors(file, "The record of the run is unchanged."):
        file.parent.mkdir(exist_ok=True)
    write_atomic(file, content)
    return _in_single_precision(made)


_of_foreign: dict[tuple[str, bounded.Stamp], Features] = {}
"""Those of the foreign run that was looked at last, by folder and checkpoint."""


def _features_of_foreign(run: RunReader, checkpoint: Path, *, compute: bool) -> Features | None:
    key = str(run.path), bounded.stamp_of(checkpoint)
    kept = _of_foreign.get(key)
    if kept is None and compute:
        kept = _in_single_precision(_computed(run))
        _of_foreign.clear()
        _of_foreign[key] = kept
    return kept


def _computed(run: RunReader) -> Features:
    """Features in half precision, by a pass of both models over all images."""
    run.check_images()
    both = StoredModels.of(run)
    images, labels = channels_last(run.images), torch.from_numpy(run.labels.copy())
    place = runtime.choose("cpu", "float32")
    arrays = {
        name: score(getattr(both, name), images, labels, both.normalize, place).features.numpy()
        for name in ("main", "altruistic")
    }
    return Features(epoch=both.epoch, **{name: _unit(x).astype(np.float16) for name, x in arrays.items()})


def _in_single_precision(halves: Features) -> Features:
    return replace(halves, main=halves.main.astype(np.float32), altruistic=halves.altruistic.astype(np.float32))


def _read(file: Path, n: int) -> Features | None:
    """Features from a file; None if it is missing or anything but what was written."""
    try:
        arrays = bounded.read_arrays(file, follow=False)
        epoch, spaces = int(arrays["epoch"]), [arrays[name] for name in ("main", "altruistic")]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    if any(x.dtype != np.float16 or x.ndim != 2 or len(x) != n or not np.isfinite(x).all() for x in spaces):
        return None
    return _in_single_precision(Features(epoch=epoch, main=spaces[0], altruistic=spaces[1]))


def _unit(x: np.ndarray) -> np.ndarray:
    return x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)


def neighbours(space: np.ndarray, sample: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    """The nearest other samples by cosine distance, nearest first: (count,) int64 and their distances, from 0 to 2.

    Parameters
    ----------
    space : (N, D) float32 of unit length, one of `Features`
    """
    distance = 1 - space @ space[sample]
    distance[sample] = np.inf
    count = min(count, len(space) - 1)
    nearest = np.argpartition(distance, count - 1)[:count] if count else np.zeros(0, np.int64)
    order = nearest[np.argsort(distance[nearest], kind="stable")]
    return order, distance[order].clip(0)
