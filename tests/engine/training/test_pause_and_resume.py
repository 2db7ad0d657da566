"""Runs that are paused, stopped, killed or out of disk space go on to exactly the same end."""

from __future__ import annotations

import errno
import os
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError, StorageError
from bsd_engine.events import EpochFinished, EpochState, Event, IterationDone, RunStarted
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run, resume_run
from bsd_engine.training import steps
from bsd_engine.training.trainer import BSDTrainer
from tests.support.short_runs import differences, run, short, tiny
from tests.support.training_runs import Recorded, command_at, training_threads, wait_for

pytestmark = pytest.mark.usefixtures("one_thread")


def test_a_full_disk_ends_the_run_and_keeps_its_epochs(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file = os.replace

    def full(source: Path, destination: Path) -> None:
        if Path(destination).name in ("00005.npz", "summary.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(source, destination)

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="the disk is full; free some space"):
        patch.setattr(os, "replace", full)
        record_run(recorded.config, tmp_path / "run", prepared=recorded.prepared)
    reader = RunReader(tmp_path / "run")
    assert reader.status == "interrupted" and reader.epochs == [0, 1, 2, 3, 4] and training_threads() == []
    resume_run(reader.path, prepared=recorded.prepared)
    assert differences([reader.epoch(e) for e in reader.epochs], recorded.states) == []


def test_a_paused_run_waits_and_then_goes_on_unchanged(recorded: Recorded, tmp_path: Path) -> None:
    path, seen = tmp_path / "run", {}

    def viewer() -> None:
        reader = wait_for("paused", path)
        seen["before"], seen["progress"] = reader.version, reader.progress
        time.sleep(0.3)
        seen["after"] = reader.version
        send_command(path, "resume")

    watching = threading.Thread(target=viewer)
    watching.start()
    summary = record_run(
        recorded.config, path, prepared=recorded.prepared, on_event=command_at(path, "oss_warmup", "pause")
    )
    watching.join()
    reader = RunReader(path)
    assert (
        seen["before"] == seen["after"] and seen["progress"]["epoch"] == 2 and seen["progress"]["stage"] == "oss_warmup"
    )
    assert summary["status"] == reader.status == "finished"
    assert differences([reader.epoch(e) for e in reader.epochs], recorded.states) == []


def test_both_models_wait_while_nobody_asks_for_the_next_event(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    epoch = steps.cross_entropy_epoch

    def counted(*args: Any, **kwargs: Any):
        training = epoch(*args, **kwargs)
        while True:
            try:
                step = next(training)
            except StopIteration as end:
                return end.value
            done.append(step[0])
            yield step

    config = short(altruistic_batch=2)
    events = BSDTrainer(config, small_images).run()
    next(event for event in events if isinstance(event, EpochFinished))
    monkeypatch.setattr(steps, "cross_entropy_epoch", counted)
    next(event for event in events if isinstance(event, IterationDone))
    time.sleep(0.2)  # for the iteration in progress
    paused = len(done)
    time.sleep(0.5)
    assert len(done) == paused < len(small_images.labels) // 2
    next(event for event in events if isinstance(event, EpochFinished))
    assert len(done) == len(small_images.labels) // 2
    events.close()
    assert training_threads() == []


def test_a_stop_command_given_while_a_resumed_run_is_prepared_is_obeyed(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    record_run(recorded.config, path, prepared=recorded.prepared, on_event=command_at(path, "oss_warmup", "stop"))
    whole = RunReader(path).epochs
    monkeypatch.setattr(
        "bsd_engine.runs.record.prepare", lambda config: send_command(path, "stop") or recorded.prepared
    )
    assert resume_run(path)["status"] == "stopped" and RunReader(path).epochs == whole


def test_a_paused_run_can_be_stopped(small_images: PreparedData, tmp_path: Path) -> None:
    path = tmp_path / "run"
    watching = threading.Thread(target=lambda: send_command(wait_for("paused", path).path, "stop"))
    watching.start()
    summary = record_run(tiny(), path, prepared=small_images, on_event=command_at(path, "oss_warmup", "pause"))
    watching.join()
    assert summary["status"] == RunReader(path).status == "stopped" and training_threads() == []


@pytest.fixture(scope="module")
def rich() -> BSDConfig:
    """Settings with which every part of a checkpoint matters: averaged weights, warm-up losses, a random first pool."""
    return tiny(ema=0.9, als_snapshot="after_warmup", init_combine="random", iterations=2, init_epochs=2, t2=6, t3=8)


@pytest.fixture(scope="module")
def uninterrupted(rich: BSDConfig, small_images: PreparedData) -> list[EpochState]:
    """The epochs of that run in one go."""
    return run(rich, small_images)


@pytest.mark.parametrize(
    ("stage", "iteration", "whole"),
    [("oss_warmup", 2, 2), ("initial_pools", 1, 4), ("class_completion", 1, 6), ("selective_drop", 2, 8)],
)
def test_a_run_stopped_within_an_epoch_resumes_to_the_same_end(
    rich: BSDConfig,
    small_images: PreparedData,
    uninterrupted: list[EpochState],
    tmp_path: Path,
    stage: str,
    iteration: int,
    whole: int,
    summary_keys: set[str],
) -> None:
    path = tmp_path / "run"
    summary = record_run(rich, path, prepared=small_images, on_event=command_at(path, stage, "stop", iteration))
    reader = RunReader(path)
    assert summary["status"] == reader.status == "stopped" and reader.epochs == list(range(whole)) and reader.can_resume
    assert summary["epochs"] == whole
    first: list[int] = []
    resumed = resume_run(
        path,
        prepared=small_images,
        on_event=lambda e: first.append(e.first_epoch) if isinstance(e, RunStarted) else None,
    )
    assert first == [whole] and resumed["status"] == reader.status == "finished"
    assert differences([reader.epoch(e) for e in reader.epochs], uninterrupted) == []
    assert summary_keys <= set(resumed) and resumed["epochs"] == len(uninterrupted)
    assert resumed["seconds"] >= sum(reader.epoch(e).metrics["seconds"] for e in reader.epochs) - 0.01


def test_a_run_stopped_in_the_altruistic_warmup_resumes_to_the_same_end(recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, IterationDone) and event.epoch == 1:
            send_command(path, "stop")

    record_run(recorded.config, path, prepared=recorded.prepared, on_event=stop)
    assert RunReader(path).epochs == [0]
    resume_run(path, prepared=recorded.prepared)
    assert differences([RunReader(path).epoch(e) for e in range(9)], recorded.states) == []


def test_a_killed_run_resumes_from_the_older_checkpoint_if_the_newest_is_damaged(
    recorded: Recorded, tmp_path: Path
) -> None:
    path = tmp_path / "run"

    def die(event: Event) -> None:
        if isinstance(event, IterationDone) and event.epoch == 5:
            raise SystemExit

    with pytest.raises(SystemExit):
        record_run(recorded.config, path, prepared=recorded.prepared, on_event=die)
    reader = RunReader(path)
    assert reader.status == "interrupted" and reader.epochs == [0, 1, 2, 3, 4] and training_threads() == []
    newest = checkpoint_paths(path)[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    resume_run(path, prepared=recorded.prepared)
    assert differences([reader.epoch(e) for e in reader.epochs], recorded.states) == []


def test_a_run_stopped_after_its_last_epoch_resumes_to_a_whole_summary(recorded: Recorded, tmp_path: Path) -> None:
    path, last = tmp_path / "run", recorded.config.schedule.total_epochs - 1

    def stop(event: Event) -> None:
        if isinstance(event, EpochFinished) and event.state.epoch == last:
            send_command(path, "stop")

    record_run(recorded.config, path, prepared=recorded.prepared, on_event=stop)
    summary = resume_run(path, prepared=recorded.prepared)
    times = ("seconds", "device")
    assert {k: v for k, v in summary.items() if k not in times} == {
        k: v for k, v in recorded.summary.items() if k not in times
    }


def test_a_run_stopped_in_its_first_epoch_starts_over(recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "run"
    summary = record_run(
        recorded.config, path, prepared=recorded.prepared, on_event=command_at(path, "altruistic_warmup", "stop")
    )
    reader = RunReader(path)
    assert summary["epochs"] == 0 and reader.epochs == [] and reader.progress["epoch"] == 0 and reader.can_resume
    resume_run(path, prepared=recorded.prepared)
    assert differences([reader.epoch(e) for e in reader.epochs], recorded.states) == []


def test_a_run_killed_before_its_first_checkpoint_is_complete_starts_over(recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, EpochFinished):
            raise SystemExit

    with pytest.raises(SystemExit):
        record_run(recorded.config, path, prepared=recorded.prepared, on_event=stop)
    for checkpoint in checkpoint_paths(path):  # as if the process had died between the epoch and the checkpoint
        checkpoint.unlink()
    assert RunReader(path).epochs == [0] and RunReader(path).can_resume
    resume_run(path, prepared=recorded.prepared)
    assert differences([RunReader(path).epoch(e) for e in RunReader(path).epochs], recorded.states) == []


def test_a_run_that_cannot_be_resumed_says_why(recorded: Recorded, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is finished; there is nothing to resume"):
        resume_run(recorded.path, prepared=recorded.prepared)
    with pytest.raises(RunFolderError, match="is not a run folder"):
        resume_run(tmp_path, prepared=recorded.prepared)
    path = tmp_path / "run"
    record_run(recorded.config, path, prepared=recorded.prepared, on_event=command_at(path, "oss_warmup", "stop"))
    with pytest.raises(RunFolderError, match="other data .*fingerprints differ"):
        resume_run(path, prepared=replace(recorded.prepared, fingerprint="0" * 16))
    for checkpoint in checkpoint_paths(path):
        checkpoint.write_bytes(b"garbage")
    with pytest.raises(RunFolderError, match="has no readable checkpoint"):
        resume_run(path, prepared=recorded.prepared)
    assert RunReader(path).status == "stopped"  # no refusal has changed the folder


def test_a_run_is_recorded_into_an_empty_folder_only(recorded: Recorded) -> None:
    with pytest.raises(RunFolderError, match="is not an empty folder"):
        record_run(recorded.config, recorded.path, prepared=recorded.prepared)
    assert RunReader(recorded.path).status == "finished"
