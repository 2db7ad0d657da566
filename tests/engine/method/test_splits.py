"""Every equation of the paper's section 4, each against a slow reference that can be read at a glance."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bsd_engine import splits

KINDS = {
    "numpy float32": (np.ndarray, np.float32),
    "numpy float64": (np.ndarray, np.float64),
    "torch float32": (torch.Tensor, np.float32),
    "torch float64": (torch.Tensor, np.float64),
}
quick = settings(deadline=None, max_examples=40)
scores_with_ties = st.lists(st.integers(-3, 3).map(float), min_size=1, max_size=30)
labels_with_gaps = st.sampled_from([0, 1, 3, 6])


@st.composite
def scored_labels(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Scores full of ties, and labels of at most four classes, numbered with gaps."""
    scores = draw(scores_with_ties)
    return np.array(scores), np.array([draw(labels_with_gaps) for _ in scores])


def as_kind(kind: str, values: object) -> np.ndarray | torch.Tensor:
    """An array of the kind under test; whole numbers and booleans keep their type."""
    array_type, dtype = KINDS[kind]
    array = np.array(values)
    array = array.astype(dtype) if array.dtype.kind == "f" else array
    return array if array_type is np.ndarray else torch.from_numpy(array)


def top(scores: np.ndarray, k: int) -> set[int]:
    """Indices of the k largest scores; among equals the lower index first."""
    return set(sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:k])


def members(mask: np.ndarray) -> set[int]:
    return set(np.flatnonzero(mask).tolist())


def share_of(share: float, n: int) -> int:
    """int(share * n) in exact arithmetic of the decimal that was written."""
    return int(Fraction(str(share)) * n)


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


# --- first pool ---


