"""The one writer of a run folder."""

from __future__ import annotations

import contextlib
import errno
import glob
import json
import os
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.files.arrays import pack_arrays
from bsd_engine.files.atomic import npy_parts, refuse_used, storage_errors, temporary_beside, write_atomic
from bsd_engine.runs.commands import read_commands
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.runs.layout import FORMAT_VERSION, Command, checkpoint_paths
from bsd_engine.runs.lock import is_locked, take_lock
from bsd_engine.runs.origin.digests import DigestLog
from bsd_engine.runs.origin.provenance import refuse_foreign, write_signature
from bsd_engine.runs.origin.run_files import FOLDERS, refuse_linked_folders

Fill = Callable[["RunWriter"], None]


class RunWriter:
    """The one writer of a run folder. Use it as a context manager, which releases the lock at the end."""

    def __init__(self, path: Path, *, built_in: Path | None = None) -> None:
        """Take the lock of a run folder that this installation wrote, and remove what a killed writer left half done.

        While a folder is being made, its files are in the folder `built_in`.
        """
        self.path = Path(path)
        self._commands_read = 0
        self._last_progress = 0.0
        self._files = DigestLog(built_in or self.path)
        refuse_foreign(self.folder, "written to")
        refuse_linked_folders(self.folder)
        self._lock = take_lock(self.folder)
        _remove_half_written(self.folder)

    @property
    def folder(self) -> Path:
        """Where the files are: in a hidden folder until the run folder is complete, then in `path`."""
        return self._files.run

    @classmethod
    def create(
        cls,
        path: Path,
        config: BSDConfig,
        *,
        fingerprint: str,
        class_names: tuple[str, ...],
        images: np.ndarray,
        labels: np.ndarray,
        landmark_idx: np.ndarray,
        is_poison: np.ndarray | None,
        original_labels: np.ndarray | None,
        files: tuple[str, ...] | None = None,
        origin: Mapping[str, Any] | None = None,
        fill: Fill | None = None,
    ) -> RunWriter:
        """Create a run folder with everything that stays the same for the whole run; returns its writer.

        The folder is made under a hidden name and then renamed, so whatever happens there is a complete run or none.

        Parameters
        ----------
        origin : where a branch or a copy comes from: "branched_from", {"run": id, "epoch": last epoch copied}, or
            "adopted_from", a run's id, and that run's "created"
        fill : adds what the folder must hold before it appears, such as the epochs of a branch
        """
        path = Path(path)
        info = {
            "format_version": FORMAT_VERSION,
            "created": datetime.now().astimezone().isoformat(timespec="seconds"),
            "config": config.to_dict(),
            "fingerprint": fingerprint,
            "class_names": list(class_names),
            "num_samples": len(labels),
            "truth_known": is_poison is not None,
            "branched_from": None,
            **(origin or {}),
        }
        with contextlib.ExitStack() as on_failure:
            folder = _new_hidden_folder(path)
            on_failure.callback(shutil.rmtree, folder, ignore_errors=True)
            writer = cls._begun(path, folder, info)
            on_failure.callback(writer.close)
            writer._write("samples.npz", pack_arrays(labels=labels.astype(np.int64), landmark_idx=landmark_idx))
            writer._write("images.npy", npy_parts(images))
            if files is not None:
                writer._write("files.json", _json({"files": files}))
            if is_poison is not None:
                assert original_labels is not None, "with is_poison, original_labels must be given too"
                writer._write("truth.npz", pack_arrays(is_poison=is_poison, original_labels=original_labels))
            if fill is not None:
                fill(writer)
            _rename(folder, path)
            on_failure.pop_all()
        writer._files.run = path
        return writer

    @classmethod
    def _begun(cls, path: Path, folder: Path, info: Mapping[str, Any]) -> RunWriter:
        """Return the writer of a hidden folder, locked before anything else is in it."""
        with storage_errors(path):
            for name in FOLDERS:
                (folder / name).mkdir()
            DigestLog(folder).write("config.json", _json(info))
        write_signature(folder)
        return cls(path, built_in=folder)

    def __enter__(self) -> RunWriter:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the lock; the folder stays readable and, if unfinished, resumable."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _write(self, name: str, content: bytes | Iterable[bytes]) -> None:
        with storage_errors(self.path / name):
            self._files.write(name, content)

    def epoch(self, state: EpochState) -> None:
        """Add one complete epoch; replaces its earlier record when a resumed run repeats the epoch."""
        self._write(f"epochs/{state.epoch:05d}.npz", pack_epoch(state))

    def checkpoint(self, epoch: int, content: bytes, *, keep: Collection[int] = ()) -> None:
        """Add the checkpoint after an epoch; of earlier ones, only the last and those of the epochs to keep remain.

        Later ones are removed: they date from before a resume that could not read them.
        """
        self._write(f"checkpoints/{epoch:05d}.pt", content)
        numbers = {int(path.stem): path for path in checkpoint_paths(self.folder)}
        before = max((number for number in numbers if number < epoch), default=None)
        for number, old in numbers.items():
            if number > epoch or number not in (epoch, before, *keep):
                with contextlib.suppress(OSError):  # an extra checkpoint does no harm, and writing has reported errors
                    old.unlink(missing_ok=True)

    def undefended(self, content: bytes) -> None:
        """Add the file of the undefended network."""
        self._write("undefended.pt", content)

    def progress(self, *, min_interval: float = 0.0, **values: Any) -> None:
        """Publish the position of the run, unless it was published less than `min_interval` seconds ago."""
        now = time.monotonic()
        if now - self._last_progress >= min_interval:
            self._last_progress = now
            content = _json({**values, "time": time.time(), "commands_obeyed": self._commands_read})
            write_atomic(self.path / "progress.json", content, durable=False)  # twice a second; a loss does no harm

    def summary(self, summary: dict[str, Any]) -> None:
        """Write summary.json, which says how the run ended."""
        self._write("summary.json", _json(summary))

    def clear_summary(self) -> None:
        """Remove the summary of a stopped run that is resumed."""
        with storage_errors(self.path):
            (self.path / "summary.json").unlink(missing_ok=True)

    def new_commands(self) -> list[Command]:
        """Return the commands given since the last call, oldest first."""
        commands = read_commands(self.path)
        fresh, self._commands_read = commands[self._commands_read :], len(commands)
        return fresh

    def ignore_commands(self, count: int) -> None:
        """Skip the first `count` commands, which were given to an earlier writer of this folder."""
        self._commands_read = count


