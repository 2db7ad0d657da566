"""Which samples an attack poisons: counts, rates, conventions, labels."""

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bsd_engine import attacks
from bsd_engine.config.data_settings import PoisonCountMode
from bsd_engine.splits import exact_count
from tests.support.attack.simple_attacks import NumberedCorner, WhiteCorner, random_images, random_labels

SHAPES = [(3, 32, 32), (1, 28, 28)]
ALL_SHAPES = [(channels, side, side) for channels in (1, 3) for side in (28, 32, 224)]


@settings(max_examples=30, deadline=None)
@given(rate=st.floats(0.05, 1), target=st.integers(0, 9), count=st.integers(60, 200), seed=st.integers(0, 2**31 - 1))
def test_dirty_label_poisons_an_exact_share_of_the_other_classes(
    rate: float, target: int, count: int, seed: int
) -> None:
    labels = random_labels(count)
    poisoned = attacks.make("badnets", (1, 8, 8)).poison(random_images(count, (1, 8, 8)), labels, rate, target, seed)
    others = labels != target
    assert poisoned.is_poison.sum() == exact_count(rate, int(others.sum()))
    assert not poisoned.is_poison[~others].any()
    assert (poisoned.labels[poisoned.is_poison] == target).all()
    assert torch.equal(poisoned.labels[~poisoned.is_poison], labels[~poisoned.is_poison])


def test_count_on_a_set_like_cifar10_is_2250() -> None:
    labels = torch.arange(50_000) % 10
    poisoned = attacks.make("badnets", (1, 8, 8)).poison(
        torch.zeros(50_000, 1, 8, 8, dtype=torch.uint8), labels, 0.05, 3, 0
    )
    assert poisoned.is_poison.sum() == 2250
    assert (poisoned.labels == 3).sum() == 7250


def test_clean_label_poisons_the_target_class_and_keeps_labels() -> None:
    labels = torch.arange(400) % 10
    poisoned = WhiteCorner().poison(random_images(400), labels, 0.25, 3, 0)
    assert poisoned.is_poison.sum() == 10
    assert (labels[poisoned.is_poison] == 3).all()
    assert torch.equal(poisoned.labels, labels)


def test_samples_depend_on_the_seed_and_grow_with_the_rate() -> None:
    images, labels = random_images(300), random_labels(300)
    attack = attacks.make("badnets")
    masks = {
        (rate, seed): attack.poison(images, labels, rate, 0, seed).is_poison for rate in (0.1, 0.3) for seed in (0, 1)
    }
    again = attacks.make("badnets", seed=9).poison(images, labels, 0.1, 0, 0).is_poison
    assert torch.equal(masks[0.1, 0], again)
    assert not torch.equal(masks[0.1, 0], masks[0.1, 1])
    assert (masks[0.1, 0] <= masks[0.3, 0]).all()


def test_trigger_learns_the_number_of_each_sample() -> None:
    images, labels = torch.zeros(100, 3, 32, 32, dtype=torch.uint8), torch.arange(100) % 10
    poisoned = NumberedCorner().poison(images, labels, 0.2, 3, 0)
    idx = poisoned.is_poison.nonzero().squeeze(1)
    assert torch.equal(poisoned.images[idx, 0, 0, 0].long(), idx)
    assert torch.equal(NumberedCorner().apply(images[:3])[:, 0, 0, 0].long(), torch.arange(3))
    assert torch.equal(
        NumberedCorner().apply(images[:2], indices=np.array([7, 9]))[:, 0, 0, 0].long(), torch.tensor([7, 9])
    )


COUNTS = {  # of 400 samples, 40 of them of the target class, at rate .1
    "exact_nontarget": 36,
    "exact_all": 40,
    "exact_all_from_nontarget": 40,
}


@pytest.mark.parametrize("mode", get_args(PoisonCountMode))
def test_each_convention_counts_what_it_says(mode: PoisonCountMode) -> None:
    images, labels = random_images(400, (1, 8, 8)), torch.arange(400) % 10
    attack = attacks.make("badnets", (1, 8, 8))
    sets = [attack.poison(images, labels, 0.1, 3, seed, count_mode=mode) for seed in range(30)]
    counts = [int(s.is_poison.sum()) for s in sets]
    from_target = [int(s.is_poison[labels == 3].sum()) for s in sets]
    assert all((s.labels[s.is_poison] == 3).all() for s in sets)
    if mode == "bernoulli_nontarget":
        assert len(set(counts)) > 5 and abs(np.mean(counts) - 36) < 4
    else:
        assert set(counts) == {COUNTS[mode]}
    assert abs(np.mean(from_target) - 4) < 1.5 if mode == "exact_all" else not any(from_target)
    few, many = (attack.poison(images, labels, rate, 3, 0, count_mode=mode).is_poison for rate in (0.1, 0.3))
    assert (few <= many).all()


@pytest.mark.parametrize("name", attacks.names())
def test_clean_label_attacks_touch_neither_labels_nor_other_classes(name: str) -> None:
    images, labels = random_images(400), torch.arange(400) % 10
    for mode in get_args(PoisonCountMode):
        poisoned = attacks.make(name).poison(images, labels, 0.5, 3, 0, count_mode=mode)
        relabelled, taken = poisoned.labels != labels, set(labels[poisoned.is_poison].tolist())
        if attacks.kind(name).clean_label:
            assert (
                not relabelled.any() and taken == {3} and torch.equal(poisoned.images[labels != 3], images[labels != 3])
            )
            assert mode == "bernoulli_nontarget" or poisoned.is_poison.sum() == 20
        else:
            assert relabelled.any()


def test_without_a_rate_an_attack_has_its_own() -> None:
    images, labels = random_images(400), torch.arange(400) % 10
    counts = {
        name: int(attacks.make(name).poison(images, labels, None, 3, 0).is_poison.sum()) for name in attacks.names()
    }
    own = {
        "sig": 10,
        "label_consistent": 10,
        "narcissus": 10,
        "badnets_all2all": 20,
        "adaptive": 3,
        "source_specific": 12,
    }
    assert counts == {name: own.get(name, 18) for name in attacks.names()}


@pytest.mark.parametrize("name", attacks.names())
def test_which_test_images_count_and_what_is_success(name: str) -> None:
    labels = torch.tensor([0, 3, 9, 3])
    attack = attacks.make(name)
    every, counted = (
        name == "badnets_all2all",
        {"badnets_all2all": [True] * 4, "source_specific": [True, False, False, False]},
    )
    assert attack.test_mask(labels, 3).tolist() == counted.get(name, [True, False, True, False])
    assert attack.test_labels(labels, 3).tolist() == ([1, 4, 0, 4] if every else [3, 3, 3, 3])
