"""Runs that pass through every stage within a second, and a comparison of two runs."""

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
    """Return the smoke preset on the CPU, with two epochs of selective drop."""
    config = smoke().with_settings(device="cpu")
    return config.with_settings(t3=config.schedule.t2 + 2).with_settings(**settings)


def short(**settings: Any) -> BSDConfig:
    """Return settings with one epoch per stage, but two of selective drop, and one iteration per epoch."""
    return tiny(altruistic_epochs=1, t1=1, init_epochs=1, t2=3, t3=5, iterations=1, **settings)


def run(config: BSDConfig, prepared: PreparedData | None = None) -> list[EpochState]:
    """Return the epochs of a complete run that is not recorded."""
    return [e.state for e in BSDTrainer(config, prepared).run() if isinstance(e, EpochFinished)]


def numbers(state: EpochState) -> dict[str, Any]:
    """Return the metrics that do not measure time."""
    return {name: value for name, value in state.metrics.items() if name != "seconds"}


def differences(a: list[EpochState], b: list[EpochState], *, ignore: tuple[str, ...] = ()) -> list[str]:
    """Return all differences between two runs, such as "epoch 3: clean_mask"."""
    assert [s.epoch for s in a] == [s.epoch for s in b]
    found = []
    for x, y in zip(a, b):
        for name in (f.name for f in fields(EpochState) if f.name not in (*ignore, "metrics")):
            ours, theirs = getattr(x, name), getattr(y, name)
            same = np.array_equal(ours, theirs) if isinstance(ours, np.ndarray) else ours == theirs
            found += [] if same else [f"epoch {x.epoch}: {name}"]
        found += [f"epoch {x.epoch}: {k}" for k, v in numbers(x).items() if k not in ignore and numbers(y)[k] != v]
    return found
