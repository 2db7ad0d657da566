"""The one writer of a run folder."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Collection, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.files.arrays import pack_arrays
from bsd_engine.files.atomic import make_folder, npy_parts, storage_errors, write_atomic
from bsd_engine.runs.commands import read_commands
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.runs.layout import FORMAT_VERSION, Command, checkpoint_paths
from bsd_engine.runs.lock import take_lock
from bsd_engine.runs.origin.provenance import write_signature


class RunWriter:
    """The one writer of a run folder. Use it as a context manager, which releases the lock at the end."""

    def __init__(self, path: Path) -> None:
        self.path = Path(path)
        self._commands_read = 0
        self._last_progress = 0.0
        self._lock = take_lock(self.path)

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
        branched_from: dict[str, Any] | None = None,
        files: tuple[str, ...] | None = None,
    ) -> RunWriter:
        """Create a run folder with everything that stays the same for the whole run; returns its writer.

        `branched_from` says where a branch comes from: {"run": id, "epoch": last epoch copied}.
        """
        path = Path(path)
        make_folder(path)
        with storage_errors(path):
            for name in ("epochs", "maps", "checkpoints"):
                (path / name).mkdir()
        writer = cls(path)
        try:
            writer._write("samples.npz", pack_arrays(labels=labels.astype(np.int64), landmark_idx=landmark_idx))
            writer._write("images.npy", npy_parts(images))
            if files is not None:
                writer._write("files.json", _json({"files": files}))
            if is_poison is not None:
                assert original_labels is not None, "with is_poison, original_labels must be given too"
                truth = {"is_poison": is_poison, "original_labels": original_labels}
                writer._write("truth.npz", pack_arrays(**truth))
            writer._write(
                "config.json",
                _json(
                    {
                        "format_version": FORMAT_VERSION,
                        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
                        "config": config.to_dict(),
                        "fingerprint": fingerprint,
                        "class_names": list(class_names),
                        "num_samples": len(labels),
                        "truth_known": is_poison is not None,
                        "branched_from": branched_from,
                    }
                ),
            )
            write_signature(path)
        except BaseException:
            writer.close()
            raise
        return writer

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
        write_atomic(self.path / name, content)

    def epoch(self, state: EpochState) -> None:
        """Add one complete epoch; replaces its earlier record when a resumed run repeats the epoch."""
        self._write(f"epochs/{state.epoch:05d}.npz", pack_epoch(state))

    def checkpoint(self, epoch: int, content: bytes, *, keep: Collection[int] = ()) -> None:
        """Add the checkpoint after an epoch; of earlier ones, only the last and those of the epochs to keep remain.

        Later ones are removed: they date from before a resume that could not read them.
        """
        self._write(f"checkpoints/{epoch:05d}.pt", content)
        numbers = {int(path.stem): path for path in checkpoint_paths(self.path)}
        before = max((number for number in numbers if number < epoch), default=None)
        for number, old in numbers.items():
            if number > epoch or number not in (epoch, before, *keep):
                with contextlib.suppress(OSError):  # an extra checkpoint does no harm, and writing has reported errors
                    old.unlink(missing_ok=True)

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


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()
