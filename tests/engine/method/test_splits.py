"""Every equation of the paper's section 4, each against a slow reference that can be read at a glance."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bsd_engine import splits
from tests.support.split_arrays import (
    KINDS,
    as_kind,
    labels_with_gaps,
    members,
    quick,
    scored_labels,
    scores_with_ties,
    top,
)

# --- exact counts and ties ---


@pytest.mark.parametrize("n", [1, 7, 100, 999, 50_000])
def test_a_share_of_n_is_counted_as_written_in_decimals(n: int) -> None:
    for percent in range(101):
        assert splits.exact_count(percent / 100, n) == percent * n // 100


@quick
@given(scores=scores_with_ties, percent=st.integers(0, 100))
def test_als_keeps_exactly_its_share_with_the_largest_losses_and_ties_by_index(
    scores: list[float], percent: int
) -> None:
    mask = splits.als_clean_mask(np.array(scores), percent / 100)
    assert members(mask) == top(np.array(scores), percent * len(scores) // 100)


def test_equal_scores_are_ranked_by_index() -> None:
    assert splits.als_clean_mask(np.ones(5), 0.6).tolist() == [True, True, True, False, False]
    labels = np.array([1, 0, 1, 1, 1])
    assert splits.oss_clean_mask(np.ones(5), labels, 1, 0.5).tolist() == [True, True, True, False, False]
    assert splits.discrepancy_clean_mask(np.zeros(5), labels, 0.4, "off").tolist() == [True, True, False, False, False]


# --- same kind in and out ---


GOLDEN: dict[str, tuple[Callable[..., object], list[object]]] = {
    "symmetric_cross_entropy": (
        lambda a: splits.symmetric_cross_entropy(a([[2.0, 0.0, 0.0], [2.0, 0.0, 0.0]]), a([0, 1])),
        [1.985886, 8.453329],
    ),
    "oss_scores": (
        lambda a: splits.oss_scores(a([[0.0, 0.0], [0.0, 2.0], [3.0, 1.0], [9.0, 1.0]]), a([0, 0, 1, 2]), 2),
        [1.0, 1.0, 0.0, 6.0],
    ),
    "oss_clean_mask": (
        lambda a: splits.oss_clean_mask(a([1.0, 5.0, 3.0, 4.0]), a([0, 2, 2, 2]), 2, 0.67),
        [True, True, False, True],
    ),
    "als_clean_mask": (lambda a: splits.als_clean_mask(a([1.0, 5.0, 3.0, 4.0]), 0.5), [False, True, False, True]),
    "initial_clean_mask": (
        lambda a: splits.initial_clean_mask(a([True, True, False, False]), a([True, False, True, False])),
        [True, False, False, False],
    ),
    "loss_discrepancy": (lambda a: splits.loss_discrepancy(a([1.0, 5.0]), a([2.0, 1.5])), [-1.0, 3.5]),
    "discrepancy_clean_mask": (
        lambda a: splits.discrepancy_clean_mask(a([1.0, 5.0, 3.0, 4.0]), a([0, 1, 1, 1]), 0.5),
        [False, True, False, True],
    ),
    "selective_drop": (
        lambda a: splits.selective_drop(a([True, True, True, False]), a([2, 2, 0, 2]), a([2, 1, 2, 2]), 2),
        [False, True, True, False],
    ),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", GOLDEN)
def test_result_is_of_the_kind_that_went_in(name: str, kind: str) -> None:
    call, expected = GOLDEN[name]
    result = call(lambda values: as_kind(kind, values))
    array_type, dtype = KINDS[kind]
    assert isinstance(result, array_type)
    assert np.asarray(result).dtype == (np.bool_ if isinstance(expected[0], bool) else dtype)
    np.testing.assert_allclose(np.asarray(result), expected, atol=2e-6)


@pytest.mark.parametrize("name", GOLDEN)
def test_arrays_of_a_recorded_epoch_may_be_read_only(name: str) -> None:
    def read_only(values: object) -> np.ndarray:
        array = np.array(values)
        array.setflags(write=False)
        return array

    call, expected = GOLDEN[name]
    np.testing.assert_allclose(call(read_only), expected, atol=2e-6)


@pytest.mark.parametrize("name", GOLDEN)
def test_arguments_are_left_as_they_were(name: str) -> None:
    given_arrays: list[tuple[np.ndarray, np.ndarray]] = []

    def remembered(values: object) -> np.ndarray:
        given_arrays.append((np.array(values), np.array(values)))
        return given_arrays[-1][0]

    GOLDEN[name][0](remembered)
    for now, before in given_arrays:
        np.testing.assert_array_equal(now, before)


@pytest.mark.parametrize("dtype", [np.int16, np.int32, np.int64])
def test_labels_and_predictions_may_be_of_any_whole_type(dtype: type) -> None:
    labels, scores = np.array([0, 1, 1, 2], dtype), np.arange(4.0)
    logits = np.eye(4, 3)
    assert splits.symmetric_cross_entropy(logits, labels).shape == (4,)
    assert splits.oss_clean_mask(scores, labels, 1, 0.5).tolist() == [True, False, True, True]
    assert splits.discrepancy_clean_mask(scores, labels, 0.5, "balanced").tolist() == [False, False, True, False]
    assert splits.selective_drop(np.ones(4, bool), labels, labels, 1).tolist() == [True, False, False, True]


# --- symmetric cross-entropy ---


def test_weights_and_bounds_of_the_symmetric_cross_entropy() -> None:
    logits, labels = np.array([[2.0, 0.0, 0.0]]), np.array([0])
    assert splits.symmetric_cross_entropy(logits, labels, ce_weight=1, rce_weight=0) == pytest.approx(
        0.239545, abs=1e-6
    )
    assert splits.symmetric_cross_entropy(logits, labels, ce_weight=0, rce_weight=2) == pytest.approx(
        2 * 1.961931, abs=1e-5
    )
    assert splits.symmetric_cross_entropy(logits, labels, ce_weight=0, min_one_hot=1e-2) == pytest.approx(
        1.961931 / 2, abs=1e-5
    )


@pytest.mark.parametrize(
    ("logits", "label", "ce", "rce", "sce"),
    [
        ([2, 0, 0], 0, 0.239545, 1.961931, 1.985886),
        ([2, 0, 0], 1, 2.239545, 8.229375, 8.453329),
        ([0, 0, 0], 2, 1.098612, 6.140227, 6.250088),
        ([10, 0, 0], 0, 0.000091, 0.000836, 0.000845),
        ([10, 0, 0], 1, 10.000091, 9.209922, 10.209931),
    ],
)
def test_sce_is_a_tenth_of_ce_and_all_of_rce(
    logits: list[float], label: int, ce: float, rce: float, sce: float
) -> None:
    result = splits.symmetric_cross_entropy(np.array([logits], np.float64), np.array([label]))
    assert result[0] == pytest.approx(sce, abs=1e-6)
    assert 0.1 * ce + rce == pytest.approx(sce, abs=1e-6)


def slow_sce(logits: np.ndarray, label: int) -> float:
    p = np.exp(logits) / np.exp(logits).sum()
    q = np.clip(np.eye(len(logits))[label], 1e-4, 1)
    return 0.1 * -math.log(p[label]) - float((np.clip(p, 1e-7, 1) * np.log(q)).sum())


@quick
@given(
    rows=st.lists(st.lists(st.floats(-12, 12), min_size=4, max_size=4), min_size=1, max_size=6), seed=st.integers(0, 9)
)
def test_sce_is_the_formula(rows: list[list[float]], seed: int) -> None:
    logits, labels = np.array(rows), np.random.default_rng(seed).integers(0, 4, len(rows))
    expected = [slow_sce(row, label) for row, label in zip(logits, labels)]
    np.testing.assert_allclose(splits.symmetric_cross_entropy(logits, labels), expected, rtol=1e-9)


def test_sce_stays_finite_for_a_hopeless_prediction() -> None:
    result = splits.symmetric_cross_entropy(np.array([[1000.0, 0.0]], np.float32), np.array([1]))
    assert result[0] == pytest.approx(100 + 9.21034, abs=1e-3)


# --- OSS ---


def slow_oss_scores(features: np.ndarray, labels: np.ndarray, target: int, reduce: Callable = min) -> list[float]:
    centers = [features[labels == c].mean(0) for c in sorted(set(labels.tolist()) - {target})]
    return [reduce(math.dist(x, center) for center in centers) for x in features]


@pytest.fixture
def gaussian_clusters() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Features, given labels and poison: three known clusters, a fourth of the target class 3, and poison labelled 3
    that lies in the known clusters."""
    rng = np.random.default_rng(0)
    centers = np.array([[0, 0], [8, 0], [0, 8], [8, 8]], float)
    true_class = np.repeat([0, 1, 2, 3, 0, 1, 2], [40, 40, 40, 40, 8, 8, 8])
    is_poison = np.arange(len(true_class)) >= 160
    return centers[true_class] + rng.normal(0, 1, (len(true_class), 2)), np.where(is_poison, 3, true_class), is_poison


