"""Runs of a second that pass through every stage, and where two runs differ."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from bsd_engine.config.presets import smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochFinished, EpochState
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.training.trainer import BSDTrainer


def tiny(**settings: Any) -> BSDConfig:
    """The smoke preset on the CPU, with two epochs of selective dropping."""
    config = smoke().with_settings(device="cpu")
    return config.with_settings(t3=config.schedule.t2 + 2).with_settings(**settings)


def short(**settings: Any) -> BSDConfig:
    """One epoch a stage but two of selective dropping, one iteration each."""
    return tiny(altruistic_epochs=1, t1=1, init_epochs=1, t2=3, t3=5, iterations=1, **settings)


def run(config: BSDConfig, prepared: PreparedData | None = None) -> list[EpochState]:
    """The epochs of a whole run that nobody records."""
    return [e.state for e in BSDTrainer(config, prepared).run() if isinstance(e, EpochFinished)]


def numbers(state: EpochState) -> dict[str, Any]:
    """The metrics that do not measure time."""
    return {name: value for name, value in state.metrics.items() if name != "seconds"}


def differences(a: list[EpochState], b: list[EpochState], *, ignore: tuple[str, ...] = ()) -> list[str]:
    """Where two runs differ in the least: "epoch 3: clean_mask"."""
    assert [s.epoch for s in a] == [s.epoch for s in b]
    found = []
    for x, y in zip(a, b):
        for name in (f.name for f in fields(EpochState) if f.name not in (*ignore, "metrics")):
            ours, theirs = getattr(x, name), getattr(y, name)
            same = np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs
            found += [] if same else [f"epoch {x.epoch}: {name}"]
        found += [f"epoch {x.epoch}: {k}" for k, v in numbers(x).items() if k not in ignore and numbers(y)[k] != v]
    return found
