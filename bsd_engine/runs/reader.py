"""Reader of a run folder at any moment: live, finished, interrupted or bundled."""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.files import bounded
from bsd_engine.runs import validation
from bsd_engine.runs.epoch_file import unpack_epoch
from bsd_engine.runs.layout import FORMAT_VERSION, WITH_DIGESTS, Status, checkpoint_paths, epoch_name, file_numbers
from bsd_engine.runs.lock import is_locked
from bsd_engine.runs.origin import provenance, run_files
from bsd_engine.runs.origin.digests import FILE as DIGESTS
from bsd_engine.runs.origin.digests import digest_of, digests_of

_IN_MEMORY_BELOW = 64_000_000  # bytes; smaller image files are read instead of mapped


@dataclass(frozen=True, kw_only=True)
class Truth:
    """Ground truth of the samples: which are poisoned, and their original labels; only metrics and views read it."""

    is_poison: np.ndarray
    """(N,) bool."""
    original_labels: np.ndarray
    """(N,) int64."""


class RunReader:
    """Reader of a run folder at any moment: live, finished, interrupted or bundled."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        info = self._read_config()
        self.config = BSDConfig.from_dict(info["config"])
        self.class_names: tuple[str, ...] = tuple(info["class_names"])
        self.num_samples: int = info["num_samples"]
        self.fingerprint: str = info["fingerprint"]
        self.created: str = info["created"]
        self.truth_known: bool = info["truth_known"]
        self.branched_from: dict[str, Any] | None = info.get("branched_from")
        self.adopted_from: str | None = info.get("adopted_from")
        self._states: dict[int, tuple[bounded.Stamp, EpochState]] = {}

    def _read_config(self) -> dict[str, Any]:
        """Return the content of config.json, after the checks that concern the whole folder."""
        run_files.refuse_linked_folders(self.path)
        with self._naming("config.json"):
            try:
                content = run_files.read(self.path, "config.json", bounded.MOST_JSON_BYTES, checked=False)
            except FileNotFoundError:
                raise RunFolderError(
                    f"{self.path} is not a run folder (no config.json); choose a folder that a run has written."
                ) from None
            info = bounded.parse_object(content)
            version = info.get("format_version")
            if isinstance(version, int) and version > FORMAT_VERSION:  # it may hold other kinds of values
                raise RunFolderError(
                    f"{self.path} has format {version}, this program reads up to {FORMAT_VERSION}; update the program."
                )
            validation.check_config(info)
            if (digests := digests_of(self.path)) is not None:
                digests.check("config.json", digest_of(content))
            elif info["format_version"] >= WITH_DIGESTS:
                raise ValueError(f"there is no {DIGESTS} to compare it with")
        return info

    @property
    def run_id(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def is_own(self) -> bool:
        """Whether this installation wrote the folder; a foreign run is read-only (see `provenance`)."""
        return provenance.is_own(self.path)

    @property
    def trusts_paths(self) -> bool:
        """Whether the paths in the settings are this user's own, so that files they lead to may be shown and copied.

        Neither a foreign run's are, nor those of a copy that was made of one.
        """
        return self.is_own and self.adopted_from is None

    @contextlib.contextmanager
    def _naming(self, name: str) -> Iterator[None]:
        """Turn an error in reading a file into a one-sentence `RunFolderError`."""
        try:
            yield
        except bounded.LinkError as error:
            raise RunFolderError(f"{self.path / name} cannot be read: {error}.") from None
        except (OSError, ValueError) as error:
            raise RunFolderError(f"{self.path / name} cannot be read: {error}. The folder is broken.") from None

    def _read_json(self, name: str, *, has_digest: bool = True) -> dict[str, Any] | None:
        with self._naming(name):
            try:
                text = run_files.read(self.path, name, bounded.MOST_JSON_BYTES, checked=has_digest)
            except FileNotFoundError:
                return None
            content = bounded.parse_object(text)
            validation.check_kinds(name, content)
        return content

    @property
    def labels(self) -> np.ndarray:
        """(N,) int64: the given, possibly poisoned labels."""
        return self._samples["labels"]

    @property
    def landmark_idx(self) -> np.ndarray:
        """(L,) int64: the samples that the maps show, the same for the whole run."""
        return self._samples["landmark_idx"]

    @property
    def _samples(self) -> dict[str, np.ndarray]:
        with self._naming("samples.npz"):
            arrays = _arrays_of(self.path, "samples.npz")
            validation.check_samples(arrays, self.num_samples, len(self.class_names))
        return arrays

    @property
    def truth(self) -> Truth | None:
        """The ground truth, or None if it is unknown."""
        if not self.truth_known:
            return None
        with self._naming("truth.npz"):
            arrays = _arrays_of(self.path, "truth.npz")
            validation.check_truth(arrays, self.num_samples, len(self.class_names))
        return Truth(**arrays)

    @property
    def files(self) -> tuple[str, ...] | None:
        """(N,) path of each sample's file, relative to the data folder; None if the data were not read from files."""
        content = self._read_json("files.json")
        if content is None:
            return None
        with self._naming("files.json"):
            return validation.checked_files(content, self.num_samples)

    @property
    def images(self) -> np.ndarray:
        """(N, C, H, W) uint8, not writable: the images as trained on; large sets are memory-mapped, and only
        `check_images` compares them with their digest."""
        with self._naming("images.npy"):
            images = _images_at(str(self.path), bounded.stamp_of(self.path / "images.npy", follow=False))
            validation.check_images(images, self.num_samples)
        return images

    def check_images(self) -> None:
        """Raise `RunFolderError` if the images differ from their digest; exports call this before they write."""
        with self._naming("images.npy"):
            run_files.check(self.path, "images.npy")

    def damaged_checkpoints(self) -> tuple[str, ...]:
        """Return one sentence for each checkpoint that differs from its digest; a resumed run takes an older one."""
        found = []
        for file in checkpoint_paths(self.path):
            try:
                run_files.check(self.path, f"checkpoints/{file.name}")
            except FileNotFoundError:
                continue  # a newer one has replaced it
            except (OSError, ValueError) as error:
                found.append(f"The checkpoint {file} is damaged: {error}.")
        return tuple(found)

    @property
    def summary(self) -> dict[str, Any] | None:
        """Content of summary.json, or None before it is written."""
        summary = self._read_json("summary.json")
        if summary is not None:
            with self._naming("summary.json"):
                validation.check_summary(summary)
        return summary

    @property
    def progress(self) -> dict[str, Any] | None:
        """The writer's last reported position; None before its first report."""
        return self._read_json("progress.json", has_digest=False)

    @property
    def status(self) -> Status:
        """State of the run; `interrupted` if a writer died and the run can be resumed."""
        if is_locked(self.path):
            state = (self.progress or {}).get("state", "running")
            return "paused" if state == "paused" else "running"
        summary = self.summary
        return summary["status"] if summary else "interrupted"

    @property
    def can_resume(self) -> bool:
        """Whether no process writes the folder, and there is a checkpoint to resume from or at most one epoch to train
        again."""
        return self.status in ("interrupted", "stopped", "failed") and (
            bool(checkpoint_paths(self.path)) or self.begins_again
        )

    @property
    def begins_again(self) -> bool:
        """Whether a resumed run starts over because there is no checkpoint; an epoch is recorded just before its
        checkpoint."""
        return not checkpoint_paths(self.path) and len(self.epochs) <= 1

    @property
    def epochs(self) -> list[int]:
        """Complete epochs recorded so far, from 0 without gaps."""
        numbers = file_numbers(self.path / "epochs", ".npz")[: self.config.schedule.total_epochs]
        return [i for i, number in enumerate(numbers) if i == number]

    @property
    def version(self) -> tuple[int, int, float]:
        """A value that changes when an epoch or a map is added or rewritten, whatever the clock says; for deciding
        whether to redraw."""
        epochs, maps = self.epochs, self.map_epochs
        stamps = [*_stamps(self.path / "epochs", epochs), *_stamps(self.path / "maps", maps)]
        return len(epochs), len(maps), float(zlib.crc32(repr(stamps).encode()))

    def epoch(self, epoch: int) -> EpochState:
        """Return one recorded epoch, which is kept in memory."""
        path = self.path / epoch_name(epoch)
        try:
            stamp = bounded.stamp_of(path, follow=False)
        except (OSError, bounded.LinkError):
            return self.read_epoch(epoch)
        if self._states.get(epoch, (None, None))[0] != stamp:
            self._states[epoch] = (stamp, self.read_epoch(epoch))
        return self._states[epoch][1]

    def read_epoch(self, epoch: int) -> EpochState:
        """Return one recorded epoch, read from the disk."""
        name = epoch_name(epoch)
        with self._naming(name):
            try:
                state = unpack_epoch(run_files.read(self.path, name, bounded.MOST_NPZ_BYTES))
            except FileNotFoundError:
                raise RunFolderError(f"{self.path} has no epoch {epoch}; it holds {len(self.epochs)}.") from None
            validation.check_epoch(
                state, epoch, self.num_samples, len(self.class_names), len(self.landmark_idx), self.config.schedule
            )
        return state

    @property
    def map_epochs(self) -> list[int]:
        """Epochs that have a UMAP map so far."""
        return file_numbers(self.path / "maps", ".npz")[: self.config.schedule.total_epochs]

    def map(self, epoch: int) -> np.ndarray:
        """(L, 2) float32: the UMAP map of one of `map_epochs`."""
        name = f"maps/{epoch:05d}.npz"
        with self._naming(name):
            content = run_files.read(self.path, name, bounded.MOST_NPZ_BYTES, checked=False)
            xy = validation.checked_map(bounded.unpack_arrays(content).get("xy"), len(self.landmark_idx))
        return xy


def _stamps(folder: Path, numbers: list[int]) -> Iterator[tuple[int, bounded.Stamp]]:
    """Yield the numbers and stamps of epochs or maps; a file that is deleted meanwhile is left out."""
    for number in numbers:
        with contextlib.suppress(OSError):
            yield number, bounded.stamp_of(f"{folder}/{number:05d}.npz")


@lru_cache(maxsize=32)
def _arrays_at(run: str, name: str, stamp: bounded.Stamp) -> dict[str, np.ndarray]:
    return bounded.unpack_arrays(run_files.read(Path(run), name, bounded.MOST_NPZ_BYTES))


def _arrays_of(run: Path, name: str) -> dict[str, np.ndarray]:
    return _arrays_at(str(run), name, bounded.stamp_of(run / name, follow=False))


@lru_cache(maxsize=2)
def _images_at(run: str, stamp: bounded.Stamp) -> np.ndarray:
    if stamp[1] > _IN_MEMORY_BELOW:
        return bounded.map_array(Path(run) / "images.npy", follow=False)
    return bounded.unpack_array(run_files.read(Path(run), "images.npy", _IN_MEMORY_BELOW))
