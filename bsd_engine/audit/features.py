"""Positions of samples in the feature spaces of both models, and their nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from bsd_engine.compute import runtime
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
    """Features under the newest checkpoint, computed once and kept in audit/features-EPOCH.npz; None where they are not
    kept and `compute` is false, or there is no checkpoint.

    A pass of both models over all images: 5 s for the 6,000 of the demo (two cores).
    """
    paths = [path for path in checkpoint_paths(run.path) if path.stat().st_size]
    if not paths:
        return None
    file = run.path / "audit" / f"features-{int(paths[-1].stem):05d}.npz"
    kept = _read(file, run.num_samples)
    if kept is not None or not compute:
        return kept
    both = StoredModels.of(run)
    images, labels = channels_last(run.images), torch.from_numpy(run.labels.copy())
    place = runtime.choose("cpu", "float32")
    arrays = {
        name: score(getattr(both, name), images, labels, both.normalize, place).features.numpy()
        for name in ("main", "altruistic")
    }
    halves = {name: _unit(x).astype(np.float16) for name, x in arrays.items()}
    content = pack_arrays(epoch=np.array(both.epoch, np.int64), **halves)
    with storage_errors(file, "The record of the run is unchanged."):
        file.parent.mkdir(exist_ok=True)
    write_atomic(file, content)
    return _read(file, run.num_samples)


def _read(file: Path, n: int) -> Features | None:
    try:
        with np.load(file, allow_pickle=False) as arrays:
            found = Features(
                epoch=int(arrays["epoch"]), **{name: arrays[name].astype(np.float32) for name in ("main", "altruistic")}
            )
    except (OSError, ValueError, KeyError, EOFError):
        return None
    return found if len(found.main) == len(found.altruistic) == n else None


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
