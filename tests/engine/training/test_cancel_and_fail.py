"""Runs that are cancelled or fail: no thread is left, and the folder says what happened."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bsd_engine.errors import TrainingError
from bsd_engine.events import EpochFinished, Event, IterationDone
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from bsd_engine.training.trainer import BSDTrainer
from tests.support.short_runs import run, short, tiny
from tests.support.training_runs import training_threads

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("stage", ["altruistic_warmup", "oss_warmup", "selective_drop"])
def test_a_cancelled_run_leaves_no_thread(small_images: PreparedData, stage: str) -> None:
    events = BSDTrainer(short(), small_images).run()
    for event in events:
        if isinstance(event, IterationDone) and event.stage == stage:
            break
    events.close()
    assert training_threads() == []


def test_a_listener_that_fails_leaves_no_thread_and_its_error_in_the_folder(
    small_images: PreparedData, tmp_path: Path
) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, IterationDone) and event.stage == "oss_warmup":
            raise ValueError("no room on the screen")

    with pytest.raises(ValueError, match="no room") as raised:
        record_run(tiny(), tmp_path / "run", prepared=small_images, on_event=fail)
    assert training_threads() == [] and raised.value is not None  # while the traceback keeps the generator alive
    reader = RunReader(tmp_path / "run")
    assert (
        reader.status == "failed"
        and reader.summary["error"] == "ValueError: no room on the screen"
        and reader.epochs == [0, 1]
    )


@pytest.mark.parametrize(
    ("model", "stage"),
    [("altruistic", "altruistic_warmup"), ("main", "class_completion"), ("altruistic", "oss_warmup")],
)
def test_a_loss_that_is_not_finite_ends_the_run_with_a_sentence(
    small_images: PreparedData, tmp_path: Path, model: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = model == "altruistic" and stage != "altruistic_warmup"
    trainers: list[BSDTrainer] = []
    make = BSDTrainer.__init__
    monkeypatch.setattr(
        BSDTrainer, "__init__", lambda self, *args, **kw: (trainers.append(self), make(self, *args, **kw))[0] and None
    )

    def spoil(event: Event) -> None:
        if isinstance(event, IterationDone) and event.stage == stage and event.iteration == 1:
            with torch.no_grad():
                getattr(trainers[0], model).network.head.bias.fill_(torch.nan)

    with pytest.raises(TrainingError) as raised:
        record_run(tiny(), tmp_path / "run", prepared=small_images, on_event=spoil)
    sentence = str(raised.value)
    # The altruistic model trains beside: its epoch may have ended already, and then its next scores are not finite.
    explained = f"The {model} model's loss is nan in epoch" in sentence or (
        beside and "outputs are no longer finite numbers" in sentence
    )
    assert explained and "lower" in sentence
    reader = RunReader(tmp_path / "run")
    assert reader.status == "failed" and reader.summary["error"] == sentence and training_threads() == []


def test_outputs_that_are_not_finite_end_the_run_before_a_split_reads_them(small_images: PreparedData) -> None:
    """The last step of an epoch can spoil the weights after its loss was measured."""
    bsd = BSDTrainer(tiny(ema=0.0), small_images)
    with pytest.raises(TrainingError, match="outputs are no longer finite numbers.*lower the learning rates"):
        for event in bsd.run():
            if isinstance(event, EpochFinished) and event.state.main_epoch == 1:
                with torch.no_grad():
                    bsd.main.network.stem[0].weight.fill_(torch.nan)
    assert training_threads() == []


@pytest.mark.parametrize("setting", ["main_lr", "altruistic_lr"])
def test_a_huge_learning_rate_trains_or_ends_with_a_sentence(small_images: PreparedData, setting: str) -> None:
    try:
        assert len(run(short(**{setting: 10.0}), small_images)) == 6
    except TrainingError as error:
        assert "expected a finite number" in str(error)
