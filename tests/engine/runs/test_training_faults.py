"""Training that cannot continue: no memory left, damaged records, invalid checkpoints.

The promise: the run can be resumed to the same end, and one sentence names cause and remedy.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bsd_engine.errors import BSDError, RunFolderError, TrainingError
from bsd_engine.events import Event, IterationDone
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs import checkpoints
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run, resume_run
from tests.support.fake_run import fake_run
from tests.support.run_edits import record
from tests.support.short_runs import differences, run, short


def out_of_memory_at(stage: str, error: Exception) -> Callable[[Event], None]:
    """Return a listener that raises an error as torch does, in the middle of a stage."""

    def listen(event: Event) -> None:
        if isinstance(event, IterationDone) and event.stage == stage:
            raise error

    return listen


MEMORY_ERRORS = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has 1 GiB free.\nmore words"),
    RuntimeError(
        "[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: "
        "you tried to allocate 9 bytes."
    ),
    MemoryError("Unable to allocate 7 GiB for an array"),
]


@pytest.mark.parametrize("error", MEMORY_ERRORS, ids=["cuda", "cpu", "numpy"])
def test_a_run_out_of_memory_fails_with_cause_and_remedy_and_can_be_resumed(
    small_images: PreparedData, tmp_path: Path, one_thread: None, error: Exception
) -> None:
    path = tmp_path / "run"
    with pytest.raises(TrainingError) as raised:
        record_run(short(), path, prepared=small_images, on_event=out_of_memory_at("initial_pools", error))
    told, reader = str(raised.value), RunReader(path)
    assert str(error).splitlines()[0] in told and "more words" not in told
    assert "is used up" in told and "Finished epochs are kept: resume" in told and "--device cpu" in told
    assert (
        reader.status == "failed" and reader.summary["error"] == told and reader.epochs == [0, 1] and reader.can_resume
    )
    resume_run(path, prepared=small_images)
    assert differences([reader.epoch(e) for e in reader.epochs], run(short(), small_images)) == []


def test_a_damaged_record_does_not_prevent_a_run_from_resuming(
    small_images: PreparedData, tmp_path: Path, one_thread: None
) -> None:
    path = tmp_path / "run"
    with pytest.raises(SystemExit):
        record_run(short(), path, prepared=small_images, on_event=out_of_memory_at("class_completion", SystemExit()))  # type: ignore[arg-type]
    (path / "epochs/00000.npz").write_bytes(b"PK")
    assert resume_run(path, prepared=small_images)["status"] == "finished"
    assert RunReader(path).epoch(5).epoch == 5


def test_a_checkpoint_of_another_network_is_refused(
    small_images: PreparedData, tmp_path: Path, one_thread: None
) -> None:
    for width, name in ((8, "a"), (16, "b")):
        with pytest.raises(SystemExit):
            record_run(
                short(width=width),
                tmp_path / name,
                prepared=small_images,
                on_event=out_of_memory_at("oss_warmup", SystemExit()),
            )  # type: ignore[arg-type]
    for file in checkpoint_paths(tmp_path / "a"):
        shutil.copy(tmp_path / "b/checkpoints" / file.name, file)
        record(tmp_path / "a", f"checkpoints/{file.name}")
    with pytest.raises(RunFolderError, match="does not fit its settings .*start the run again in a new folder"):
        resume_run(tmp_path / "a", prepared=small_images)


class Evil:
    """An object whose pickle would run a command."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch /tmp/bsd-was-here",)


@pytest.mark.parametrize(
    "content",
    [
        {"epoch": 1, "models": Evil()},
        {"epoch": 1, "big": torch.zeros(1).expand(10**12)},
        {"epoch": "1"},
        [1],
        {"epoch": True},
    ],
    ids=["code", "expanded", "no number", "a list", "a truth value"],
)
def test_a_checkpoint_with_code_or_a_bomb_in_it_is_refused(tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "00001.pt")
    with pytest.raises(ValueError, match="it is not a checkpoint|not all in the file"):
        checkpoints.read(tmp_path / "00001.pt")
    assert not Path("/tmp/bsd-was-here").exists()


def test_arrays_with_code_in_them_are_refused(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=2, samples=60)
    np.savez(path / "epochs/00001.npz", scalars=np.array([Evil()], dtype=object))
    np.savez(path / "truth.npz", is_poison=np.array([Evil()], dtype=object), original_labels=np.zeros(60, int))
    for name in ("epochs/00001.npz", "truth.npz"):
        record(path, name)
    for read in (lambda: RunReader(path).epoch(1), lambda: RunReader(path).truth):
        with pytest.raises(BSDError, match="it does not hold a plain array"):
            read()
    assert not Path("/tmp/bsd-was-here").exists()
