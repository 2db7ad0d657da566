"""A whole tiny run, recorded: the order of its events, what each epoch holds, and what the pools follow from."""

from __future__ import annotations

import math
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from bsd_engine import splits
from bsd_engine.config.presets import smoke
from bsd_engine.events import EpochFinished, IterationDone, RunFinished, RunStarted
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run
from bsd_engine.target import votes
from tests.support.short_runs import differences, run
from tests.support.training_runs import Recorded

pytestmark = pytest.mark.usefixtures("one_thread")


def test_events_come_in_order_and_are_numbered(recorded: Recorded) -> None:
    schedule, n = recorded.config.schedule, len(recorded.prepared.labels)
    expected: list[tuple] = [("start", 0, schedule.total_epochs)]
    for epoch in range(schedule.total_epochs):
        in_warmup = epoch < schedule.altruistic_epochs
        steps = math.ceil(n / recorded.config.altruistic.altruistic_batch) if in_warmup else schedule.iterations
        expected += [("iteration", epoch, schedule.stage(epoch), i + 1, steps) for i in range(steps)]
        expected += [("epoch", epoch, schedule.stage(epoch))]
    expected += [("end",)]
    as_tuple = {
        RunStarted: lambda e: ("start", e.first_epoch, e.total_epochs),
        IterationDone: lambda e: ("iteration", e.epoch, e.stage, e.iteration, e.iterations),
        EpochFinished: lambda e: ("epoch", e.state.epoch, e.state.stage),
        RunFinished: lambda e: ("end",),
    }
    assert [as_tuple[type(e)](e) for e in recorded.events] == expected
    assert [e.generation for e in recorded.events] == list(range(len(expected)))


def test_every_stage_is_visited_in_order(recorded: Recorded) -> None:
    assert [s.stage for s in recorded.states] == (
        ["altruistic_warmup"] * 2
        + ["oss_warmup"] * 2
        + ["initial_pools"]
        + ["class_completion"] * 2
        + ["selective_drop"] * 2
    )


def test_an_epoch_never_changes_after_its_event(recorded: Recorded) -> None:
    assert [pack_epoch(state) for state in recorded.states] == recorded.packed


def test_the_folder_holds_what_the_events_reported(recorded: Recorded) -> None:
    reader = RunReader(recorded.path)
    assert reader.status == "finished" and reader.epochs == list(range(9)) and reader.config == recorded.config
    assert [pack_epoch(reader.epoch(e)) for e in reader.epochs] == recorded.packed
    assert torch.equal(torch.from_numpy(reader.labels), recorded.prepared.labels)
    np.testing.assert_array_equal(reader.images, recorded.prepared.images.permute(0, 3, 1, 2).numpy())
    np.testing.assert_array_equal(reader.truth.is_poison, recorded.prepared.is_poison.numpy())
    assert [int(p.stem) for p in checkpoint_paths(recorded.path)] == [1, 3, 4, 6, 7, 8] and reader.progress[
        "state"
    ] == "finished"


def test_arrays_have_their_documented_types(recorded: Recorded) -> None:
    n, classes = len(recorded.prepared.labels), recorded.prepared.num_classes
    always = {"altruistic_loss": ((n,), np.float32), "altruistic_prediction": ((n,), np.int16)}
    warmup = always | {"vote_counts": ((classes,), np.int64), "vote_scores": ((classes,), np.float32)}
    of_target = ("estimator_scores", "transplant_shares", "residuals", "residual_classes")
    main = always | {
        "main_loss": ((n,), np.float32),
        "main_prediction": ((n,), np.int16),
        "clean_mask": ((n,), np.bool_),
    }
    for state in recorded.states:
        arrays = {
            f.name: getattr(state, f.name) for f in fields(state) if isinstance(getattr(state, f.name), np.ndarray)
        }
        for name in of_target:  # tested with the records of the estimators
            arrays.pop(name, None)
        features = arrays.pop("landmark_features")
        assert features.dtype == np.float16 and len(features) == len(recorded.prepared.landmark_idx)
        if state.oss_score is not None:
            assert arrays.pop("oss_score").dtype == np.float32
            assert (arrays["oss_distances"].shape, arrays.pop("oss_distances").dtype) == ((3, n), np.float32)
            assert (arrays["nearest_class"].shape, arrays.pop("nearest_class").dtype) == ((n,), np.int16)
        assert {k: (v.shape, v.dtype.type) for k, v in arrays.items()} == (main if state.main_epoch >= 0 else warmup)


def test_the_summary_has_the_names_that_scripts_rely_on(recorded: Recorded, summary_keys: set[str]) -> None:
    summary, last = recorded.summary, recorded.states[-1]
    assert summary_keys <= set(summary) and RunReader(recorded.path).summary == summary
    assert (summary["status"], summary["preset"], summary["data"], summary["attack"]) == (
        "finished",
        "smoke",
        "bundled",
        "badnets",
    )
    assert summary["epochs"] == 9 and summary["true_target"] == 3 and summary["pseudo_target"] == last.pseudo_target
    assert {
        k: summary[k] for k in ("clean_accuracy", "attack_success_rate", "clean_pool_size", "poison_in_clean_pool")
    } == {
        k: last.metrics[k] for k in ("clean_accuracy", "attack_success_rate", "clean_pool_size", "poison_in_clean_pool")
    }