def _new_hidden_folder(path: Path) -> Path:
    """Make a folder beside a path that is to become a run folder; raises `RunFolderError` if the path is in use."""
    refuse_used(path)
    with storage_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path)
        folder = temporary_beside(path)
        folder.mkdir()
    return folder


def _rename(folder: Path, path: Path) -> None:
    """Give a complete folder its name, which may be that of an empty folder."""
    try:
        os.rename(folder, path.resolve() if path.is_symlink() else path)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            refuse_used(path)
        if error.errno in (errno.EBUSY, errno.EXDEV):
            raise RunFolderError(
                f"{path} is a place where a disk or volume is mounted, which a run folder cannot replace; give a new "
                "folder below it."
            ) from None
        with storage_errors(path):
            raise


def _remove_abandoned(path: Path) -> None:
    """Remove the hidden folders that killed writers of this path have left."""
    for folder in path.parent.glob(f".{glob.escape(path.name)}.??????.tmp"):
        if folder.is_dir() and not folder.is_symlink() and not is_locked(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _remove_half_written(folder: Path) -> None:
    """Remove the files that a killed writer has left half written; those in `maps` belong to the map process."""
    for pattern in ("epochs/.*.tmp", "checkpoints/.*.tmp", ".progress.json.*.tmp", ".summary.json.*.tmp"):
        for file in folder.glob(pattern):
            with contextlib.suppress(OSError):  # it does no harm
                file.unlink()


def write_map(folder: Path, epoch: int, xy: np.ndarray) -> None:
    """Add the map of an epoch to a run folder. The map process writes beside the one writer, so maps have no digests;
    the checksums of the zip file are enough."""
    write_atomic(folder / f"maps/{epoch:05d}.npz", pack_arrays(xy=xy))


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
