"""Runs that fail while they are prepared."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from app.server import registry
from bsd_engine.compute import progress
from bsd_engine.errors import TrainingError
from bsd_engine.prepare import prepare as preparation
from bsd_engine.runs import record


def fail_when_told(monkeypatch: pytest.MonkeyPatch, crafting: int = 1) -> threading.Event:
    """Have every run prepare its data, in that many steps of crafting, until the event is set; then it fails."""
    go_on = threading.Event()

    def prepare(config: Any) -> None:
        for _ in progress.steps(crafting, "surrogate"):
            go_on.wait(30)
        raise TrainingError("It does not work.")

    for module in (preparation, record):
        monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(registry, "START_PATIENCE", 0.1)
    return go_on