def test_the_smoke_preset_trains_on_the_bundled_images(tmp_path: Path, summary_keys: set[str]) -> None:
    summary = record_run(smoke().with_settings(device="cpu"), tmp_path / "run")
    reader = RunReader(tmp_path / "run")
    assert reader.status == "finished" and len({reader.epoch(e).stage for e in reader.epochs}) == 5
    assert reader.images.shape == (200, 1, 28, 28) and reader.class_names[9] == "ankle boot"
    assert summary_keys <= set(summary) and all(summary[k] is not None for k in summary_keys)


def test_pools_follow_from_what_was_recorded(recorded: Recorded) -> None:
    """Each pool, computed again from the recorded scores with the functions of `splits` alone."""
    schedule, split, labels = recorded.config.schedule, recorded.config.split, recorded.prepared.labels.numpy()
    for t, state in recorded.main.items():
        if t < schedule.t1:
            expected = labels != state.pseudo_target
        elif t == schedule.t1:
            als = splits.als_clean_mask(state.altruistic_loss, split.alpha)
            expected = splits.initial_clean_mask(
                als, splits.oss_clean_mask(state.oss_score, labels, state.pseudo_target, split.beta)
            )
        elif t < schedule.t1 + schedule.init_epochs:
            expected = recorded.main[t - 1].clean_mask
        else:
            ratio = splits.clean_ratio(
                t, alpha=split.alpha, beta=split.beta, t1=schedule.t1, init_epochs=schedule.init_epochs, t2=schedule.t2
            )
            assert state.clean_ratio == ratio
            expected = splits.discrepancy_clean_mask(
                splits.loss_discrepancy(state.altruistic_loss, state.main_loss), labels, ratio, split.completion
            )
            if t >= schedule.t2:
                expected = splits.selective_drop(
                    expected, state.main_prediction, state.altruistic_prediction, state.pseudo_target
                )
        np.testing.assert_array_equal(state.clean_mask, expected, err_msg=f"T = {t}")
        assert state.metrics["clean_pool_size"] == state.clean_mask.sum()


def test_oss_scores_are_there_up_to_t1(recorded: Recorded) -> None:
    t1 = recorded.config.schedule.t1
    assert [t for t, state in recorded.main.items() if state.oss_score is not None] == list(range(t1 + 1))


def test_the_altruistic_model_learns_until_t2_and_then_stays(recorded: Recorded) -> None:
    """Its scores at T are those after T - 1, so they stay the same from T2 + 1 on."""
    t2 = recorded.config.schedule.t2
    for t in range(1, t2 + 2):
        unchanged = np.array_equal(recorded.main[t].altruistic_loss, recorded.main[t - 1].altruistic_loss)
        assert unchanged == (t > t2)
        assert (recorded.main[t].metrics["altruistic_train_loss"] is None) == (t >= t2)
        assert not np.array_equal(recorded.main[t].main_loss, recorded.main[t - 1].main_loss)


def test_poison_in_the_pool_is_counted_and_summed(recorded: Recorded) -> None:
    is_poison, total = recorded.prepared.is_poison.numpy(), 0
    assert is_poison.sum() > 0
    for state in recorded.main.values():
        count = int((state.clean_mask & is_poison).sum())
        total += count
        assert (
            state.metrics["poison_in_clean_pool"] == count and state.metrics["poison_in_clean_pool_cumulative"] == total
        )


def test_rates_are_percentages_of_the_test_images(recorded: Recorded) -> None:
    for state in recorded.main.values():
        for name in ("clean_accuracy", "attack_success_rate"):
            assert 0 <= state.metrics[name] <= 100 and (state.metrics[name] * 100 / 100) % 1 == pytest.approx(
                0, abs=1e-9
            )


def test_the_suspected_target_is_settled_after_the_warmup(recorded: Recorded) -> None:
    last_vote = recorded.states[recorded.config.schedule.altruistic_epochs - 1]
    assert last_vote.pseudo_target == int(last_vote.vote_scores.argmax())
    assert {s.pseudo_target for s in recorded.main.values()} == {last_vote.pseudo_target}


def test_the_warmup_records_the_scores_of_every_estimator(recorded: Recorded) -> None:
    last = recorded.config.schedule.altruistic_epochs - 1
    for state in recorded.states:
        if state.epoch > last:
            assert state.estimators is None and state.residuals is None
            asked = state.epoch in (recorded.config.schedule.first_split, recorded.states[-1].epoch)
            assert (state.verdict is not None) == asked
            assert (state.poison_probability is not None) == (asked and state.verdict["kind"] == "target")
            continue
        expected = [*votes.READ_FROM_LOGITS, *(["residual_transplant"] if state.epoch == last else [])]
        assert state.estimators == expected and state.estimator_scores.shape == (len(expected), 10)
        assert state.estimator_scores.dtype == np.float32
    state = recorded.states[last]
    assert state.verdict["kind"] in ("target", "uncertain", "no_attack", "several")
    assert state.transplant_shares.shape == (10, 10)
    assert state.residuals.shape == (4, *recorded.prepared.images.shape[1:]) and state.residuals.dtype == np.int8
    assert state.residual_classes[0] == state.estimator_scores[-1].argmax()


def test_the_same_seed_gives_the_same_run(recorded: Recorded) -> None:
    assert differences(run(recorded.config, recorded.prepared), recorded.states) == []
