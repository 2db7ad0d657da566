"""A copy of one's own from a foreign run or a recording.

Nothing is copied as it is: every part is read and checked as for viewing, and written anew. So the copy can be resumed,
judged and mapped like a run that was trained here, as far as its parts allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from bsd_engine.audit.judgements import Judgements
from bsd_engine.errors import BSDError
from bsd_engine.runs import checkpoints
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter, write_map
from bsd_engine.training.checkpoint import Checkpoint
from bsd_engine.training.undefended import WEIGHTS_FILE

MOST_CHECKPOINT_BYTES = 1_000_000_000
"""A checkpoint is in memory as a whole while it is copied."""
Part = TypeVar("Part")


def adopt(source: Path, out: Path) -> tuple[str, ...]:
    """Copy everything of a run that can be read and checked into a new run folder of one's own.

    The epochs before a missing or damaged one are copied, and maps and checkpoints of these epochs. Judgements are
    copied row by row. Paths in the settings stay as they are, but are not followed for exports
    (`RunReader.trusts_paths`).

    Returns
    -------
    tuple of str
        One sentence for each part that was left out because it is damaged.

    Raises
    ------
    RunFolderError
        If settings, labels or images cannot be read, or `out` is not a new or empty folder.
    """
    return _Adoption(RunReader(source)).into(Path(out))


class _Adoption:
    """One copy, and what was left out of it."""

    def __init__(self, run: RunReader) -> None:
        self.run = run
        self.left_out: list[str] = []

    def into(self, out: Path) -> tuple[str, ...]:
        """Make the copy; returns what was left out."""
        run = self.run
        run.check_images()
        truth, files = self._or_none(lambda: run.truth), self._or_none(lambda: run.files)
        writer = RunWriter.create(
            out,
            run.config,
            fingerprint=run.fingerprint,
            class_names=run.class_names,
            images=run.images,
            labels=run.labels,
            landmark_idx=run.landmark_idx,
            is_poison=None if truth is None else truth.is_poison,
            original_labels=None if truth is None else truth.original_labels,
            files=files,
            origin={"created": run.created, "branched_from": run.branched_from, "adopted_from": run.run_id},
            fill=self._fill,
        )
        writer.close()
        return tuple(self.left_out)

    def _or_none(self, read: Callable[[], Part | None]) -> Part | None:
        """Return a part of the run; None if it is damaged, which is noted."""
        try:
            return read()
        except BSDError as error:
            self.left_out.append(f"{error}")
            return None

    def _fill(self, writer: RunWriter) -> None:
        epochs = self._copy_epochs(writer)
        summary = self._or_none(lambda: self.run.summary)
        if summary is not None and epochs == len(self.run.epochs):
            writer.summary(summary)
        for epoch in (e for e in self.run.map_epochs if e < epochs):
            if (xy := self._or_none(lambda epoch=epoch: self.run.map(epoch))) is not None:  # type: ignore[misc]
                write_map(writer.folder, epoch, xy)
        for epoch, content in self._checkpoints(epochs):
            writer.checkpoint(epoch, checkpoints.pack(content), keep=range(epochs))
        if (undefended := self._undefended()) is not None:
            writer.undefended(checkpoints.pack(undefended))
        self._copy_judgements(writer)

    def _copy_epochs(self, writer: RunWriter) -> int:
        """Copy the epochs up to the first that is damaged; returns how many."""
        there = len(self.run.epochs)
        for epoch in range(there):
            state = self._or_none(lambda epoch=epoch: self.run.read_epoch(epoch))  # type: ignore[misc]
            if state is None:
                if later := there - epoch - 1:
                    self.left_out.append(
                        f"The {later} epochs after it are left out too; resume the copy to train them."
                    )
                return epoch
            writer.epoch(state)
        return there

    def _checkpoints(self, epochs: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yield the sound checkpoints of the copied epochs."""
        for file in checkpoint_paths(self.run.path):
            if int(file.stem) >= epochs:
                self.left_out.append(f"The checkpoint {file} is left out, because its epoch is.")
            elif (content := self._checkpoint(file)) is not None:
                yield int(file.stem), content

    def _checkpoint(self, file: Path) -> dict[str, Any] | None:
        """Return a checkpoint after checking each of its values; None if it is damaged, which is noted."""
        run = self.run
        try:
            content = _bounded(file)
            if content["epoch"] != int(file.stem):
                raise ValueError(f"it is of epoch {content['epoch']}")
            if content.get("weights_only"):
                return content
            return Checkpoint.from_dict(content, run.fingerprint, run.num_samples, len(run.class_names)).to_dict()
        except (OSError, ValueError, KeyError, BSDError) as error:
            self.left_out.append(f"The checkpoint {file} cannot be copied: {str(error).rstrip('.')}.")
            return None

    def _undefended(self) -> dict[str, Any] | None:
        """Return the undefended network in the run folder; None if there is none or it is damaged, which is noted."""
        file = self.run.path / WEIGHTS_FILE
        try:
            return _bounded(file)
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            self.left_out.append(f"The undefended network {file} cannot be copied: {error}.")
            return None

    def _copy_judgements(self, writer: RunWriter) -> None:
        samples = self.run.num_samples
        rows = self._or_none(lambda: Judgements(self.run.path, samples).rows())
        if rows:
            Judgements(writer.folder, samples).import_rows(rows)


def _bounded(file: Path) -> dict[str, Any]:
    """Return the content of a checkpoint's file; raises `OSError` or `ValueError`."""
    if (size := file.lstat().st_size) > MOST_CHECKPOINT_BYTES:
        raise ValueError(f"it has {size:,} bytes, expected at most {MOST_CHECKPOINT_BYTES:,}")
    return checkpoints.read(file)
