"""Recordings: a run folder in one small file that decides as the run did and opens completely."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from bsd_engine.errors import RunFolderError
from bsd_engine.recordings import library
from bsd_engine.recordings.arrays import Rounded, pack_labels, pack_masks, unpack_labels, unpack_masks
from bsd_engine.recordings.card import sentence_of
from bsd_engine.recordings.pack import pack
from bsd_engine.recordings.rounding import round_scores, with_scores
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import branch_run, load_checkpoint
from tests.support.recordings import CARD, all_states, pools


def test_the_unpacked_folder_equals_the_run(recorded_run: Path, file: Path, cache: Path) -> None:
    run, found = RunReader(recorded_run), RunReader(library.open_file(file, "short"))
    assert found.run_id == "recording-short" and found.status == "finished" and not found.can_resume
    for name in ("config", "class_names", "fingerprint", "summary", "epochs", "map_epochs"):
        assert getattr(found, name) == getattr(run, name)
    for name in ("images", "labels", "landmark_idx"):
        np.testing.assert_array_equal(getattr(found, name), getattr(run, name))
    np.testing.assert_array_equal(found.truth.is_poison, run.truth.is_poison)
    for a, b in zip(all_states(run), all_states(found), strict=True):
        assert (a.stage, a.pseudo_target, a.verdict, a.clean_ratio, a.metrics) == (
            b.stage,
            b.pseudo_target,
            b.verdict,
            b.clean_ratio,
            b.metrics,
        )
        for name in (
            "altruistic_prediction",
            "main_prediction",
            "nearest_class",
            "clean_mask",
            "residuals",
            "transplant_shares",
            "estimator_scores",
        ):
            assert (getattr(a, name) is None) == (getattr(b, name) is None)
            np.testing.assert_array_equal(getattr(a, name), getattr(b, name), strict=True)
        for name in ("altruistic_loss", "main_loss", "oss_score", "oss_distances"):
            if getattr(a, name) is not None:
                np.testing.assert_allclose(getattr(b, name), getattr(a, name), rtol=2e-4)
        np.testing.assert_array_equal(b.landmark_features, a.landmark_features[:, :2])


def test_the_unpacked_scores_decide_as_the_run_did(recorded_run: Path, file: Path, cache: Path) -> None:
    found = RunReader(library.open_file(file, "short"))
    decided = pools(found, all_states(found))
    assert len(decided) == 1 + found.config.schedule.t3 - found.config.schedule.t1 - found.config.schedule.init_epochs
    for epoch, pool in decided.items():
        np.testing.assert_array_equal(pool, RunReader(recorded_run).epoch(epoch).clean_mask)


def test_scores_closer_than_a_step_decide_as_they_did(recorded_run: Path) -> None:
    """All samples but two lie within one rounding step, and every cut lies among them."""
    reader = RunReader(recorded_run)
    rng = np.random.default_rng(0)

    def close(scores: np.ndarray) -> np.ndarray:
        new = (1 + rng.permutation(scores.size).reshape(scores.shape) * 2e-7).astype(np.float32)
        new[..., :2] = 1e-5, 10
        return new

    states = []
    for state in all_states(reader):
        new = {
            name: close(getattr(state, name))
            for name in ("altruistic_loss", "main_loss", "oss_distances")
            if getattr(state, name) is not None
        }
        states.append(
            replace(state, **new, **({"oss_score": new["oss_distances"][0]} if "oss_distances" in new else {}))
        )
    rounded = round_scores(reader, states)
    plain = {
        name: Rounded.of(
            np.concatenate([np.atleast_2d(getattr(s, name)) for s in states if getattr(s, name) is not None])
        ).rows
        for name in rounded
    }
    wanted = pools(reader, states)
    assert any((pool != wanted[epoch]).any() for epoch, pool in pools(reader, with_scores(states, plain)).items()), (
        "rounding alone moves cuts"
    )
    for epoch, pool in pools(reader, with_scores(states, {name: part.rows for name, part in rounded.items()})).items():
        np.testing.assert_array_equal(pool, wanted[epoch])


@settings(max_examples=60, deadline=None)
@given(
    hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40), elements=st.floats(0, 1e6, width=32))
)
def test_rounding_never_reverses_an_order_and_keeps_the_ends(rows: np.ndarray) -> None:
    rounded = Rounded.of(rows)
    found = Rounded.from_arrays("x", rounded.arrays("x"), *rows.shape).rows
    for before, after in zip(rows, found):
        assert (np.diff(after[np.argsort(before, kind="stable")]) >= 0).all()
        assert (after.min(), after.max()) == (before.min(), before.max())


@pytest.mark.parametrize("odd", [np.inf, np.nan, -1.0, -0.0])
def test_a_row_with_odd_numbers_is_kept_exactly(odd: float) -> None:
    rows = np.array([[1, 2, odd], [1, 2, 3]], np.float32)
    found = Rounded.from_arrays("x", Rounded.of(rows).arrays("x"), 2, 3).rows
    assert found.tobytes()[:12] == rows.tobytes()[:12]


@pytest.mark.parametrize("classes", [10, 300])
def test_labels_and_masks_survive_packing(classes: int) -> None:
    rng = np.random.default_rng(0)
    labels, masks = rng.integers(0, classes, (4, 21)).astype(np.int16), rng.random((4, 21)) < 0.5
    np.testing.assert_array_equal(unpack_labels("x", {"x": pack_labels(labels)}, 4, 21), labels, strict=True)
    np.testing.assert_array_equal(unpack_masks("x", {"x": pack_masks(masks)}, 4, 21), masks, strict=True)


def test_numbers_of_a_card_come_from_the_run_and_an_unknown_one_is_an_error() -> None:
    assert sentence_of("{a} of {b}", {"a": 1234, "b": 99.96}) == "1,234 of 100.0"
    for template in ("{missing}", "{none}", "{text}"):
        with pytest.raises(ValueError, match="unknown for its run"):
            sentence_of(template, {"none": None, "text": "x"})


def test_an_unfinished_run_is_not_packed(recorded_run: Path, tmp_path: Path) -> None:
    shutil.copytree(recorded_run, tmp_path / "run")
    (tmp_path / "run/summary.json").unlink()
    with pytest.raises(RunFolderError, match="has not ended"):
        pack(tmp_path / "run", tmp_path / "x.bsdrec", CARD)


def test_weights_are_those_of_the_run_in_half_precision_and_cannot_be_trained_on(
    recorded_run: Path, file: Path, cache: Path, tmp_path: Path
) -> None:
    folder = library.open_file(file, "short")
    last = RunReader(recorded_run).epochs[-1]
    ours, theirs = load_checkpoint(folder, last), load_checkpoint(recorded_run, last)
    for model in ("averaged", "altruistic"):
        for name, weights in theirs["models"][model].items():
            np.testing.assert_allclose(ours["models"][model][name].float(), weights.float(), rtol=1e-3, atol=1e-7)
    with pytest.raises(RunFolderError, match="This is a recording.*Start a run"):
        branch_run(folder, last, RunReader(folder).config, tmp_path / "branch")
    assert not (tmp_path / "branch").exists()


def test_packing_again_gives_the_same_bytes(recorded_run: Path, file: Path) -> None:
    again = pack(recorded_run, file.parent / "again.bsdrec", CARD)
    assert again.read_bytes() == file.read_bytes()
