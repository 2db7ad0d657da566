"""Epochs that no run has written are refused with a sentence, and those of a run that diverged are audited.

Random ones are read by the target "audit" of `tests/engine/runs/test_fuzz.py`, 60 here and more in the nightly run.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bsd_engine.audit import history as history_module
from bsd_engine.audit.export.report import LARGEST_BYTES, report
from bsd_engine.audit.history import RunHistory
from bsd_engine.errors import RunFolderError
from bsd_engine.events import EpochState
from bsd_engine.runs import validation
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.writer import RunWriter
from tests.nightly.odd_epochs import audit_all, short_run

LAST = 9


def rewritten(folder: Path, change: Callable[[EpochState], dict[str, Any]], epochs: tuple[int, ...] = (LAST,)) -> Path:
    """A run folder some epochs of which have other fields."""
    path = short_run(folder)
    with RunWriter(path) as writer:
        for epoch in epochs:
            state = RunReader(path).epoch(epoch)
            writer.epoch(replace(state, **change(state)))
    return path


def first_is(array: np.ndarray, value: float) -> np.ndarray:
    changed = np.array(array)
    changed[0] = value
    return changed


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: {"main_prediction": first_is(s.main_prediction, 10)}, "main_prediction goes from 0 to 10"),
        (lambda s: {"altruistic_prediction": first_is(s.main_prediction, -1)}, "altruistic_prediction goes from -1"),
        (lambda s: {"nearest_class": first_is(s.main_prediction, 300)}, "nearest_class goes from 0 to 300"),
        (lambda s: {"main_loss": first_is(s.main_loss, np.nan)}, "main_loss holds values that are not finite"),
        (lambda s: {"altruistic_loss": first_is(s.main_loss, np.inf)}, "altruistic_loss holds values that are not"),
        (lambda s: {"altruistic_loss": first_is(s.main_loss, -2e30)}, "beyond 1e\\+30 nats"),
        (lambda s: {"main_loss": None}, "lacks the array 'main_loss'"),
        (lambda s: {"main_prediction": None}, "lacks the array 'main_prediction'"),
        (lambda s: {"clean_mask": None}, "lacks the array 'clean_mask'"),
        (lambda s: {"altruistic_loss": None}, "lacks the array 'altruistic_loss'"),
        (lambda s: {"main_loss": s.main_loss.astype(">f4")}, "main_loss is >f4"),
        (lambda s: {"main_loss": s.main_loss.astype(np.longdouble)}, "main_loss is float128"),
        (
            lambda s: {"landmark_features": s.landmark_features[:-1]},
            r"landmark_features is float16 of shape \(59, 16\)",
        ),
        (lambda s: {"landmark_features": s.landmark_features[:, :0]}, "landmark_features is float16"),
        (lambda s: {"oss_distances": np.zeros((2, 60), np.float32)}, "oss_distances is float32"),
        (lambda s: {"vote_scores": np.zeros(9, np.float32)}, "vote_scores is float32"),
        (lambda s: {"pseudo_target": 10}, "suspects the class 10"),
        (lambda s: {"pseudo_target": -1}, "suspects the class -1"),
        (
            lambda s: {"verdict": {"kind": "single", "classes": [99], "z": 1.0, "needed": 1.0, "why": "w"}},
            "suspects the class 99",
        ),
        (lambda s: {"clean_ratio": 1.5}, "1.5 for 'clean_ratio'"),
        (lambda s: {"metrics": {"clean_accuracy": 4000.0}}, "4000.0 for 'clean_accuracy'"),
        (lambda s: {"metrics": {"clean_pool_size": -1}}, "-1 for 'clean_pool_size'"),
        (lambda s: {"estimators": ["x"] * 101}, "expected a short list of texts"),
        (lambda s: {"stage": "altruistic_warmup"}, "holds the stage altruistic_warmup at T = 7"),
        (lambda s: {"main_epoch": -3}, "at T = -3, expected selective_drop at T = 7"),
    ],
)
def test_an_epoch_that_no_run_has_written_is_named(tmp_path: Path, change: Callable, said: str) -> None:
    path = rewritten(tmp_path, change)
    with pytest.raises(RunFolderError, match=f"epochs/00009.npz cannot be read: .*{said}"):
        RunHistory.of(RunReader(path))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_distances_and_votes_of_a_run_that_diverged_are_audited(tmp_path: Path, value: float) -> None:
    def change(state: EpochState) -> dict[str, Any]:
        votes = {} if state.vote_scores is None else {"vote_scores": first_is(state.vote_scores, value)}
        return votes | ({} if state.oss_score is None else {"oss_score": first_is(state.oss_score, value)})

    audit_all(rewritten(tmp_path, change, epochs=tuple(range(10))), random.Random(0))


def test_losses_of_a_run_that_diverged_are_audited(tmp_path: Path) -> None:
    path = rewritten(tmp_path, lambda s: {"altruistic_loss": first_is(s.altruistic_loss, 1e25)}, epochs=(8, 9))
    audit_all(path, random.Random(0))
    assert len(report(RunReader(path))) < LARGEST_BYTES


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"class_names": ["one"]}, "1 classes, expected 2"),
        ({"class_names": ["a"] * 40_000}, "40000 classes, expected 2 to 32,767"),
        ({"class_names": ["a", "x" * 1001]}, "expected a list of texts"),
        ({"num_samples": 10**12}, "1000000000000 samples, expected 1 to"),
    ],
)
def test_settings_that_would_fill_the_memory_are_refused(content: dict, said: str) -> None:
    whole = {"format_version": 1, "config": {}, "fingerprint": "f", "created": "c", "truth_known": False}
    with pytest.raises(ValueError, match=said):
        validation.check_config({**whole, "class_names": ["a", "b"], "num_samples": 4, **content})


def test_a_map_that_is_not_finite_is_refused() -> None:
    with pytest.raises(ValueError, match="holds no map of 3 landmarks"):
        validation.checked_map(np.array([[0, 1], [2, np.nan], [4, 5]], np.float32), 3)


def test_a_foreign_record_that_would_fill_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = short_run(tmp_path / "runs")
    monkeypatch.setattr(history_module, "_MOST_FOREIGN_BYTES", 1000)
    assert RunHistory.of(RunReader(path)).num_epochs == 10
    (path / "origin.json").unlink()
    with pytest.raises(RunFolderError, match="takes 0.0 GB of memory.*adopt"):
        RunHistory.of(RunReader(path))
