"""The draws of an epoch: what is drawn, how often, and that seed, role and epoch alone decide it."""

from __future__ import annotations

from dataclasses import fields
from itertools import product

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bsd_engine.compute.plans import MixMatchPlan, draw_batches, draw_crops, generator_for, mixmatch_plan, seed_for

quick = settings(deadline=None, max_examples=60)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@quick
@given(n=st.integers(1, 40), batch=st.integers(1, 12), iterations=st.integers(1, 30), seed=st.integers(0, 99))
def test_a_pool_is_drawn_without_replacement_until_too_few_are_left(
    n: int, batch: int, iterations: int, seed: int
) -> None:
    pool = torch.arange(n) * 3 + 100
    batches = draw_batches(pool, batch, iterations, generator(seed))
    assert batches.shape == (iterations, batch) and torch.isin(batches, pool).all()
    if n >= batch:
        for one_pass in batches.split(n // batch):
            assert one_pass.unique().numel() == one_pass.numel()


def test_each_pass_has_a_new_order() -> None:
    first, second = draw_batches(torch.arange(64), 64, 2, generator())
    assert torch.equal(first.sort().values, second.sort().values) and not torch.equal(first, second)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_a_pool_smaller_than_a_batch_is_drawn_with_replacement(n: int) -> None:
    batches = draw_batches(torch.arange(n), 8, 50, generator())
    assert batches.shape == (50, 8) and set(batches.flatten().tolist()) == set(range(n))


def test_every_seed_role_and_epoch_has_draws_of_its_own() -> None:
    seeds = [seed_for(*key) for key in product(range(5), ("main", "altruistic", "pools"), range(-1, 20))]
    assert len(set(seeds)) == len(seeds) and all(0 <= s < 2**63 for s in seeds)
    assert torch.rand(3, generator=generator_for(1, "main", 2)).equal(
        torch.rand(3, generator=generator_for(1, "main", 2))
    )
    assert not torch.rand(3, generator=generator_for(1, "main", 2)).equal(
        torch.rand(3, generator=generator_for(1, "main", 3))
    )


def draw(
    labeled: int = 30, unlabeled: int = 25, iterations: int = 12, flip: bool = True, seed: int = 3
) -> MixMatchPlan:
    """A plan with 8 labelled and 5 unlabelled images a batch; the pools are 0 ... and 1000 ..."""
    return mixmatch_plan(
        torch.arange(labeled),
        1000 + torch.arange(unlabeled),
        labeled_batch=8,
        unlabeled_batch=5,
        iterations=iterations,
        mixup_alpha=0.75,
        crop_padding=4,
        flip=flip,
        seed=seed,
    )


def equal(a: MixMatchPlan, b: MixMatchPlan) -> bool:
    values = [(getattr(a, f.name), getattr(b, f.name)) for f in fields(MixMatchPlan)]
    return all(torch.equal(x, y) if isinstance(x, Tensor) else x == y for x, y in values)


def test_a_plan_has_labelled_rows_first_and_each_unlabelled_image_twice() -> None:
    plan = draw()
    assert plan.idx.shape == (12, 18) and plan.labeled == 8
    assert (plan.idx[:, :8] < 1000).all() and (plan.idx[:, 8:] >= 1000).all()
    assert torch.equal(plan.idx[:, 8:13], plan.idx[:, 13:])
    assert not torch.equal(plan.shift[:, 8:13], plan.shift[:, 13:])  # two augmentations of their own


def test_mixup_partners_are_a_permutation_in_each_iteration() -> None:
    plan = draw()
    assert torch.equal(plan.partner.sort(1).values, torch.arange(18).expand(12, 18))
    assert not torch.equal(plan.partner[0], plan.partner[1])


def test_an_empty_unlabelled_pool_leaves_labelled_rows_only() -> None:
    plan = draw(unlabeled=0)
    assert plan.idx.shape == plan.partner.shape == (12, 8) and (plan.idx < 1000).all()


def test_the_same_seed_draws_the_same_plan_and_another_one_not() -> None:
    assert equal(draw(), draw()) and not equal(draw(), draw(seed=4))


def test_drawing_leaves_the_global_random_state_alone() -> None:
    before = torch.random.get_rng_state()
    draw()
    assert torch.equal(before, torch.random.get_rng_state())


def test_crops_reach_every_offset_and_half_are_mirrored() -> None:
    shift, flips = draw_crops((40, 100), 4, True, generator())
    assert shift.shape == (40, 100, 2) and flips.shape == (40, 100)
    assert shift.unique().tolist() == list(range(-4, 5))
    assert flips.float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_nothing_is_moved_without_padding() -> None:
    assert not draw_crops((40, 100), 0, True, generator())[0].any()


def test_nothing_is_mirrored_without_flip() -> None:
    assert not draw_crops((40, 100), 4, False, generator())[1].any() and not draw(flip=False).flip.any()
