"""The first pool and the alpha schedule: Eq. 3 and Eq. 11, each against a slow reference."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from bsd_engine import splits
from tests.support.split_arrays import labels_with_gaps, members, quick, scored_labels


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
