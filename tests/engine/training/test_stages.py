"""What each stage trains on and which target it defends against, under settings other than the default ones."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bsd_engine import splits
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.splits import als_clean_mask
from bsd_engine.target.verdict import Verdict
from bsd_engine.training import steps, target_search
from tests.support.short_runs import differences, run, short

pytestmark = pytest.mark.usefixtures("one_thread")


def test_labelled_and_unlabelled_images_partition_the_set(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[tuple[set[int], set[int]]] = []
    plan = steps.mixmatch_plan

    def spy(labeled_idx: torch.Tensor, unlabeled_idx: torch.Tensor, **settings: Any) -> Any:
        drawn.append((set(labeled_idx.tolist()), set(unlabeled_idx.tolist())))
        return plan(labeled_idx, unlabeled_idx, **settings)

    monkeypatch.setattr(steps, "mixmatch_plan", spy)
    states = [s for s in run(short(), small_images) if s.main_epoch >= 0]
    assert len(drawn) == len(states) == 5
    for (labeled, unlabeled), state in zip(drawn, states):
        assert labeled == set(np.flatnonzero(state.clean_mask).tolist())
        assert unlabeled == set(np.flatnonzero(~state.clean_mask).tolist())


@pytest.mark.parametrize(("choice", "expected"), [("nontarget", lambda y, t: y != t), ("none", lambda y, t: y < 0)])
def test_unlabelled_images_of_the_oss_warmup_can_be_others(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch, choice: str, expected: Callable
) -> None:
    drawn: list[list[int]] = []
    plan = steps.mixmatch_plan
    monkeypatch.setattr(steps, "mixmatch_plan", lambda a, b, **kw: drawn.append(b.tolist()) or plan(a, b, **kw))
    states = run(short(oss_warmup_unlabeled=choice), small_images)
    assert drawn[0] == expected(small_images.labels, states[1].pseudo_target).nonzero().squeeze(1).tolist()


def test_samples_are_dropped_from_t2_on_only(small_images: PreparedData, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    monkeypatch.setattr(
        splits, "selective_drop", lambda mask, *_: calls.append(int(mask.sum())) or torch.arange(len(mask)) < 7
    )
    states = run(short(), small_images)
    sizes = {s.main_epoch: int(s.clean_mask.sum()) for s in states if s.main_epoch >= 0}
    assert len(calls) == 2 and [sizes[3], sizes[4]] == [7, 7] and 7 not in (sizes[0], sizes[1], sizes[2])


def test_dropping_can_be_switched_off(small_images: PreparedData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "selective_drop", lambda *_: pytest.fail("samples were dropped"))
    assert len(run(short(selective_drop=False), small_images)) == 6


def test_a_given_target_is_used(small_images: PreparedData) -> None:
    states = run(short(target_estimator="given", assume_target=7), small_images)
    assert {s.pseudo_target for s in states} == {7}
    np.testing.assert_array_equal(states[1].clean_mask, small_images.labels.numpy() != 7)


@pytest.mark.parametrize(
    "estimator",
    ["auto", "second_logit_mode", "probability_floor", "median_probability", "low_loss_mode", "label_count"],
)
def test_an_estimator_that_can_be_chosen_decides(small_images: PreparedData, estimator: str) -> None:
    states = run(short(target_estimator=estimator), small_images)
    assert states[-1].pseudo_target == int(states[0].vote_scores.argmax())


def planted_verdict(kind: str, target: int) -> Callable[..., Verdict]:
    """A `decide_target` that always reaches this verdict."""
    return lambda transplant, epochs, **more: Verdict(kind=kind, classes=(target,), z=9.0, why="planted")


def test_with_no_attack_found_the_likeliest_class_is_defended_against(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_search, "decide_target", planted_verdict("no_attack", 6))
    states = run(short(target_estimator="auto"), small_images)
    assert {s.pseudo_target for s in states} == {6} and states[0].verdict["kind"] == "no_attack"


def test_no_class_is_suspected_if_that_is_chosen(small_images: PreparedData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_search, "decide_target", planted_verdict("no_attack", 6))
    states = run(short(target_estimator="auto", no_attack="no_target"), small_images)
    assert {s.pseudo_target for s in states} == {None} and states[1].clean_mask.all() and states[1].oss_score is None
    first = states[2]
    np.testing.assert_array_equal(first.clean_mask, als_clean_mask(first.altruistic_loss, short().split.als_ratio))
    assert states[-1].clean_mask.any()


def test_several_targets_are_defended_against_as_all_to_all(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_search, "decide_target", planted_verdict("several", 0))
    states = run(short(target_estimator="auto"), small_images)
    chosen = run(short(target_estimator="second_logit_mode", all_to_all="shared", selective_drop=False), small_images)
    assert {s.pseudo_target for s in states} == {None}
    for ours, theirs in zip(states[1:], chosen[1:]):
        np.testing.assert_array_equal(ours.clean_mask, theirs.clean_mask)


def test_another_seed_gives_another_run(small_images: PreparedData) -> None:
    a, b = (run(short(seed=seed), small_images) for seed in (1, 2))
    assert any("clean_mask" in where for where in differences(a, b))


def test_no_decision_depends_on_the_ground_truth(small_images: PreparedData) -> None:
    shuffled = torch.randperm(len(small_images.labels), generator=torch.Generator().manual_seed(0))
    with_false_truth = replace(
        small_images, is_poison=small_images.is_poison[shuffled], original_labels=small_images.original_labels[shuffled]
    )
    without_truth = replace(small_images, is_poison=None, original_labels=None)
    with_truth = run(short(), small_images)
    counts = ("poison_in_clean_pool", "poison_in_clean_pool_cumulative")
    for other in (with_false_truth, without_truth):
        assert differences(with_truth, run(short(), other), ignore=counts) == []


def test_training_leaves_the_global_random_state_alone(small_images: PreparedData) -> None:
    before = torch.random.get_rng_state()
    run(short(), small_images)
    assert torch.equal(before, torch.random.get_rng_state())


@pytest.mark.parametrize(
    "settings",
    [
        {"bn_mode": "separate", "ema": 0.0, "rampup": 1},
        {"guess_updates_bn": True, "als_snapshot": "after_warmup", "flip": False},
        {"init_combine": "random", "oss_distance": "mean", "labeled_batch": 8},
        {"init_combine": "union", "completion": "fewest", "unlabeled_batch": 24},
        {"completion": "off", "als_init_ratio": 0.3, "altruistic_batch": 199},
    ],
    ids=str,
)
def test_variants_pass_through_every_stage(small_images: PreparedData, settings: dict[str, Any]) -> None:
    states = run(short(**settings), small_images)
    assert len({s.stage for s in states}) == 5
    for state in states:
        losses = [v for k, v in state.metrics.items() if k.endswith("train_loss") and v is not None]
        assert losses and all(math.isfinite(v) for v in losses)
