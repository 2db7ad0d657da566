"""The networks that a run has stored, ready to answer: both models at each checkpoint, and the undefended one beside
them.

    stored_epochs(path)       the epochs that have a checkpoint
    load_models(path, epoch)  f and g after one of them
    load_undefended(path)     the plainly trained network, or None where there is none

Read of `checkpoints/00007.pt`: "version", "epoch", and in "models" the state dicts "averaged" (f as it is scored and
tested: the exponential average, or the last weights of a run without one) and "altruistic" (g). Read of
`undefended.pt`: the same, with one state dict, "undefended", and "fingerprint", that of the data trained on. Weights
may be of any floating type; other parts, such as optimisers, may be missing.

`undefended.pt` comes from `python -m bsd_engine undefended --config RUN --out RUN-undefended`. It is found in the run
folder itself or in a folder beside it whose summary.json has the run's fingerprint.
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

from bsd_engine.compute import models, runtime
from bsd_engine.compute.augment import Normalizer
from bsd_engine.config.data_settings import ModelConfig
from bsd_engine.errors import RunFolderError
from bsd_engine.files import bounded
from bsd_engine.files.bounded import Stamp
from bsd_engine.runs import checkpoints
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import load_checkpoint
from bsd_engine.training.checkpoint import CHECKPOINT_VERSION
from bsd_engine.training.undefended import WEIGHTS_FILE

MOST_BYTES = 600_000_000
"""Of weights that are kept: both models of six checkpoints of the paper's ResNet-18, or 1,000 of the demo's."""

_SMALL = 1_000_000
"""Weights of a network that is faster on one thread for a few images, most of all when other threads compute."""


@dataclass(frozen=True, kw_only=True)
class StoredModels:
    """The models after an epoch, in evaluation mode, on the CPU."""

    epoch: int
    """Global, 0-based: the epoch whose training they have behind them."""
    main: nn.Module
    """f, with its averaged weights where the run has them: those that are scored and tested."""
    altruistic: nn.Module
    """g."""
    normalize: Normalizer

    @classmethod
    def of(cls, run: RunReader, epoch: int | None = None) -> StoredModels:
        """The models of the newest checkpoint, or of that after an epoch; raises `RunFolderError` where there is
        none."""
        return cls._built(run, load_checkpoint(run.path, epoch))

    @classmethod
    def _built(cls, run: RunReader, checkpoint: dict[str, Any]) -> StoredModels:
        networks = {"averaged": run.config.model, "altruistic": run.config.altruistic_network}
        built = {name: _network(run, checkpoint, name, settings) for name, settings in networks.items()}
        return cls(
            epoch=checkpoint["epoch"],
            main=built["averaged"],
            altruistic=built["altruistic"],
            normalize=_normalizer_of(run),
        )


@dataclass(frozen=True, kw_only=True)
class StoredUndefended:
    """The plainly trained network, in evaluation mode, on the CPU."""

    network: nn.Module
    normalize: Normalizer


def stored_epochs(path: Path) -> tuple[int, ...]:
    """Global, 0-based epochs after which the run folder has a checkpoint that holds something, ascending."""
    return tuple(int(file.stem) for file in checkpoint_paths(path) if file.stat().st_size)


def load_models(path: Path, epoch: int) -> StoredModels:
    """The models after one of `stored_epochs`, kept while the file stays as it is; several threads may use them.

    Raises
    ------
    RunFolderError
        If there is no such checkpoint, or it is cut, of a newer version, or of other networks than the settings say.
    """
    path = Path(path)
    file = path / f"checkpoints/{epoch:05d}.pt"

    def make() -> StoredModels:
        return StoredModels._built(
            RunReader(path), _read(file, f"The checkpoint after epoch {epoch + 1} of {path.name}")
        )

    return _cache.get((str(file), *_stamps(path, file)), make, lambda made: _nbytes(made.main, made.altruistic))


def undefended_file(path: Path) -> Path | None:
    """The file with the undefended network of a run; None where there is none in the run folder or beside it."""
    path = Path(path)
    if (path / WEIGHTS_FILE).is_file():
        return path / WEIGHTS_FILE
    fingerprint = RunReader(path).fingerprint
    beside = sorted(path.parent.glob(f"*/{WEIGHTS_FILE}"), key=lambda p: not p.parent.name.startswith(path.name))
    return next((file for file in beside if _fingerprint_of(file.parent) == fingerprint), None)


def load_undefended(path: Path) -> StoredUndefended | None:
    """The undefended network of a run, or None where it was not stored; kept while the file stays as it is.

    Raises `RunFolderError` if the file is cut, of a newer version, of other data or of another network than the run's.
    """
    path, file = Path(path), undefended_file(path)
    if file is None:
        return None

    def make() -> StoredUndefended:
        run, content = RunReader(path), _read(file, f"The undefended network in {file}")
        if content.get("fingerprint", run.fingerprint) != run.fingerprint:
            raise RunFolderError(
                f"The undefended network in {file} was trained on other data than {path.name} (fingerprints differ); "
                "move it away, and train one for this run."
            )
        return StoredUndefended(
            network=_network(run, content, "undefended", run.config.model), normalize=_normalizer_of(run)
        )

    return _cache.get((str(file), str(path), *_stamps(path, file)), make, lambda made: _nbytes(made.network))


def undefended_command(path: Path) -> str:
    """The command that trains and stores the undefended network of a run where `load_undefended` finds it."""
    path = Path(path)
    folder, out = shlex.quote(str(path)), shlex.quote(f"{path}-undefended")
    return f"python -m bsd_engine undefended --config {folder} --out {out}"


@torch.inference_mode()
def probabilities(network: nn.Module, images: Tensor, normalize: Normalizer) -> np.ndarray:
    """(B, C) float32 class probabilities of (B, K, H, W) uint8 images, computed in float32; raises `RunFolderError`
    if they are no numbers."""
    small = sum(weights.numel() for weights in network.parameters()) < _SMALL
    with runtime.intra_op_threads(1 if small else runtime.available_threads()):
        result = network(normalize(images.contiguous(memory_format=torch.channels_last))).softmax(1)
    if not result.isfinite().all():
        raise RunFolderError(
            "The network's outputs are no finite numbers: its training diverged. Choose another epoch."
        )
    return result.numpy()


def _read(file: Path, what: str) -> dict[str, Any]:
    """A checkpoint that this program knows; `what` begins the sentences of its errors."""
    if not file.exists():
        raise RunFolderError(f"{what} is not there; choose another epoch.")
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


def _network(run: RunReader, checkpoint: dict[str, Any], name: str, settings: ModelConfig) -> nn.Module:
    images = run.images
    network = models.seeded(settings, (1, *images.shape[2:], images.shape[1]), len(run.class_names), 0)
    try:
        network.load_state_dict(checkpoint["models"][name])
    except (KeyError, RuntimeError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise RunFolderError(
            f"The checkpoint of {run.path} does not fit its settings ({reason}); the folder is broken."
        ) from None
    return network.eval().requires_grad_(False)


def _normalizer_of(run: RunReader) -> Normalizer:
    return _normalizer(str(run.path), bounded.stamp_of(run.path / "images.npy"))


@lru_cache(maxsize=16)
def _normalizer(path: str, stamp: Stamp) -> Normalizer:
    """As the trainer fits it, from the images as trained on."""
    return Normalizer.fit(channels_last(RunReader(path).images))


def channels_last(images: np.ndarray) -> Tensor:
    """(n, H, W, C) uint8 tensor of (n, C, H, W) images of a run folder, copied into memory."""
    return torch.from_numpy(np.array(images.transpose(0, 2, 3, 1), order="C"))


def _fingerprint_of(folder: Path) -> str | None:
    """What the summary of a plain training says it was trained on; None where it says nothing."""
    try:
        return bounded.read_object(folder / "summary.json").get("fingerprint")
    except (OSError, ValueError):
        return None


def _stamps(path: Path, *files: Path) -> tuple[Stamp | None, ...]:
    """Stamps of all that a stored network depends on; None for what is not there."""
    return tuple(_stamp_or_none(file) for file in (path / "config.json", path / "images.npy", *files))


def _stamp_or_none(file: Path) -> Stamp | None:
    try:
        return bounded.stamp_of(file)
    except OSError:
        return None


def _nbytes(*networks: nn.Module) -> int:
    return sum(tensor.nbytes for network in networks for tensor in network.state_dict().values())


class _ModelCache:
    """Loaded networks, the last used ones up to a number of bytes; safe to use from any thread."""

    def __init__(self) -> None:
        self._items: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Any], size: Callable[[Any], int]) -> Any:
        """What has the key, made where it is not there."""
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
    """Whether the run folder has a checkpoint that holds something."""
    return any(path.stat().st_size for path in checkpoint_paths(run.path))
