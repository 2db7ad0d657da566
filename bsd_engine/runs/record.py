"""Iterate a run and record it in a run folder, for the command line and the dashboard's thread."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import BSDError, RunFolderError, TrainingError
from bsd_engine.events import EpochFinished, Event, IterationDone, RunFinished
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.runs import checkpoints
from bsd_engine.runs.branching import check_same_past
from bsd_engine.runs.commands import read_commands
from bsd_engine.runs.layout import NO_BRANCH, checkpoint_paths
from bsd_engine.runs.origin.provenance import refuse_foreign
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import Fill, RunWriter
from bsd_engine.training.trainer import BSDTrainer

OnEvent = Callable[[Event], None]
_log = logging.getLogger(__name__)


def record_run(
    config: BSDConfig, path: Path, *, prepared: PreparedData | None = None, on_event: OnEvent | None = None
) -> dict[str, Any]:
    """Train into a new run folder, obeying commands written to it; returns the summary.

    Raises `BSDError` with one sentence; bad settings and bad data raise it before the folder is made.
    """
    prepared = prepared or prepare(config)
    trainer = BSDTrainer(config, prepared)
    with _new_folder(config, prepared, path) as writer:
        return _record(trainer, writer, on_event, seconds_before=0.0)


def branch_run(
    source: Path,
    epoch: int | None,
    config: BSDConfig,
    path: Path,
    *,
    prepared: PreparedData | None = None,
    on_event: OnEvent | None = None,
) -> dict[str, Any]:
    """Train into a new run folder from a checkpoint of another run, with other settings for the epochs after it.

    Parameters
    ----------
    source : run folder
    epoch : global, 0-based; one that has a checkpoint (the end of each stage and the last two), None for the newest
    config : settings of the new run; those that the epochs up to `epoch` have read must be unchanged

    Raises
    ------
    RunFolderError
        If there is no such checkpoint, the settings or the data differ from those of the copied epochs, or this
        installation did not write the source.
    """
    reader = RunReader(source)
    checkpoint = load_checkpoint(source, epoch)
    _refuse_weights_alone(checkpoint)
    refuse_foreign(reader.path, "branched from")
    epoch = checkpoint["epoch"]
    check_same_past(reader.config, config, epoch)
    prepared = prepared or prepare(config)
    if prepared.fingerprint != reader.fingerprint:
        raise RunFolderError(
            f"{source} was trained on other data (fingerprints differ); branch with the data of the run."
        )
    trainer = _restored(config, prepared, checkpoint, source)
    seconds = _seconds_before(reader, trainer.first_epoch)

    def copy_past(writer: RunWriter) -> None:
        """The branch can then be resumed even if it is interrupted in its first epoch."""
        for e in range(trainer.first_epoch):
            writer.epoch(reader.epoch(e))
        _write_checkpoint(writer, epoch, checkpoint, config.schedule.stage_ends)

    origin = {"branched_from": {"run": reader.run_id, "epoch": epoch}}
    with _new_folder(config, prepared, path, origin=origin, fill=copy_past) as writer:
        return _record(trainer, writer, on_event, seconds_before=seconds)


def _new_folder(
    config: BSDConfig,
    prepared: PreparedData,
    path: Path,
    *,
    origin: Mapping[str, Any] | None = None,
    fill: Fill | None = None,
) -> RunWriter:
    is_poison, original_labels = prepared.is_poison, prepared.original_labels
    return RunWriter.create(
        Path(path),
        config,
        fingerprint=prepared.fingerprint,
        class_names=prepared.class_names,
        images=prepared.images.permute(0, 3, 1, 2).numpy(),
        labels=prepared.labels.numpy(),
        landmark_idx=prepared.landmark_idx.numpy(),
        is_poison=None if is_poison is None else is_poison.numpy(),
        original_labels=None if original_labels is None else original_labels.numpy(),
        files=prepared.train_files,
        origin=origin,
        fill=fill,
    )


def resume_run(path: Path, *, prepared: PreparedData | None = None, on_event: OnEvent | None = None) -> dict[str, Any]:
    """Resume from the last checkpoint of a run folder; at most the epoch that was in progress is trained again.

    A run that ended within its first epoch, or before its first checkpoint was complete, starts over. A damaged
    checkpoint is named in a warning, and the one before it is taken.
    """
    reader = RunReader(path)
    if reader.status == "finished":
        raise RunFolderError(f"{path} is finished; there is nothing to resume. Start a new run instead.")
    refuse_foreign(reader.path, "resumed")
    old_commands = len(read_commands(path))  # before the data are prepared: a later stop is for this writer
    checkpoint = None if reader.begins_again else load_checkpoint(path)
    prepared = prepared or prepare(reader.config)
    if prepared.fingerprint != reader.fingerprint:
        raise RunFolderError(
            f"{path} was trained on other data (fingerprints differ); resume with the data of the run."
        )
    trainer = _restored(reader.config, prepared, checkpoint, path)
    seconds = _seconds_before(reader, trainer.first_epoch)
    with RunWriter(Path(path)) as writer:
        writer.ignore_commands(old_commands)
        writer.clear_summary()
        return _record(trainer, writer, on_event, seconds_before=seconds)


def _restored(config: BSDConfig, prepared: PreparedData, checkpoint: dict[str, Any] | None, path: Path) -> BSDTrainer:
    """Return a trainer in the state of a checkpoint; raises `RunFolderError` if the checkpoint does not fit."""
    if checkpoint is not None:
        _refuse_weights_alone(checkpoint)
    try:
        return BSDTrainer(config, prepared, checkpoint=checkpoint)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError) as error:
        if checkpoint is None or _is_out_of_memory(error):
            raise
        what = str(error).strip().splitlines()[0]
        raise RunFolderError(
            f"The checkpoint of {path} does not fit its settings ({what}); start the run again in a new folder."
        ) from None


def _refuse_weights_alone(checkpoint: dict[str, Any]) -> None:
    if checkpoint.get("weights_only"):
        raise RunFolderError(NO_BRANCH)


def _seconds_before(reader: RunReader, epochs: int) -> float:
    """Return the seconds that the previous epochs took; a damaged record must not prevent the run from resuming."""
    total = 0.0
    for epoch in range(epochs):
        with contextlib.suppress(RunFolderError):
            total += reader.epoch(epoch).metrics.get("seconds") or 0.0
    return total


def load_checkpoint(path: Path, epoch: int | None = None) -> dict[str, Any]:
    """Return the checkpoint after an epoch, or the newest sound one of a run folder, loaded without pickle's code
    execution; each damaged one that is passed over is named in a warning."""
    files = checkpoint_paths(path)
    if epoch is not None:
        chosen = [file for file in files if int(file.stem) == epoch]
        if not chosen:
            there = ", ".join(str(int(file.stem)) for file in files) or "none"
            raise RunFolderError(
                f"{path} has no checkpoint after epoch {epoch}; checkpoints exist after the epochs {there}."
            )
        files = chosen
    damaged: list[str] = []
    for file in reversed(files):
        try:
            found = checkpoints.read(file)
        except (OSError, ValueError) as error:
            damaged.append(f"The checkpoint {file} is damaged: {error}.")  # the older one may be sound
            continue
        for sentence in damaged:
            _log.warning("%s %s is used instead.", sentence, file.name)
        return found
    why = f" ({' '.join(damaged)})" if damaged else ""
    raise RunFolderError(f"{path} has no readable checkpoint to resume from{why}; start the run again in a new folder.")


class _Stopped(Exception):
    """The viewer asked to stop."""


def _record(trainer: BSDTrainer, writer: RunWriter, on_event: OnEvent | None, seconds_before: float) -> dict[str, Any]:
    """Write each event; record in the folder how the run ended, whatever the cause."""
    started = time.monotonic()
    try:
        with contextlib.closing(trainer.run()) as events:  # the altruistic model's thread ends in any case
            for event in events:
                _write(event, writer, keep=trainer.config.schedule.stage_ends)
                if on_event:
                    on_event(event)
                if isinstance(event, RunFinished):
                    return _finish(trainer, writer, seconds_before + time.monotonic() - started, status="finished")
                _obey(writer, event)
        raise AssertionError("a run ends with RunFinished")
    except (_Stopped, KeyboardInterrupt) as stop:
        summary = _finish(trainer, writer, seconds_before + time.monotonic() - started, status="stopped")
        if isinstance(stop, KeyboardInterrupt):
            raise
        return summary
    except BSDError as error:
        _report_failure(trainer, writer, str(error))
        raise
    except Exception as error:
        sentence = _out_of_memory(error) if _is_out_of_memory(error) else f"{type(error).__name__}: {error}"
        _report_failure(trainer, writer, sentence)
        if _is_out_of_memory(error):
            raise TrainingError(sentence) from error
        raise


def _is_out_of_memory(error: Exception) -> bool:
    """Return whether a device or the machine ran out of memory; on a CPU torch raises a plain RuntimeError for it."""
    on_cpu = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return on_cpu or isinstance(error, (MemoryError, torch.OutOfMemoryError))


def _out_of_memory(error: Exception) -> str:
    what = (str(error).strip().splitlines() or ["no details"])[0]
    return (
        f"The memory of the device or of the machine is used up ({what}). Finished epochs are kept: resume when other "
        "programs have ended, or start again with smaller batches, a smaller width, fewer images or --device cpu."
    )


def _write(event: Event, writer: RunWriter, keep: tuple[int, ...]) -> None:
    if isinstance(event, EpochFinished):
        writer.epoch(event.state)
        _write_checkpoint(writer, event.state.epoch, event.checkpoint(), keep)
    elif isinstance(event, IterationDone):
        writer.progress(min_interval=0.5, state="running", **_position(event))


def _write_checkpoint(writer: RunWriter, epoch: int, checkpoint: dict[str, Any], keep: tuple[int, ...]) -> None:
    writer.checkpoint(epoch, checkpoints.pack(checkpoint), keep=keep)


def _obey(writer: RunWriter, event: Event) -> None:
    """Act on new commands; a pause lasts until resume or stop."""
    commands = writer.new_commands()
    while commands:
        if "stop" in commands:
            raise _Stopped
        if commands[-1] != "pause":
            writer.progress(**_position(event), state="running")
            return
        writer.progress(**_position(event), state="paused")
        while not (commands := writer.new_commands()):
            time.sleep(0.1)


def _position(event: Event) -> dict[str, Any]:
    if isinstance(event, IterationDone):
        return {
            "epoch": event.epoch,
            "stage": event.stage,
            "iteration": event.iteration,
            "iterations": event.iterations,
        }
    if isinstance(event, EpochFinished):
        return {"epoch": event.state.epoch, "stage": event.state.stage, "iteration": 1, "iterations": 1}
    return {"epoch": 0, "stage": "altruistic_warmup", "iteration": 0, "iterations": 1}


def _finish(trainer: BSDTrainer, writer: RunWriter, seconds: float, *, status: str) -> dict[str, Any]:
    summary = {**trainer.summary(), "status": status, "seconds": round(seconds, 2)}
    writer.summary(summary)
    writer.progress(state=status, epoch=max(0, summary["epochs"] - 1), iteration=1, iterations=1)
    return summary


def _report_failure(trainer: BSDTrainer, writer: RunWriter, sentence: str) -> None:
    """Record in the folder why the run ended, if the folder can still be written."""
    try:
        writer.summary({**trainer.summary(), "status": "failed", "error": sentence})
    except BSDError:
        pass  # the disk is full or gone: the sentence reaches the user through the raised error
