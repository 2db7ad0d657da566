"""The evidence about the target: figures follow from the record, and a branch continues without a new warm-up."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.figures.facts import Facts
from app.figures.target import agreement, answers, transplant_map, vote_strip
from app.run import target_panel
from app.run.target_texts import headline_of, verdict_text
from app.server.registry import RunRegistry
from app.style.theme import DARK, LIGHT
from bsd_engine.events import EpochState
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from bsd_engine.target.words import sentence
from tests.support.short_runs import short

pytestmark = pytest.mark.usefixtures("one_thread")
NAMES = tuple("abcdefghij")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete run that takes a second."""
    path = tmp_path_factory.mktemp("runs") / "old"
    record_run(short(target_estimator="auto", limit=100, epoch_tests=20), path)
    return path


@pytest.fixture(scope="module")
def facts(path: Path) -> Facts:
    return Facts.of(RunReader(path))


def said(epoch: int, names: dict[str, int], suspect: int | None) -> SimpleNamespace:
    return SimpleNamespace(
        epoch=epoch,
        pseudo_target=suspect,
        estimators=list(names),
        vote_counts=None,
        estimator_scores=np.stack([np.eye(10, dtype=np.float32)[c] for c in names.values()]),
    )


def test_a_cell_is_dark_where_an_estimator_names_the_suspect(facts: Facts) -> None:
    history = [
        said(0, {"second_logit_mode": 6, "label_count": 3}, 6),
        said(1, {"second_logit_mode": 6, "label_count": 3, "residual_transplant": 3}, 3),
    ]
    strip = vote_strip(history, facts, LIGHT).data[0]
    # rows: in use, residual transplant, paper's vote, most frequent label
    np.testing.assert_array_equal(strip.z, [[0, 1], [np.nan, 1], [0, 0], [1, 1]])
    assert agreement(history[1], 3) == (2, 3) and strip.customdata[1][0] == "nothing yet"


def test_equal_scores_are_read_as_the_lower_class() -> None:
    tie = said(0, {"label_count": 0}, 0)
    tie.estimator_scores = np.array([[1, 5, 5, 0]], np.float32)
    assert answers(tie) == {"label_count": 1}


def test_an_older_record_has_the_papers_vote(facts: Facts) -> None:
    old = SimpleNamespace(
        epoch=0, pseudo_target=2, estimators=None, estimator_scores=None, vote_counts=np.array([0, 1, 9, 0])
    )
    assert answers(old) == {"second_logit_mode": 2}
    assert len(vote_strip([old], facts, DARK).data[0].z) == 2


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=lambda p: p.name)
def test_the_map_has_the_recorded_shares_and_no_diagonal(path: Path, facts: Facts, palette: object) -> None:
    state = RunReader(path).epoch(0)
    drawn = np.asarray(transplant_map(state, facts, palette).data[0].z)
    off = ~np.eye(10, dtype=bool)
    np.testing.assert_array_equal(drawn[off], state.transplant_shares[off])
    assert np.isnan(drawn[~off]).all()


def test_a_row_that_follows_warps_says_so(path: Path, facts: Facts) -> None:
    state = RunReader(path).epoch(0)
    shares = np.zeros((10, 10), np.float32)
    shares[3] = 0.5
    verdict = {"kind": "target", "classes": [3], "z": 9.0, "needed": 6.0, "why": "", "clue": "warped"}
    figure = transplant_map(replace(state, transplant_shares=shares, verdict=verdict), facts, LIGHT)
    assert "follow a random warp" in figure.layout.title.text
    assert ["warp" in row[0][0] for row in figure.data[0].customdata] == [c == 3 for c in range(10)]


def test_before_the_end_of_the_warm_up_a_sentence_stands_in(facts: Facts) -> None:
    assert not transplant_map(None, facts, LIGHT).data and not vote_strip([], facts, LIGHT).data


def verdict(kind: str, z: float = 7.5, target: int = 3) -> dict:
    return {"kind": kind, "classes": [target], "z": z, "why": "6 of 10", "needed": 6.0}


def told(*verdicts: tuple[int, dict]) -> str:
    return verdict_text(list(verdicts), NAMES, SimpleNamespace(verdict=None)).replace("\\", "")


def test_the_page_has_the_engines_words() -> None:
    for kind in ("target", "uncertain", "no_attack", "several"):
        stored = verdict(kind)
        text = told((5, stored)).replace("*", "")
        assert text.startswith(sentence(stored, NAMES)) and text.startswith(headline_of(stored, NAMES))
    assert "before residuals" in told() and "end of the altruistic warm-up" in verdict_text([], NAMES, None)


def test_a_verdict_after_a_short_warm_up_says_less() -> None:
    assert "says less" in told((4, verdict("target"))) and "says less" not in told((5, verdict("target")))


def test_a_verdict_that_changed_says_so() -> None:
    same = told((5, verdict("target")), (11, verdict("target")))
    assert "Asked again with the same answer (epoch 6: d (target); epoch 12: d (target))." in same
    other = told((5, verdict("no_attack")), (11, verdict("target", target=4)))
    assert "The answer has changed (epoch 6: no attack found; epoch 12: e (target))." in other


def test_a_residual_is_drawn_around_mid_grey() -> None:
    residual = np.zeros((8, 8, 1), np.int8)
    residual[2, 3] = 40
    drawn = target_panel.residual_picture(residual)
    assert (
        drawn.dtype == np.uint8
        and drawn[0, 0] == 128
        and drawn.max() == 255
        and len(drawn) == target_panel.PICTURE_SIDE
    )


def now(path: Path) -> SimpleNamespace:
    reader = RunReader(path)
    return SimpleNamespace(run=reader, path=path, run_id=path.name, rows=[reader.epoch(e) for e in reader.epochs])


def test_the_drill_forces_a_class_that_is_not_suspected_and_not_the_target_where_truth_is_shown(path: Path) -> None:
    shown = now(path)
    suspect, target = shown.rows[-1].pseudo_target, shown.run.config.attack.target_label
    assert target_panel.wrong_target(shown, truth_shown=True) not in (suspect, target)
    assert target_panel.wrong_target(shown, truth_shown=False) == (suspect + 1) % 10


def test_a_forced_target_replaces_any_estimate(path: Path) -> None:
    config = RunReader(path).config
    assert target_panel.forced(config, 4).split == replace(config.split, target_estimator="given", assume_target=4)
    assert target_panel.forced(target_panel.forced(config, 4), None).split == config.split


def test_the_server_branches_a_run_at_the_end_of_its_warm_up(path: Path) -> None:
    registry = RunRegistry(path.parent)
    config = RunReader(path).config
    assert target_panel.has_checkpoint(path, config.schedule.altruistic_epochs - 1)
    other = (RunReader(path).epoch(0).pseudo_target + 1) % 10
    new = registry.branch("old", 0, target_panel.forced(config, other))
    deadline = time.monotonic() + 60
    while registry.active and time.monotonic() < deadline:
        time.sleep(0.05)
    branch = RunReader(path.parent / new)
    assert branch.status == "finished" and branch.branched_from == {"run": "old", "epoch": 0}
    assert branch.epoch(1).pseudo_target == other
    np.testing.assert_array_equal(branch.epoch(0).altruistic_loss, RunReader(path).epoch(0).altruistic_loss)


def test_older_epochs_have_no_verdict(path: Path) -> None:
    old = {"epoch", "stage", "main_epoch", "clean_ratio", "altruistic_loss", "altruistic_prediction"}
    state = RunReader(path).epoch(0)
    assert EpochState(**{name: getattr(state, name) for name in old}).verdict is None
