"""Run folders of 12 images in four classes, and their epochs."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from bsd_engine.config.presets import smoke
from bsd_engine.events import EpochState
from bsd_engine.runs.writer import Fill, RunWriter

SAMPLES = 12
CONFIG = smoke().with_settings(altruistic_epochs=3, t1=2, init_epochs=2)


def warmup_state(epoch: int = 0) -> EpochState:
    """Return an epoch of the altruistic warm-up: no main model, no pool."""
    rng = np.random.default_rng(epoch)
    return EpochState(
        epoch=epoch,
        stage="altruistic_warmup",
        main_epoch=epoch - 3,
        clean_ratio=None,
        pseudo_target=3,
        altruistic_loss=rng.random(SAMPLES, np.float32),
        altruistic_prediction=rng.integers(0, 4, SAMPLES).astype(np.int16),
        vote_counts=rng.integers(0, 9, 4),
        vote_scores=rng.random(4, np.float32),
        metrics={"seconds": 0.25, "clean_accuracy": None},
    )


def full_state(epoch: int = 5) -> EpochState:
    """Return an epoch with every field in use."""
    rng = np.random.default_rng(epoch)
    return replace(
        warmup_state(epoch),
        stage=CONFIG.schedule.stage(epoch),
        main_epoch=epoch - 3,
        clean_ratio=0.1 + 0.2,
        main_loss=rng.random(SAMPLES, np.float32),
        main_prediction=rng.integers(0, 4, SAMPLES).astype(np.int16),
        oss_score=rng.random(SAMPLES, np.float32),
        oss_distances=rng.random((3, SAMPLES), np.float32),
        nearest_class=rng.integers(0, 4, SAMPLES).astype(np.int16),
        clean_mask=rng.random(SAMPLES) < 0.5,
        landmark_features=rng.normal(size=(6, 3)).astype(np.float16),
        metrics={"seconds": 1 / 3, "clean_accuracy": 81.25, "poison_in_clean_pool": 7, "attack_success_rate": None},
    )


def assert_same(a: EpochState, b: EpochState) -> None:
    """Assert that two epochs are equal to the bit, including types."""
    for name in (f.name for f in fields(EpochState)):
        ours, theirs = getattr(a, name), getattr(b, name)
        if isinstance(ours, np.ndarray):
            assert ours.dtype == theirs.dtype and ours.shape == theirs.shape and ours.tobytes() == theirs.tobytes(), (
                name
            )
        else:
            assert ours == theirs and type(ours) is type(theirs), name


def create(path: Path, *, truth: bool = True, fill: Fill | None = None) -> RunWriter:
    """Create a run folder of 12 images and 4 classes, without epochs; returns its writer."""
    rng = np.random.default_rng(0)
    labels = np.arange(SAMPLES) % 4
    return RunWriter.create(
        path,
        CONFIG,
        fingerprint="0123456789abcdef",
        class_names=("ant", "bee", "cat", "dog"),
        images=rng.integers(0, 256, (SAMPLES, 1, 8, 8), np.uint8),
        labels=labels,
        landmark_idx=np.arange(0, SAMPLES, 2),
        is_poison=np.arange(SAMPLES) < 3 if truth else None,
        original_labels=labels[::-1].copy() if truth else None,
        fill=fill,
    )


def fail_with(code: int) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    return fail
