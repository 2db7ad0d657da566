"""Loading of the networks that a run has stored: both models at each checkpoint, and the undefended network.

    stored_epochs(path)       the epochs that have a checkpoint
    load_models(path, epoch)  f and g after one of these epochs
    load_undefended(path)     the undefended network, or None if it was not stored

Entries read from `checkpoints/00007.pt`: "version", "epoch", and in "models" the state dicts "averaged" (f as it is
scored and tested: the exponential average, or the last weights of a run without averaging) and "altruistic" (g).
Entries read from `undefended.pt`: the same, with one state dict, "undefended", and "fingerprint", that of its training
data. Weights may have any floating type; other entries, such as optimisers, may be missing.

`python -m bsd_engine undefended --config RUN --out RUN-undefended` writes `undefended.pt`. It is found in the run
folder itself, or in a folder beside it whose summary.json has the run's fingerprint.
"""

from __future__ import annotations

import shlex
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bsd_engine.compute import runtime
from bsd_engine.compute.augment import Normalizer
from bsd_engine.errors import RunFolderError
from bsd_engine.files import bounded
from bsd_engine.files.bounded import Stamp
from bsd_engine.runs import checkpoints
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import load_checkpoint
from bsd_engine.runs.stored_networks import network_of, refuse_large
from bsd_engine.training.checkpoint import CHECKPOINT_VERSION
from bsd_engine.training.undefended import WEIGHTS_FILE

MOST_BYTES = 600_000_000
"""Bytes of weights kept: both models of six checkpoints of the paper's ResNet-18, or of 1,000 of the demo's."""

_MOST_NEIGHBOURS = 1000  # folders beside a run in which its undefended network is looked for

_SMALL = 1_000_000
"""Number of weights below which a network is faster on one thread for a few images, above all while other threads
compute."""


@dataclass(frozen=True, kw_only=True)
class StoredModels:
    """The models after an epoch, in evaluation mode, on the CPU."""

    epoch: int
    """Global, 0-based: the last epoch that they were trained in."""
    main: nn.Module
    """f, with its averaged weights if the run has them, as it is scored and tested."""
    altruistic: nn.Module
    """g."""
    normalize: Normalizer

    @classmethod
    def of(cls, run: RunReader, epoch: int | None = None) -> StoredModels:
        """Return the models of the checkpoint after an epoch, or of the newest one; raises `RunFolderError` if there is
        none."""
        for file in checkpoint_paths(run.path):
            refuse_large(run, file)
        return cls._built(run, load_checkpoint(run.path, epoch))

    @classmethod
    def _built(cls, run: RunReader, checkpoint: dict[str, Any]) -> StoredModels:
        networks = {"averaged": run.config.model, "altruistic": run.config.altruistic_network}
        built = {name: network_of(run, checkpoint, name, settings) for name, settings in networks.items()}
        return cls(
            epoch=checkpoint["epoch"],
            main=built["averaged"],
            altruistic=built["altruistic"],
            normalize=_normalizer_of(run),
        )


@dataclass(frozen=True, kw_only=True)
class StoredUndefended:
    """The undefended network, in evaluation mode, on the CPU."""

    network: nn.Module
    normalize: Normalizer


def stored_epochs(path: Path) -> tuple[int, ...]:
    """Return the epochs (global, 0-based, ascending) that have a checkpoint that is not empty."""
    return tuple(int(file.stem) for file in checkpoint_paths(path) if file.stat().st_size)


def load_models(path: Path, epoch: int) -> StoredModels:
    """Return the models after one of `stored_epochs`, cached until the file changes; several threads may use them.

    Raises
    ------
    RunFolderError
        If there is no such checkpoint, or it is cut, of a newer version, or of networks that do not fit the settings.
    """
    path = Path(path)
    file = path / f"checkpoints/{epoch:05d}.pt"

    def make() -> StoredModels:
        run = RunReader(path)
        refuse_large(run, file)
        return StoredModels._built(run, _read(file, f"The checkpoint after epoch {epoch + 1} of {path.name}"))

    return _cache.get((str(file), *_stamps(path, file)), make, lambda made: _nbytes(made.main, made.altruistic))


def undefended_file(path: Path) -> Path | None:
    """Return the file of a run's undefended network; None if there is none in the run folder or beside it.

    Links are not followed, and no more than 1,000 folders beside the run are looked into.
    """
    path = Path(path)
    if _is_file(path / WEIGHTS_FILE):
        return path / WEIGHTS_FILE
    fingerprint = RunReader(path).fingerprint
    beside = sorted(
        (file for file in path.parent.glob(f"*/{WEIGHTS_FILE}") if _is_file(file) and not file.parent.is_symlink()),
        key=lambda file: (not file.parent.name.startswith(path.name), file),
    )
    return next((file for file in beside[:_MOST_NEIGHBOURS] if _fingerprint_of(file.parent) == fingerprint), None)


