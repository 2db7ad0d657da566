"""Variants of training: each does what its setting says, and each resumes to the very same end."""

from __future__ import annotations

import io
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bsd_engine.compute.plans import seed_for
from bsd_engine.config.settings import GROUPS
from bsd_engine.errors import RunFolderError
from bsd_engine.events import EpochFinished, IterationDone, RunStarted
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs.branching import FREE, KEPT_GROUPS, READ_BY, check_same_past
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import branch_run, load_checkpoint, record_run, resume_run
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


# --- branches ---


@pytest.fixture(scope="module")
def recorded(small_images: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("runs") / "old"
    record_run(short(), path, prepared=small_images)
    return path


def test_a_branch_with_the_same_settings_is_the_same_run(
    recorded: Path, small_images: PreparedData, tmp_path: Path
) -> None:
    branch_run(recorded, 1, short(), tmp_path / "new", prepared=small_images)
    old, new = RunReader(recorded), RunReader(tmp_path / "new")
    assert new.status == "finished" and new.branched_from == {"run": "old", "epoch": 1} and old.branched_from is None
    assert differences([old.epoch(e) for e in old.epochs], [new.epoch(e) for e in new.epochs]) == []


def test_a_branch_with_another_alpha_goes_its_own_way_after_the_epoch(
    recorded: Path, small_images: PreparedData, tmp_path: Path
) -> None:
    started: list[int] = []
    branch_run(
        recorded,
        1,
        short(alpha=0.4),
        tmp_path / "new",
        prepared=small_images,
        on_event=lambda e: started.append(e.first_epoch) if isinstance(e, RunStarted) else None,
    )
    old, new = RunReader(recorded), RunReader(tmp_path / "new")
    assert started == [2] and new.config.split.alpha == 0.4
    assert differences([old.epoch(e) for e in (0, 1)], [new.epoch(e) for e in (0, 1)]) == []
    assert new.epoch(2).clean_mask.sum() < old.epoch(2).clean_mask.sum()


def test_a_branch_with_a_given_target_defends_against_that_without_a_new_warm_up(
    recorded: Path, small_images: PreparedData, tmp_path: Path
) -> None:
    guessed = RunReader(recorded).epoch(0).pseudo_target
    other = (guessed + 1) % small_images.num_classes
    seen = []
    branch_run(
        recorded,
        0,
        short(target_estimator="given", assume_target=other),
        tmp_path / "new",
        prepared=small_images,
        on_event=lambda event: seen.append(event.epoch) if isinstance(event, IterationDone) else None,
    )
    new = RunReader(tmp_path / "new")
    assert min(seen) == 1 and new.epoch(0).pseudo_target == guessed
    assert {new.epoch(e).pseudo_target for e in new.epochs[1:]} == {other}
    np.testing.assert_array_equal(new.epoch(1).clean_mask, new.labels != other)


def test_a_checkpoint_of_an_earlier_program_goes_on(recorded: Path, small_images: PreparedData) -> None:
    checkpoint = load_checkpoint(recorded, 0)
    for name in ("_transplant_scores", "_verdict"):
        checkpoint.pop(name)
    del checkpoint["_clues"]["median"]
    config = short(target_estimator="probability_floor")
    old = BSDTrainer(config, small_images, checkpoint=checkpoint)
    whole = BSDTrainer(config, small_images, checkpoint=load_checkpoint(recorded, 0))
    assert old.pseudo_target == whole.pseudo_target
    with pytest.raises(RunFolderError, match="its checkpoint has no record of median"):
        BSDTrainer(short(target_estimator="median_probability"), small_images, checkpoint=checkpoint)


def test_a_branch_can_be_interrupted_and_resumed(recorded: Path, small_images: PreparedData, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def kill(event: object) -> None:
        if isinstance(event, EpochFinished) and event.state.epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        branch_run(recorded, 1, short(alpha=0.4), tmp_path / "new", prepared=small_images, on_event=kill)
    resume_run(tmp_path / "new", prepared=small_images)
    branch_run(recorded, 1, short(alpha=0.4), tmp_path / "whole", prepared=small_images)
    new, whole = RunReader(tmp_path / "new"), RunReader(tmp_path / "whole")
    assert differences([new.epoch(e) for e in new.epochs], [whole.epoch(e) for e in whole.epochs]) == []


@pytest.mark.parametrize(
    ("epoch", "settings", "sentence"),
    [
        (77, {}, "has no checkpoint after epoch 77; checkpoints exist after the epochs 0, 1, 2, 3, 4, 5"),
        (1, {"seed": 5}, "seed is 5, but the run to branch from has 0"),
        (1, {"rate": 0.1}, "The settings of attack differ"),
        (1, {"limit": 100}, "The settings of data differ"),
        (3, {"t1": 3, "t2": 5, "t3": 7}, "Epoch 2 would be in the stage oss_warmup instead of initial_pools"),
        (
            0,
            {"altruistic_lr": 0.1},
            "altruistic_lr is 0.1, but the altruistic warm-up before the branch used 0.001; keep it, or",
        ),
        (1, {"ema": 0.5}, "ema is 0.5, but the OSS warm-up before the branch used"),
        (1, {"main_lr": 0.5}, "main_lr is 0.5, but the OSS warm-up"),
        (1, {"iterations": 2}, "iterations is 2, but the OSS warm-up"),
        (1, {"t3": 6}, "rampup is 6, but the OSS warm-up before the branch used 5"),
        (1, {"target_estimator": "given", "assume_target": 2}, "target_estimator is 'given', but the OSS warm-up"),
        (2, {"alpha": 0.4}, "alpha is 0.4, but the first split"),
        (3, {"t2": 4}, "t2 is 4, but the class completion"),
        (4, {"selective_drop": False}, "selective_drop is False, but the selective drop"),
        (4, {"rampup": 5, "t3": 3}, "t3 is 3, which ends before epoch 4"),
    ],
)
def test_a_branch_keeps_its_past(
    recorded: Path, small_images: PreparedData, tmp_path: Path, epoch: int, settings: dict, sentence: str
) -> None:
    config = short().with_settings(**settings)
    with pytest.raises(RunFolderError, match=sentence):
        branch_run(recorded, epoch, config, tmp_path / "new", prepared=small_images)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("epoch", "settings"),
    [
        (
            0,
            {
                "ema": 0.5,
                "main_lr": 0.5,
                "iterations": 2,
                "altruistic_update": "mixmatch_same",
                "lambda_u": 1.0,
                "target_estimator": "label_count",
            },
        ),
        (1, {"alpha": 0.5, "beta": 0.3, "init_combine": "union", "oss_distance": "max", "feature_norm": "l2"}),
        (2, {"completion": "balanced", "count_by": "all_pred", "alpha_start": 0.3}),
        (3, {"selective_drop": False, "undefended_epochs": 3, "rampup": 5, "t3": 6}),
        (3, {"drop_start": 4}),
    ],
)
def test_what_only_later_epochs_read_may_change(epoch: int, settings: dict[str, Any]) -> None:
    check_same_past(short(), short().with_settings(**settings), epoch)


def test_every_setting_of_training_is_read_by_something() -> None:
    placed = [name for names in READ_BY.values() for name in names] + list(FREE)
    settings = {f.name for group, kind in GROUPS.items() if group not in KEPT_GROUPS for f in fields(kind)}
    assert len(placed) == len(set(placed)) and set(placed) - {"completion_ends"} == settings


def test_a_branch_trains_with_its_own_learning_rate(recorded: Path, small_images: PreparedData) -> None:
    checkpoint = load_checkpoint(recorded, 0)
    assert (
        BSDTrainer(short(main_lr=0.5), small_images, checkpoint=checkpoint).main.optimizer.param_groups[0]["lr"] == 0.5
    )


def test_a_branch_that_dies_in_its_first_epoch_resumes(
    recorded: Path, small_images: PreparedData, tmp_path: Path
) -> None:
    class Killed(Exception):
        pass

    def kill(event: object) -> None:
        if isinstance(event, IterationDone):
            raise Killed

    with pytest.raises(Killed):
        branch_run(recorded, 3, short(selective_drop=False), tmp_path / "new", prepared=small_images, on_event=kill)
    assert RunReader(tmp_path / "new").can_resume and RunReader(tmp_path / "new").epochs == [0, 1, 2, 3]
    resume_run(tmp_path / "new", prepared=small_images)
    assert RunReader(tmp_path / "new").epochs == list(range(6))


def test_other_data_under_the_same_name_are_noticed(recorded: Path, small_images: PreparedData, tmp_path: Path) -> None:
    from dataclasses import replace

    with pytest.raises(RunFolderError, match="was trained on other data"):
        branch_run(recorded, 1, short(), tmp_path / "new", prepared=replace(small_images, fingerprint="0" * 16))
