"""Iterate a run and write it down: what the command line, the dashboard's thread and the recordings have in common."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from bsd_engine.config import BSDConfig
from bsd_engine.errors import BSDError, RunFolderError
from bsd_engine.events import EpochFinished, Event, IterationDone, RunFinished
from bsd_engine.preflight import PreparedData, prepare
from bsd_engine.runs import RunReader, RunWriter, checkpoint_paths
from bsd_engine.trainer import BSDTrainer

OnEvent = Callable[[Event], None]


def record_run(config: BSDConfig, path: Path, *, prepared: PreparedData | None = None, on_event: OnEvent | None = None) -> dict[str, Any]:
    """Train into a new run folder, obeying the commands given to it; returns the summary.

    Raises `BSDError` with one sentence; bad settings and data raise before the folder is made.
    """
    prepared = prepared or prepare(config)
    trainer = BSDTrainer(config, prepared)
    truth = prepared.is_poison is not None
    with RunWriter.create(
        Path(path), config, fingerprint=prepared.fingerprint, class_names=prepared.class_names,
        images=prepared.images.permute(0, 3, 1, 2).numpy(), labels=prepared.labels.numpy(),
        landmark_idx=prepared.landmark_idx.numpy(), is_poison=prepared.is_poison.numpy() if truth else None,
        original_labels=prepared.original_labels.numpy() if truth else None,
    ) as writer:
        return _record(trainer, writer, on_event, seconds_before=0.0)


def resume_run(path: Path, *, prepared: PreparedData | None = None, on_event: OnEvent | None = None) -> dict[str, Any]:
    """Go on from the last checkpoint of a run folder; at most the epoch that was in progress is trained again.

    A run that ended within its first epoch starts over.
    """
    reader = RunReader(path)
    if reader.status == "finished":
        raise RunFolderError(f"{path} is finished; there is nothing to resume. Start a new run instead.")
    checkpoint = load_checkpoint(path) if reader.epochs or checkpoint_paths(path) else None
    prepared = prepared or prepare(reader.config)
    if prepared.fingerprint != reader.fingerprint:
        raise RunFolderError(f"{path} was trained on other data (fingerprints differ); resume with the data of the run.")
    trainer = BSDTrainer(reader.config, prepared, checkpoint=checkpoint)
    seconds = sum(reader.epoch(e).metrics.get("seconds") or 0.0 for e in range(trainer.first_epoch))
    with RunWriter(Path(path)) as writer:
        writer.ignore_old_commands()
        writer.clear_summary()
        return _record(trainer, writer, on_event, seconds_before=seconds)


def load_checkpoint(path: Path) -> dict[str, Any]:
    """The newest readable checkpoint of a run folder, loaded without pickle's code execution."""
    for file in reversed(checkpoint_paths(path)):
        try:
            return torch.load(file, map_location="cpu", weights_only=True)
        except Exception:  # noqa: BLE001, S112 - torch raises many kinds for a damaged file; the older one may be whole
            continue
    raise RunFolderError(f"{path} has no readable checkpoint to resume from; start the run again in a new folder.")


class _Stopped(Exception):
    """The viewer asked to stop."""


def _record(trainer: BSDTrainer, writer: RunWriter, on_event: OnEvent | None, seconds_before: float) -> dict[str, Any]:
    """Write each event; whatever ends the run, the folder says how."""
    started = time.monotonic()
    try:
        with contextlib.closing(trainer.run()) as events:  # whatever happens, the altruistic model's thread ends
            for event in events:
                _write(event, writer)
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
        _report_failure(trainer, writer, f"{type(error).__name__}: {error}")
        raise


def _write(event: Event, writer: RunWriter) -> None:
    if isinstance(event, EpochFinished):
        writer.epoch(event.state)
        buffer = io.BytesIO()
        torch.save(event.checkpoint(), buffer)
        writer.checkpoint(event.state.epoch, buffer.getvalue())
    elif isinstance(event, IterationDone):
        writer.progress(min_interval=0.5, state="running", **_where(event))


def _obey(writer: RunWriter, event: Event) -> None:
    """Act on new commands; a pause lasts until resume or stop."""
    commands = writer.new_commands()
    while commands:
        if "stop" in commands:
            raise _Stopped
        if commands[-1] != "pause":
            writer.progress(**_where(event), state="running")
            return
        writer.progress(**_where(event), state="paused")
        while not (commands := writer.new_commands()):
            time.sleep(0.1)


def _where(event: Event) -> dict[str, Any]:
    if isinstance(event, IterationDone):
        return {"epoch": event.epoch, "stage": event.stage, "iteration": event.iteration, "iterations": event.iterations}
    if isinstance(event, EpochFinished):
        return {"epoch": event.state.epoch, "stage": event.state.stage, "iteration": 1, "iterations": 1}
    return {"epoch": 0, "stage": "altruistic_warmup", "iteration": 0, "iterations": 1}


def _finish(trainer: BSDTrainer, writer: RunWriter, seconds: float, *, status: str) -> dict[str, Any]:
    summary = {**trainer.summary(), "status": status, "seconds": round(seconds, 2)}
    writer.summary(summary)
    writer.progress(state=status, epoch=max(0, summary["epochs"] - 1), iteration=1, iterations=1)
    return summary


def _report_failure(trainer: BSDTrainer, writer: RunWriter, sentence: str) -> None:
    """Say in the folder why the run ended, if the folder can still be written."""
    try:
        writer.summary({**trainer.summary(), "status": "failed", "error": sentence})
    except BSDError:
        pass  # the disk is full or gone: the sentence reaches the user through the raised error
