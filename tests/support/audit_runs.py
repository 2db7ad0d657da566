"""Recorded runs for tests of the audit, each trained within seconds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.runs.record import record_run
from bsd_engine.target.verdict import Kind, Verdict
from bsd_engine.training import target_search
from tests.support.short_runs import tiny

SETTINGS = {"limit": 1000, "altruistic_epochs": 2, "t1": 2, "init_epochs": 2, "t2": 6, "t3": 8, "iterations": 2}


def quartered(prepared: PreparedData, tests: int = 50) -> PreparedData:
    """Return the same set with half the height and width, and few test images."""
    few = {
        name: getattr(prepared, name)
        for name in ("test_images", "triggered_images")
        if getattr(prepared, name) is not None
    }
    labels = {
        name.replace("images", "labels"): getattr(prepared, name.replace("images", "labels"))[:tests] for name in few
    }
    return replace(
        prepared,
        images=prepared.images[:, ::2, ::2].contiguous(),
        **labels,
        **{name: images[:tests, ::2, ::2].contiguous() for name, images in few.items()},
    )


def recorded(folder: Path, **settings: object) -> Path:
    """Return a run folder of 1,000 samples, with two or more epochs of each stage."""
    config = tiny(**{**SETTINGS, **settings})
    record_run(config, folder, prepared=quartered(prepare(config)))
    return folder


def recorded_with_verdict(folder: Path, kind: Kind, **settings: object) -> Path:
    """Return a run folder like that of `recorded` with a given verdict; without an attack no class is suspected."""
    verdict = Verdict(kind=kind, classes=(6,), z=9.0, why="planted")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target_search, "decide_target", lambda found, epochs, **more: verdict)
        return recorded(folder, target_estimator="auto", no_attack="no_target", **settings)
