"""Class completion, selective drop and the splits of all-to-all, each against a slow reference."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bsd_engine import splits
from tests.support.split_arrays import members, quick, scored_labels, share_of, top


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