@pytest.mark.parametrize(("distance", "reduce"), [("min", min), ("mean", lambda d: np.mean(list(d))), ("max", max)])
def test_oss_score_is_the_distance_to_the_known_centres(gaussian_clusters, distance: str, reduce: Callable) -> None:
    features, labels, _ = gaussian_clusters
    np.testing.assert_allclose(
        splits.oss_scores(features, labels, 3, distance), slow_oss_scores(features, labels, 3, reduce), rtol=1e-9
    )


def test_oss_score_tells_the_unknown_class_from_poison_of_known_ones(gaussian_clusters) -> None:
    features, labels, is_poison = gaussian_clusters
    scores = splits.oss_scores(features, labels, 3)
    clean, poison = scores[(labels == 3) & ~is_poison], scores[is_poison]
    auroc = np.mean([(c > p) + (c == p) / 2 for c in clean for p in poison])
    assert auroc > 0.95


def test_nearest_centre_is_no_farther_than_the_mean_and_the_farthest(gaussian_clusters) -> None:
    features, labels, _ = gaussian_clusters
    nearest, mean, farthest = (splits.oss_scores(features, labels, 3, d) for d in ("min", "mean", "max"))
    assert (nearest <= mean).all() and (mean <= farthest).all()


def test_samples_of_the_target_and_absent_classes_make_no_centre() -> None:
    features, labels = np.array([[0.0], [2.0], [50.0], [10.0]]), np.array([0, 0, 3, 7])
    centers, classes = splits.class_centers(features, labels, 3)
    assert classes.tolist() == [0, 7] and centers.tolist() == [[1.0], [10.0]]
    distances, columns = splits.center_distances(features, labels, 3)
    assert columns.tolist() == [0, 7] and distances.tolist() == [[1, 10], [1, 8], [49, 40], [9, 0]]


