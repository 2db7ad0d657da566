"""Runs and data that several test modules of training use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochFinished, Event
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.runs.record import record_run
from tests.support.short_runs import tiny
from tests.support.training_runs import Recorded


@pytest.fixture(scope="module")
def recorded(small_images: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A whole tiny run, recorded."""
    events: list[Event] = []
    packed: list[bytes] = []

    def remember(event: Event) -> None:
        events.append(event)
        if isinstance(event, EpochFinished):
            packed.append(pack_epoch(event.state))

    path = tmp_path_factory.mktemp("runs") / "run"
    summary = record_run(tiny(), path, prepared=small_images, on_event=remember)
    return Recorded(tiny(), small_images, path, events, packed, summary)


@pytest.fixture
def few_images(tmp_path: Path) -> Callable[..., PreparedData]:
    """Data from an npz file with 60 images of 8x8 pixels in three classes; `test` gives the labels of the test part."""

    def make(config: BSDConfig, test: list[int] | None) -> PreparedData:
        rng = np.random.default_rng(0)
        arrays = {"train_images": rng.integers(0, 256, (60, 8, 8), np.uint8), "train_labels": np.arange(60) % 3}
        if test is not None:
            arrays |= {"test_images": rng.integers(0, 256, (len(test), 8, 8), np.uint8), "test_labels": np.array(test)}
        np.savez(tmp_path / "few.npz", **arrays)
        return prepare(config.with_settings(data=f"npz:{tmp_path / 'few.npz'}", limit=None))

    return make
