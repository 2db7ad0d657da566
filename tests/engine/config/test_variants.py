"""Variants of training: each does what its setting says, and each resumes to the very same end."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
import torch

from bsd_engine.compute.plans import seed_for
from bsd_engine.events import EpochFinished
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.training import steps
from bsd_engine.training.trainer import BSDTrainer
from tests.support.short_runs import differences, run, short

pytestmark = pytest.mark.usefixtures("one_thread")

VARIANTS: dict[str, dict[str, Any]] = {
    "mixmatch_full": {"altruistic_update": "mixmatch_full"},
    "mixmatch_swapped": {"altruistic_update": "mixmatch_swapped"},
    "mixmatch_same": {"altruistic_update": "mixmatch_same"},
    "lga": {"altruistic_loss": "lga", "target_estimator": "low_loss_mode"},
    "online": {"vote_pass": "online"},
    "augmented": {"split_augment": True},
    "shared": {"all_to_all": "shared", "selective_drop": False},
    "retrain_each": {"all_to_all": "retrain_each", "selective_drop": False},
    "other architecture": {"altruistic_model": "resnet18"},
}


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("stop", [0, 1, 2])
def test_a_variant_resumes_to_the_very_same_end(small_images: PreparedData, variant: str, stop: int) -> None:
    config = short(**VARIANTS[variant])
    whole = run(config, small_images)
    for event in BSDTrainer(config, small_images).run():
        if isinstance(event, EpochFinished) and event.state.epoch == stop:
            buffer = io.BytesIO()
            torch.save(event.checkpoint(), buffer)
            break
    checkpoint = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    rest = [
        e.state for e in BSDTrainer(config, small_images, checkpoint=checkpoint).run() if isinstance(e, EpochFinished)
    ]
    assert differences(whole[stop + 1 :], rest) == []


@pytest.mark.parametrize(
    ("update", "labeled", "unlabeled"),
    [
        ("mixmatch_full", lambda pool: pool >= 0, lambda pool: pool >= 0),
        ("mixmatch_swapped", lambda pool: pool == 0, lambda pool: pool == 1),
        ("mixmatch_same", lambda pool: pool == 1, lambda pool: pool == 0),
    ],
)
def test_pools_of_an_altruistic_model_that_goes_on_with_mixmatch(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch, update: str, labeled: Any, unlabeled: Any
) -> None:
    drawn: dict[int, tuple[list[int], list[int]]] = {}
    plan = steps.mixmatch_plan
    monkeypatch.setattr(
        steps,
        "mixmatch_plan",
        lambda a, b, **kw: drawn.__setitem__(kw["seed"], (a.tolist(), b.tolist())) or plan(a, b, **kw),
    )
    states = run(short(altruistic_update=update), small_images)
    beside = [s for s in states if 0 <= s.main_epoch < 3]
    assert len(drawn) == 5 + 3
    for state in beside:
        pool = state.clean_mask.astype(int)
        expected = np.flatnonzero(labeled(pool)).tolist(), np.flatnonzero(unlabeled(pool)).tolist()
        assert drawn[seed_for(0, "altruistic", state.epoch)] == expected


def test_an_altruistic_model_that_goes_on_with_mixmatch_gets_a_new_optimiser(small_images: PreparedData) -> None:
    bsd = BSDTrainer(short(altruistic_update="mixmatch_full", main_lr=0.005), small_images)
    first = bsd.altruistic.learner.optimizer
    for event in bsd.run():
        if isinstance(event, EpochFinished) and event.state.main_epoch < 0:
            assert bsd.altruistic.learner.optimizer is first and first.param_groups[0]["lr"] == 1e-3
    assert (
        bsd.altruistic.learner.optimizer is not first
        and bsd.altruistic.learner.optimizer.param_groups[0]["lr"] == 0.005
    )


def test_lga_climbs_where_cross_entropy_is_below_its_level(small_images: PreparedData) -> None:
    """With a level that is never reached the sign is -1 throughout: the loss must grow; with level 0 it is plain CE."""
    plain, zero, high = (
        run(short(**kw), small_images)[0]
        for kw in ({}, {"altruistic_loss": "lga", "lga_gamma": 0.0}, {"altruistic_loss": "lga", "lga_gamma": 100.0})
    )
    assert differences([plain], [zero]) == []
    assert high.altruistic_loss.mean() > plain.altruistic_loss.mean()


def test_online_votes_count_the_predictions_made_while_training(small_images: PreparedData) -> None:
    online, after = (run(short(vote_pass=which), small_images)[0] for which in ("online", "eval"))
    assert online.vote_counts.sum() == after.vote_counts.sum() == len(small_images.labels)
    assert not np.array_equal(online.vote_counts, after.vote_counts)
    np.testing.assert_array_equal(online.altruistic_loss, after.altruistic_loss)


def test_augmented_scores_differ_from_epoch_to_epoch_also_of_a_frozen_model(small_images: PreparedData) -> None:
    states = run(short(split_augment=True), small_images)
    assert not np.array_equal(states[-1].altruistic_loss, states[-2].altruistic_loss)
    plain = run(short(), small_images)
    np.testing.assert_array_equal(plain[-1].altruistic_loss, plain[-2].altruistic_loss)


def test_the_splitting_loss_can_be_plain_cross_entropy(small_images: PreparedData) -> None:
    state = run(short(sce_weights=(1.0, 0.0)), small_images)[0]
    assert state.altruistic_loss.max() > 0.1 * 9.3
    reference = run(short(sce_weights=(0.1, 0.0)), small_images)[0]
    np.testing.assert_allclose(0.1 * state.altruistic_loss, reference.altruistic_loss, rtol=1e-6)


def test_with_all_to_all_no_class_is_suspected_and_everything_is_labelled_at_first(small_images: PreparedData) -> None:
    for mode in ("shared", "retrain_each"):
        states = run(short(all_to_all=mode, selective_drop=False), small_images)
        assert {s.pseudo_target for s in states} == {None}
        assert states[1].clean_mask.all() and not states[2].clean_mask.all()
        assert (states[2].oss_score > 0).all()


def test_with_all_to_all_by_retraining_the_main_model_starts_at_t1(small_images: PreparedData) -> None:
    bsd = BSDTrainer(short(all_to_all="retrain_each", selective_drop=False), small_images)
    fresh = bsd.main.network.head.weight.clone()
    for event in bsd.run():
        if isinstance(event, EpochFinished) and event.state.main_epoch == 0:
            assert torch.equal(bsd.main.network.head.weight, fresh) and len(bsd.specialists.learners) == 10
        elif isinstance(event, EpochFinished) and event.state.main_epoch == 1:
            assert not torch.equal(bsd.main.network.head.weight, fresh) and bsd.specialists.learners == []


def test_epochs_can_be_measured_on_some_test_images_and_the_last_on_all(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    rate = steps.hit_rate
    monkeypatch.setattr(
        steps, "hit_rate", lambda model, images, *rest: sizes.append(len(images)) or rate(model, images, *rest)
    )
    whole, some = (run(short(epoch_tests=n), small_images) for n in (None, 20))
    all_sizes, few_sizes = sizes[: len(sizes) // 2], sizes[len(sizes) // 2 :]
    assert set(all_sizes) == {100} and set(few_sizes[:-2]) == {20} and few_sizes[-2:] == [100, 100]
    assert differences(whole[-1:], some[-1:]) == []


def test_a_run_in_bfloat16_multiplies_in_it_and_keeps_weights_and_losses_in_float32(small_images: PreparedData) -> None:
    """Asked for by name, on any CPU: without native bfloat16 oneDNN emulates it."""
    bsd, kinds = BSDTrainer(short(precision="bfloat16"), small_images), set()
    for model in (bsd.main.network, bsd.averaged, bsd.altruistic.network):
        for layer in model.modules():
            if isinstance(layer, torch.nn.Conv2d):
                layer.register_forward_hook(lambda module, given, made: kinds.add(made.dtype))
    before = bsd.main.network.head.weight.clone()
    states = [event.state for event in bsd.run() if isinstance(event, EpochFinished)]
    assert kinds == {torch.bfloat16} and bsd.steps.runtime.description.endswith("bfloat16")
    assert {p.dtype for p in bsd.main.network.parameters()} == {torch.float32} and not torch.equal(
        bsd.main.network.head.weight, before
    )
    plain = run(short(precision="float32"), small_images)
    for rough, exact in zip(states, plain):
        assert rough.altruistic_loss.dtype == np.float32 and np.isfinite(rough.altruistic_loss).all()
        assert rough.altruistic_loss.mean() == pytest.approx(exact.altruistic_loss.mean(), rel=0.1)