def test_far_features_keep_their_small_distances() -> None:
    features = np.array([[1000.0, 1000.0], [1000.0, 1000.001]], np.float32)
    assert splits.oss_scores(features, np.array([0, 1]), 1)[1] == pytest.approx(0.001, rel=0.1)


def test_without_a_known_class_every_sample_is_infinitely_far() -> None:
    features, labels = np.ones((3, 2), np.float32), np.array([1, 1, 1])
    for distance in ("min", "mean", "max"):
        scores = splits.oss_scores(features, labels, 1, distance)
        assert scores.dtype == np.float32 and np.isinf(scores).all()


@quick
@given(sample=scored_labels(), target=labels_with_gaps, percent=st.integers(0, 100))
def test_oss_keeps_all_others_and_the_farthest_share_of_the_target(sample, target: int, percent: int) -> None:
    scores, labels = sample
    target_idx = np.flatnonzero(labels == target)
    kept = {int(target_idx[i]) for i in top(scores[target_idx], percent * len(target_idx) // 100)}
    assert members(splits.oss_clean_mask(scores, labels, target, percent / 100)) == members(labels != target) | kept


# --- ALS ---


def test_als_keeps_out_poison_that_was_fitted_first() -> None:
    rng = np.random.default_rng(1)
    is_poison = np.arange(200) < 20
    losses = np.where(is_poison, rng.uniform(0, 0.1, 200), rng.uniform(0.2, 9, 200))
    mask = splits.als_clean_mask(losses, 0.6)
    assert mask.sum() == 120 and not (mask & is_poison).any()