@quick
@given(bits=st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_first_pool_combines_als_and_oss(bits: list[tuple[bool, bool]], seed: int) -> None:
    als, oss = (np.array(column) for column in zip(*bits))
    assert members(splits.initial_clean_mask(als, oss)) == members(als) & members(oss)
    assert members(splits.initial_clean_mask(als, oss, "union")) == members(als) | members(oss)
    assert members(splits.initial_clean_mask(als, oss, "als_only")) == members(als)
    assert members(splits.initial_clean_mask(als, oss, "oss_only")) == members(oss)
    chance = [splits.initial_clean_mask(als, oss, "random", torch.Generator().manual_seed(seed)) for _ in range(2)]
    assert chance[0].sum() == (als & oss).sum()
    np.testing.assert_array_equal(*chance)


def test_a_random_first_pool_differs_with_the_generator() -> None:
    als = oss = np.arange(100) < 50
    first, second = (splits.initial_clean_mask(als, oss, "random", torch.Generator().manual_seed(s)) for s in (0, 1))
    assert first.sum() == second.sum() == 50 and (first != second).any() and (first != als).any()


@quick
@given(sample=scored_labels(), target=labels_with_gaps, alpha=st.integers(0, 100), beta=st.integers(0, 100))
def test_first_pool_is_within_both_shares(sample, target: int, alpha: int, beta: int) -> None:
    scores, labels = sample
    als = splits.als_clean_mask(scores, alpha / 100)
    oss = splits.oss_clean_mask(-scores, labels, target, beta / 100)
    pool = splits.initial_clean_mask(als, oss)
    assert members(pool) <= members(als) and members(pool) <= members(oss)
    assert pool.sum() <= alpha * len(labels) // 100
    assert pool[labels == target].sum() <= beta * (labels == target).sum() // 100


# --- alpha schedule ---

PAPER = {"alpha": 0.6, "beta": 0.2, "t1": 20, "init_epochs": 10, "t2": 90}


@pytest.mark.parametrize(
    ("epoch", "ratio"),
    [
        (0, 0.2),
        (20, 0.2),
        (30, 0.2),
        (31, 0.200274),
        (45, 0.258579),
        (60, 0.4),
        (75, 0.541421),
        (89, 0.599726),
        (90, 0.6),
        (119, 0.6),
    ],
)
def test_alpha_grows_from_beta_to_alpha_by_half_a_cosine(epoch: int, ratio: float) -> None:
    assert splits.clean_ratio(epoch, **PAPER) == pytest.approx(ratio, abs=1e-6)


@quick
@example(beta=0.2, extra=0.05, t1=3, init_epochs=2, length=0)
@given(
    beta=st.floats(0.01, 0.9),
    extra=st.floats(0, 0.09),
    t1=st.integers(1, 30),
    init_epochs=st.integers(1, 10),
    length=st.integers(0, 40),
)
def test_alpha_never_falls_and_stays_between_its_ends(
    beta: float, extra: float, t1: int, init_epochs: int, length: int
) -> None:
    start = t1 + init_epochs
    schedule = {"alpha": beta + extra, "beta": beta, "t1": t1, "init_epochs": init_epochs, "t2": start + length}
    ratios = [splits.clean_ratio(t, **schedule) for t in range(start + length + 3)]
    assert all(a <= b + 1e-12 for a, b in pairwise(ratios))
    assert ratios[:start] == [beta] * start and ratios[-1] == beta + extra


def test_alpha_is_constant_where_both_ends_are_equal() -> None:
    assert {splits.clean_ratio(t, **PAPER | {"alpha": 0.7, "beta": 0.7}) for t in range(120)} == {0.7}


# --- class completion ---


def planted(counts: list[int], sizes: list[int]) -> tuple[np.ndarray, np.ndarray, float]:
    """Discrepancies, labels and the ratio whose top share takes counts[c] samples of a class with sizes[c]."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rank = np.concatenate([np.arange(n) for n in sizes])
    discrepancy = np.where(rank < np.repeat(counts, sizes), 10.0, 0.0) - rank
    return discrepancy, labels, sum(counts) / sum(sizes)


@pytest.mark.parametrize(
    ("counts", "sizes", "after"),
    [
        (
            [5, 2, 9],
            [10, 10, 10],
            [5, 5, 9],
        ),  # the fewest class rises to the second-fewest count: min(int(.53 * 10), 5)
        ([6, 2, 10], [10, 10, 10], [6, 6, 10]),  # the same with ratio .6
        ([5, 2, 9], [10, 4, 10], [5, 2, 9]),  # its own share, int(.67 * 4) = 2, is reached: no change
        ([3, 3, 9], [10, 10, 10], [3, 3, 9]),  # a tie for the fewest: no change
        ([4, 0, 4], [10, 10, 10], [4, 2, 4]),  # int(.27 * 10) = 2 limits the rise
    ],
)
def test_completion_lifts_the_fewest_class_to_its_quota(counts: list[int], sizes: list[int], after: list[int]) -> None:
    discrepancy, labels, ratio = planted(counts, sizes)
    mask = splits.discrepancy_clean_mask(discrepancy, labels, ratio)
    assert np.bincount(labels[mask]).tolist() == after
    plain = splits.discrepancy_clean_mask(discrepancy, labels, ratio, "off")
    assert np.bincount(labels[plain], minlength=len(sizes)).tolist() == counts and (mask | ~plain).all()


def quotas(selected: list[int], sizes: list[int], ratio: float) -> dict[int, int]:
    """Quotas of class completion "fewest" where so many samples of each class are in the top share."""
    labels = np.repeat(np.arange(len(sizes)), sizes)
    top = np.concatenate([np.arange(size) < count for count, size in zip(selected, sizes)])
    return splits.class_quotas(top, labels, ratio, "fewest")


def test_completion_quota_of_the_toy_with_ratio_six_tenths() -> None:
    assert quotas([5, 2, 9], [10, 10, 10], 0.6) == {1: 5}
    assert quotas([5, 2, 9], [10, 4, 10], 0.6) == {1: 2}


def test_the_second_fewest_count_limits_a_class_that_poison_has_swollen() -> None:
    """At rate .2 the target has 14,000 samples, 9,000 of them poison: its own share alone would take in poison."""
    assert quotas([500, 100, 600], [5000, 14_000, 5000], 0.6) == {1: 500}


def slow_pool(discrepancy: np.ndarray, labels: np.ndarray, ratio: float, completion: str) -> set[int]:
    pool = top(discrepancy, share_of(ratio, len(labels)))
    best = {
        c: [i for i in sorted(range(len(labels)), key=lambda i: (-discrepancy[i], i)) if labels[i] == c]
        for c in sorted(set(labels.tolist()))
    }
    if completion in ("balanced", "balanced_others"):
        quotas = {c: share_of(ratio, len(best[c])) for c in best}
        if completion == "balanced_others" and 2 in best:
            quotas[2] = min(quotas[2], sum(labels[i] == 2 for i in pool))
        return {i for c in best for i in best[c][: quotas[c]]}
    if completion == "off" or len(best) < 2:
        return pool
    selected = Counter(labels[sorted(pool)].tolist())
    fewest, second = sorted(best, key=lambda c: (selected[c], c))[:2]
    return pool | set(best[fewest][: min(share_of(ratio, len(best[fewest])), selected[second])])


@settings(deadline=None, max_examples=100)
@given(
    sample=scored_labels(),
    percent=st.integers(0, 100),
    completion=st.sampled_from(["fewest", "balanced", "balanced_others", "off"]),
)
def test_completion_is_the_rule_as_read(sample, percent: int, completion: str) -> None:
    discrepancy, labels = sample
    mask = splits.discrepancy_clean_mask(discrepancy, labels, percent / 100, completion, target_label=2)
    assert members(mask) == slow_pool(discrepancy, labels, percent / 100, completion)


@quick
@given(sample=scored_labels(), percent=st.integers(0, 100))
def test_completion_only_adds_and_only_to_the_fewest_class(sample, percent: int) -> None:
    discrepancy, labels = sample
    plain, full = (splits.discrepancy_clean_mask(discrepancy, labels, percent / 100, c) for c in ("off", "fewest"))
    before, after = (np.bincount(labels[m], minlength=7)[np.unique(labels)] for m in (plain, full))
    assert plain.sum() == percent * len(labels) // 100
    assert members(plain) <= members(full)
    assert (after != before).sum() <= 1
    if (after != before).any():
        grown = int(np.argmax(after - before))
        assert before[grown] == before.min() and after[grown] <= np.sort(before)[1]


@quick
@given(sample=scored_labels(), percent=st.integers(0, 100))
def test_balanced_completion_gives_every_class_its_own_share(sample, percent: int) -> None:
    discrepancy, labels = sample
    mask = splits.discrepancy_clean_mask(discrepancy, labels, percent / 100, "balanced")
    for c in np.unique(labels):
        assert mask[labels == c].sum() == percent * (labels == c).sum() // 100


@pytest.mark.parametrize("completion", ["fewest", "balanced", "off"])
def test_ratio_one_keeps_all_and_ratio_zero_none(completion: str) -> None:
    discrepancy, labels = np.arange(6.0), np.array([0, 0, 0, 1, 1, 5])
    assert splits.discrepancy_clean_mask(discrepancy, labels, 1.0, completion).all()
    assert not splits.discrepancy_clean_mask(discrepancy, labels, 0.0, completion).any()


@pytest.mark.parametrize("completion", ["fewest", "balanced", "off"])
def test_one_class_alone_is_split_by_its_scores(completion: str) -> None:
    mask = splits.discrepancy_clean_mask(np.array([3.0, 1.0, 2.0, 0.0]), np.full(4, 2), 0.5, completion)
    assert mask.tolist() == [True, False, True, False]


def test_poison_has_a_strongly_negative_discrepancy() -> None:
    altruistic, main = np.array([0.01, 0.02, 0.5, 6.0]), np.array([8.0, 9.0, 0.5, 4.0])
    discrepancy = splits.loss_discrepancy(altruistic, main)
    assert (discrepancy[:2] < -5).all() and discrepancy[2] == 0 and discrepancy[3] > 0
    assert splits.discrepancy_clean_mask(discrepancy, np.zeros(4, int), 0.5).tolist() == [False, False, True, True]


# --- selective drop ---


@quick
@given(
    rows=st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=30),
    target=st.integers(0, 3),
)
def test_selective_drop_takes_what_both_models_call_the_target_and_nothing_else(
    rows: list[tuple[bool, int, int]], target: int
) -> None:
    pool, main, altruistic = (np.array(column) for column in zip(*rows))
    kept = splits.selective_drop(pool, main, altruistic, target)
    assert kept.tolist() == [p and not (f == target and g == target) for p, f, g in rows]


@pytest.mark.parametrize(("count_by", "grown"), [("pool_label", {0}), ("pool_pred", set()), ("all_pred", {1})])
def test_the_fewest_class_by_labels_or_by_predictions(count_by: str, grown: set[int]) -> None:
    """Ten samples a class, of which 1, 2 and 9 are selected; a quota is 4. By predictions for the selection class 2 is
    the
    fewest, which has more already; by those for all samples class 1 is."""
    labels = np.repeat([0, 1, 2], 10)
    discrepancy = (
        np.concatenate([np.r_[np.full(n, 9.0), np.full(10 - n, -1.0)] for n in (1, 2, 9)]) - np.arange(30) / 1000
    )
    selected = discrepancy > 5
    predictions = np.empty(30, np.int64)
    predictions[selected] = [0] * 6 + [1] * 5 + [2] * 1
    predictions[~selected] = [0] * 8 + [1] * 1 + [2] * 9
    mask = splits.discrepancy_clean_mask(discrepancy, labels, 0.4, "fewest", count_by=count_by, predictions=predictions)
    assert {c for c in range(3) if mask[labels == c].sum() > selected[labels == c].sum()} == grown
    assert mask[selected].all() and mask.sum() == 12 + {0: 1, 1: 2}.get(next(iter(grown), None), 0)


@pytest.mark.parametrize("norm", ["none", "l2", "zscore"])
def test_normalised_features(norm: str) -> None:
    features = np.random.default_rng(0).normal(3, 2, (50, 4)).astype(np.float32)
    features[:, 3] = 7.0
    result = splits.normalized_features(features, norm)
    assert isinstance(result, np.ndarray) and result.dtype == np.float32
    if norm == "none":
        assert np.array_equal(result, features)
    elif norm == "l2":
        np.testing.assert_allclose(result, features / np.linalg.norm(features, axis=1, keepdims=True), rtol=1e-6)
    else:
        np.testing.assert_allclose(
            result[:, :3], (features - features.mean(0))[:, :3] / features.std(0)[:3], rtol=1e-4, atol=1e-5
        )
        assert (result[:, 3] == 0).all()


def test_all_to_all_scores_are_each_samples_own_run() -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(size=(40, 3)), np.arange(40) % 4
    scores = splits.all_to_all_scores(features, labels)
    for c in range(4):
        np.testing.assert_array_equal(scores[labels == c], splits.oss_scores(features, labels, c)[labels == c])
    mask = splits.all_to_all_clean_mask(scores, labels, 0.5)
    assert [int(mask[labels == c].sum()) for c in range(4)] == [5] * 4
    assert scores[mask & (labels == 2)].min() >= scores[~mask & (labels == 2)].max()