def _is_file(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def load_undefended(path: Path) -> StoredUndefended | None:
    """Return the undefended network of a run, cached until the file changes; None if it was not stored.

    Raises `RunFolderError` if the file is cut, of a newer version, of other data or of another network than the run's.
    """
    path, file = Path(path), undefended_file(path)
    if file is None:
        return None

    def make() -> StoredUndefended:
        run = RunReader(path)
        refuse_large(run, file)
        content = _read(file, f"The undefended network in {file}")
        if content.get("fingerprint", run.fingerprint) != run.fingerprint:
            raise RunFolderError(
                f"The undefended network in {file} was trained on other data than {path.name} (fingerprints differ); "
                "move it away, and train one for this run."
            )
        return StoredUndefended(
            network=network_of(run, content, "undefended", run.config.model), normalize=_normalizer_of(run)
        )

    return _cache.get((str(file), str(path), *_stamps(path, file)), make, lambda made: _nbytes(made.network))


def undefended_command(path: Path) -> str:
    """Return the command that trains the undefended network of a run and stores it where `load_undefended` finds it."""
    path = Path(path)
    folder, out = shlex.quote(str(path)), shlex.quote(f"{path}-undefended")
    return f"python -m bsd_engine undefended --config {folder} --out {out}"


@torch.inference_mode()
def probabilities(network: nn.Module, images: Tensor, normalize: Normalizer) -> np.ndarray:
    """Return (B, C) float32 class probabilities of (B, K, H, W) uint8 images, computed in float32; raises
    `RunFolderError` if they are not finite."""
    small = sum(weights.numel() for weights in network.parameters()) < _SMALL
    with runtime.intra_op_threads(1 if small else runtime.available_threads()):
        result = network(normalize(images.contiguous(memory_format=torch.channels_last))).softmax(1)
    if not result.isfinite().all():
        raise RunFolderError(
            "The network's outputs are not finite numbers: its training diverged. Choose another epoch."
        )
    return result.numpy()


def _read(file: Path, what: str) -> dict[str, Any]:
    """Return a checkpoint of a version that this program knows; `what` begins the error messages."""
    if not file.exists():
        raise RunFolderError(f"{what} is missing; choose another epoch.")
    try:
        content = checkpoints.read(file)
    except (OSError, ValueError) as error:
        raise RunFolderError(f"{what} cannot be read: {error}. It is cut or damaged; choose another one.") from None
    version = content.get("version")
    if not isinstance(version, int) or version > CHECKPOINT_VERSION:
        raise RunFolderError(
            f"{what} has version {str(version)[:20]}, this program reads up to {CHECKPOINT_VERSION}; "
            "update the program."
        )
    return content


def _normalizer_of(run: RunReader) -> Normalizer:
    return _normalizer(str(run.path), bounded.stamp_of(run.path / "images.npy"))


@lru_cache(maxsize=16)
def _normalizer(path: str, stamp: Stamp) -> Normalizer:
    """Return the normalizer, fitted as the trainer does from the images as trained on."""
    return Normalizer.fit(channels_last(RunReader(path).images))


def channels_last(images: np.ndarray) -> Tensor:
    """Return (n, C, H, W) images of a run folder as an (n, H, W, C) uint8 tensor, copied into memory."""
    return torch.from_numpy(np.array(images.transpose(0, 2, 3, 1), order="C"))


def _fingerprint_of(folder: Path) -> str | None:
    """Return the data fingerprint in the summary of undefended training; None if it has none."""
    try:
        return bounded.read_object(folder / "summary.json").get("fingerprint")
    except (OSError, ValueError):
        return None


def _stamps(path: Path, *files: Path) -> tuple[Stamp | None, ...]:
    """Return the stamps of all files that a stored network depends on; None for a missing file."""
    return tuple(_stamp_or_none(file) for file in (path / "config.json", path / "images.npy", *files))


def _stamp_or_none(file: Path) -> Stamp | None:
    try:
        return bounded.stamp_of(file)
    except OSError:
        return None


def _nbytes(*networks: nn.Module) -> int:
    return sum(tensor.nbytes for network in networks for tensor in network.state_dict().values())


class _ModelCache:
    """Cache of the most recently used networks, up to a number of bytes; safe to use from any thread."""

    def __init__(self) -> None:
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """Return the value of a key, made if it is missing."""
        with self._lock:
            if key in self._items:
                self._items.move_to_end(key)
                return self._items[key][0]
        made = make()
        with self._lock:
            self._items[key] = made, size(made)
            while len(self._items) > 1 and sum(n for _, n in self._items.values()) > MOST_BYTES:
                self._items.popitem(last=False)
        return made


_cache = _ModelCache()


def has_models(run: RunReader) -> bool:
    """Return whether the run folder has a checkpoint that is not empty."""
    return any(path.stat().st_size for path in checkpoint_paths(run.path))
