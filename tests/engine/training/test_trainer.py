"""Whole runs, tiny: the order of events, what each stage may do, and that stopping and resuming change nothing."""

from __future__ import annotations

import errno
import math
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bsd_engine import splits
from bsd_engine.config.presets import smoke
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError, StorageError, TrainingError
from bsd_engine.events import EpochFinished, EpochState, Event, IterationDone, RunFinished, RunStarted
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.runs.record import record_run, resume_run
from bsd_engine.splits import als_clean_mask
from bsd_engine.target import votes
from bsd_engine.target.transplant import Transplant
from bsd_engine.target.verdict import Verdict
from bsd_engine.training import steps, target_search
from bsd_engine.training.trainer import BSDTrainer
from tests.support.short_runs import differences, run, short, tiny

pytestmark = pytest.mark.usefixtures("one_thread")


def training_threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("altruistic")]


# --- a recorded run, event by event ---


@dataclass
class Recorded:
    """A whole run as the recorder wrote it and as its events told it."""

    config: BSDConfig
    prepared: PreparedData
    path: Path
    events: list[Event]
    packed: list[bytes]
    """Each epoch's bytes at the moment of its event."""
    summary: dict[str, Any]

    @property
    def states(self) -> list[EpochState]:
        return [e.state for e in self.events if isinstance(e, EpochFinished)]

    @property
    def main(self) -> dict[int, EpochState]:
        """Epochs by T."""
        return {s.main_epoch: s for s in self.states if s.main_epoch >= 0}


@pytest.fixture(scope="module")
def recorded(small_images: PreparedData, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """A whole run, recorded."""
    events: list[Event] = []
    packed: list[bytes] = []

    def remember(event: Event) -> None:
        events.append(event)
        if isinstance(event, EpochFinished):
            packed.append(pack_epoch(event.state))

    path = tmp_path_factory.mktemp("runs") / "run"
    summary = record_run(tiny(), path, prepared=small_images, on_event=remember)
    return Recorded(tiny(), small_images, path, events, packed, summary)


def test_events_come_in_order_and_are_numbered(recorded: Recorded) -> None:
    schedule, n = recorded.config.schedule, len(recorded.prepared.labels)
    expected: list[tuple] = [("start", 0, schedule.total_epochs)]
    for epoch in range(schedule.total_epochs):
        in_warmup = epoch < schedule.altruistic_epochs
        steps = math.ceil(n / recorded.config.altruistic.altruistic_batch) if in_warmup else schedule.iterations
        expected += [("iteration", epoch, schedule.stage(epoch), i + 1, steps) for i in range(steps)]
        expected += [("epoch", epoch, schedule.stage(epoch))]
    expected += [("end",)]
    told = {
        RunStarted: lambda e: ("start", e.first_epoch, e.total_epochs),
        IterationDone: lambda e: ("iteration", e.epoch, e.stage, e.iteration, e.iterations),
        EpochFinished: lambda e: ("epoch", e.state.epoch, e.state.stage),
        RunFinished: lambda e: ("end",),
    }
    assert [told[type(e)](e) for e in recorded.events] == expected
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


def test_the_folder_holds_what_the_events_told(recorded: Recorded) -> None:
    reader = RunReader(recorded.path)
    assert reader.status == "finished" and reader.epochs == list(range(9)) and reader.config == recorded.config
    assert [pack_epoch(reader.epoch(e)) for e in reader.epochs] == recorded.packed
    assert torch.equal(torch.from_numpy(reader.labels), recorded.prepared.labels)
    np.testing.assert_array_equal(reader.images, recorded.prepared.images.permute(0, 3, 1, 2).numpy())
    np.testing.assert_array_equal(reader.truth.is_poison, recorded.prepared.is_poison.numpy())
    assert [int(p.stem) for p in checkpoint_paths(recorded.path)] == [1, 3, 4, 6, 7, 8] and reader.progress[
        "state"
    ] == "finished"


def test_arrays_have_the_types_they_are_documented_with(recorded: Recorded) -> None:
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
        for name in of_target:  # see what the warm-up records of every estimator
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


# --- what each stage decides ---


def test_pools_follow_from_what_was_recorded(recorded: Recorded) -> None:
    """Each pool again, from the recorded scores and the functions of `splits` alone."""
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


def test_oss_scores_are_there_up_to_t1(recorded: Recorded) -> None:
    t1 = recorded.config.schedule.t1
    assert [t for t, state in recorded.main.items() if state.oss_score is not None] == list(range(t1 + 1))


def test_the_altruistic_model_learns_until_t2_and_then_stays(recorded: Recorded) -> None:
    """Its scores at T are those after T - 1, so the first that are not new are those at T2 + 1."""
    t2 = recorded.config.schedule.t2
    for t in range(1, t2 + 2):
        unchanged = np.array_equal(recorded.main[t].altruistic_loss, recorded.main[t - 1].altruistic_loss)
        assert unchanged == (t > t2)
        assert (recorded.main[t].metrics["altruistic_train_loss"] is None) == (t >= t2)
        assert not np.array_equal(recorded.main[t].main_loss, recorded.main[t - 1].main_loss)


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


def judged(kind: str, target: int) -> Callable[[Transplant, int], Verdict]:
    return lambda found, epochs: Verdict(kind=kind, classes=(target,), z=9.0, why="planted")


def test_with_no_attack_found_the_likeliest_class_is_defended_against(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_search, "decide_target", judged("no_attack", 6))
    states = run(short(target_estimator="auto"), small_images)
    assert {s.pseudo_target for s in states} == {6} and states[0].verdict["kind"] == "no_attack"


def test_or_nobody_is_if_that_is_chosen(small_images: PreparedData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_search, "decide_target", judged("no_attack", 6))
    states = run(short(target_estimator="auto", no_attack="no_target"), small_images)
    assert {s.pseudo_target for s in states} == {None} and states[1].clean_mask.all() and states[1].oss_score is None
    first = states[2]
    np.testing.assert_array_equal(first.clean_mask, als_clean_mask(first.altruistic_loss, short().split.als_ratio))
    assert states[-1].clean_mask.any()


def test_several_targets_are_defended_against_as_all_to_all(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(target_search, "decide_target", judged("several", 0))
    states = run(short(target_estimator="auto"), small_images)
    chosen = run(short(target_estimator="second_logit_mode", all_to_all="shared", selective_drop=False), small_images)
    assert {s.pseudo_target for s in states} == {None}
    for ours, theirs in zip(states[1:], chosen[1:]):
        np.testing.assert_array_equal(ours.clean_mask, theirs.clean_mask)


def test_the_warm_up_records_what_every_estimator_says(recorded: Recorded) -> None:
    last = recorded.config.schedule.altruistic_epochs - 1
    for state in recorded.states:
        if state.epoch > last:
            assert state.estimators is None and state.residuals is None and state.verdict is None
            continue
        expected = [*votes.READ_FROM_LOGITS, *(["residual_transplant"] if state.epoch == last else [])]
        assert state.estimators == expected and state.estimator_scores.shape == (len(expected), 10)
        assert state.estimator_scores.dtype == np.float32
    state = recorded.states[last]
    assert state.verdict["kind"] in ("target", "no_attack", "several") and state.transplant_shares.shape == (10, 10)
    assert state.residuals.shape == (4, *recorded.prepared.images.shape[1:]) and state.residuals.dtype == np.int8
    assert state.residual_classes[0] == state.estimator_scores[-1].argmax()


# --- what a run depends on ---


def test_the_same_seed_gives_the_same_run(recorded: Recorded) -> None:
    assert differences(run(recorded.config, recorded.prepared), recorded.states) == []


def test_another_seed_gives_another_run(small_images: PreparedData) -> None:
    a, b = (run(short(seed=seed), small_images) for seed in (1, 2))
    assert any("clean_mask" in where for where in differences(a, b))


def test_no_decision_depends_on_the_truth(small_images: PreparedData) -> None:
    shuffled = torch.randperm(len(small_images.labels), generator=torch.Generator().manual_seed(0))
    lied_to = replace(
        small_images, is_poison=small_images.is_poison[shuffled], original_labels=small_images.original_labels[shuffled]
    )
    ignorant = replace(small_images, is_poison=None, original_labels=None)
    honest = run(short(), small_images)
    counts = ("poison_in_clean_pool", "poison_in_clean_pool_cumulative")
    for other in (lied_to, ignorant):
        assert differences(honest, run(short(), other), ignore=counts) == []


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


# --- small and odd data ---


@pytest.fixture
def few_images(tmp_path: Path) -> Callable[..., PreparedData]:
    """Data of an npz with 60 images of 8x8 pixels in three classes; `test` chooses the labels of the test part."""

    def make(config: BSDConfig, test: list[int] | None) -> PreparedData:
        rng = np.random.default_rng(0)
        arrays = {"train_images": rng.integers(0, 256, (60, 8, 8), np.uint8), "train_labels": np.arange(60) % 3}
        if test is not None:
            arrays |= {"test_images": rng.integers(0, 256, (len(test), 8, 8), np.uint8), "test_labels": np.array(test)}
        np.savez(tmp_path / "few.npz", **arrays)
        return prepare(config.with_settings(data=f"npz:{tmp_path / 'few.npz'}", limit=None))

    return make


def last_metrics(config: BSDConfig, prepared: PreparedData) -> dict[str, Any]:
    return run(config, prepared)[-1].metrics


def test_without_an_attack_of_ours_its_success_and_poison_are_unknown(few_images: Callable) -> None:
    config = short(attack="none")
    prepared = few_images(config, [0, 1, 2, 0])
    metrics = last_metrics(config, prepared)
    assert prepared.is_poison is None and metrics["clean_accuracy"] is not None
    assert {metrics[k] for k in ("attack_success_rate", "poison_in_clean_pool", "poison_in_clean_pool_cumulative")} == {
        None
    }


def test_without_a_test_part_the_rates_are_unknown(few_images: Callable) -> None:
    config = short(target_label=2)
    metrics = last_metrics(config, few_images(config, None))
    assert (
        metrics["clean_accuracy"] is None
        and metrics["attack_success_rate"] is None
        and metrics["poison_in_clean_pool"] is not None
    )


def test_a_test_part_of_the_target_alone_has_no_success_rate(few_images: Callable) -> None:
    config = short(target_label=2)
    metrics = last_metrics(config, few_images(config, [2, 2]))
    assert metrics["clean_accuracy"] is not None and metrics["attack_success_rate"] is None


def test_the_papers_network_passes_through_every_stage(few_images: Callable) -> None:
    config = short(model="resnet18", target_label=2)
    assert len({s.stage for s in run(config, few_images(config, None))}) == 5


def test_a_pool_smaller_than_a_batch_is_trained_on(few_images: Callable) -> None:
    config = short(target_label=2, alpha=0.1, beta=0.05, completion="off", selective_drop=False)
    states = run(config, few_images(config, None))
    assert [s.metrics["clean_pool_size"] for s in states if s.stage == "selective_drop"] == [6, 6]


def test_a_pool_of_everything_leaves_nothing_unlabelled(few_images: Callable) -> None:
    config = short(target_label=2, alpha=1.0, beta=1.0, selective_drop=False)
    assert last_metrics(config, few_images(config, None))["clean_pool_size"] == 60


def test_an_empty_pool_ends_the_run_with_a_sentence(few_images: Callable) -> None:
    config = short(target_label=2, alpha=0.01, beta=0.01)
    with pytest.raises(
        TrainingError,
        match="clean pool is empty at main epoch 1; alpha and beta are too small for this data. Raise them",
    ):
        run(config, few_images(config, None))
    assert training_threads() == []


# --- cancelling and failing ---


@pytest.mark.parametrize("stage", ["altruistic_warmup", "oss_warmup", "selective_drop"])
def test_a_cancelled_run_leaves_no_thread(small_images: PreparedData, stage: str) -> None:
    events = BSDTrainer(short(), small_images).run()
    for event in events:
        if isinstance(event, IterationDone) and event.stage == stage:
            break
    events.close()
    assert training_threads() == []


def test_a_listener_that_fails_leaves_no_thread_and_its_error_in_the_folder(
    small_images: PreparedData, tmp_path: Path
) -> None:
    def fail(event: Event) -> None:
        if isinstance(event, IterationDone) and event.stage == "oss_warmup":
            raise ValueError("no room on the screen")

    with pytest.raises(ValueError, match="no room") as raised:
        record_run(tiny(), tmp_path / "run", prepared=small_images, on_event=fail)
    assert training_threads() == [] and raised.value is not None  # while the traceback keeps the generator alive
    reader = RunReader(tmp_path / "run")
    assert (
        reader.status == "failed"
        and reader.summary["error"] == "ValueError: no room on the screen"
        and reader.epochs == [0, 1]
    )


@pytest.mark.parametrize(
    ("model", "stage"),
    [("altruistic", "altruistic_warmup"), ("main", "class_completion"), ("altruistic", "oss_warmup")],
)
def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(
    small_images: PreparedData, tmp_path: Path, model: str, stage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = model == "altruistic" and stage != "altruistic_warmup"
    trainers: list[BSDTrainer] = []
    make = BSDTrainer.__init__
    monkeypatch.setattr(
        BSDTrainer, "__init__", lambda self, *args, **kw: (trainers.append(self), make(self, *args, **kw))[0] and None
    )

    def spoil(event: Event) -> None:
        if isinstance(event, IterationDone) and event.stage == stage and event.iteration == 1:
            with torch.no_grad():
                getattr(trainers[0], model).network.head.bias.fill_(torch.nan)

    with pytest.raises(TrainingError) as raised:
        record_run(tiny(), tmp_path / "run", prepared=small_images, on_event=spoil)
    sentence = str(raised.value)
    # The altruistic model trains beside: its epoch may be over already, and then its next scores tell.
    told = f"The {model} model's loss is nan in epoch" in sentence or (
        beside and "outputs are no longer finite numbers" in sentence
    )
    assert told and "lower" in sentence
    reader = RunReader(tmp_path / "run")
    assert reader.status == "failed" and reader.summary["error"] == sentence and training_threads() == []


def test_outputs_that_are_no_numbers_end_the_run_before_a_split_reads_them(small_images: PreparedData) -> None:
    """The last step of an epoch can spoil the weights after its loss was measured."""
    bsd = BSDTrainer(tiny(ema=0.0), small_images)
    with pytest.raises(TrainingError, match="outputs are no longer finite numbers.*lower the learning rates"):
        for event in bsd.run():
            if isinstance(event, EpochFinished) and event.state.main_epoch == 1:
                with torch.no_grad():
                    bsd.main.network.stem[0].weight.fill_(torch.nan)
    assert training_threads() == []


@pytest.mark.parametrize("setting", ["main_lr", "altruistic_lr"])
def test_a_huge_learning_rate_ends_well_or_with_a_sentence(small_images: PreparedData, setting: str) -> None:
    try:
        assert len(run(short(**{setting: 10.0}), small_images)) == 6
    except TrainingError as error:
        assert "expected a finite number" in str(error)


def test_a_full_disk_ends_the_run_and_keeps_its_epochs(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_file = os.replace

    def full(source: Path, destination: Path) -> None:
        if Path(destination).name in ("00005.npz", "summary.json"):
            raise OSError(errno.ENOSPC, "No space left on device")
        replace_file(source, destination)

    with monkeypatch.context() as patch, pytest.raises(StorageError, match="the disk is full; free some space"):
        patch.setattr(os, "replace", full)
        record_run(recorded.config, tmp_path / "run", prepared=recorded.prepared)
    reader = RunReader(tmp_path / "run")
    assert reader.status == "interrupted" and reader.epochs == [0, 1, 2, 3, 4] and training_threads() == []
    resume_run(reader.path, prepared=recorded.prepared)
    assert differences([reader.epoch(e) for e in reader.epochs], recorded.states) == []


# --- pause, resume, stop ---


def command_at(path: Path, stage: str, command: str, iteration: int = 1) -> Callable[[Event], None]:
    """A listener that gives a command after an iteration of the first epoch of a stage."""
    given: list[Event] = []

    def listen(event: Event) -> None:
        if isinstance(event, IterationDone) and event.stage == stage and event.iteration == iteration and not given:
            given.append(event)
            send_command(path, command)

    return listen


def wait_for(status: str, path: Path) -> RunReader:
    """The reader of a run, once it has a status."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if (path / "config.json").exists() and (reader := RunReader(path)).status == status:
            return reader
        time.sleep(0.02)
    raise AssertionError(f"the run was never {status}")


def test_a_paused_run_waits_and_then_goes_on_as_if_nothing_had_been(recorded: Recorded, tmp_path: Path) -> None:
    path, seen = tmp_path / "run", {}

    def viewer() -> None:
        reader = wait_for("paused", path)
        seen["before"], seen["progress"] = reader.version, reader.progress
        time.sleep(0.3)
        seen["after"] = reader.version
        send_command(path, "resume")

    watching = threading.Thread(target=viewer)
    watching.start()
    summary = record_run(
        recorded.config, path, prepared=recorded.prepared, on_event=command_at(path, "oss_warmup", "pause")
    )
    watching.join()
    reader = RunReader(path)
    assert (
        seen["before"] == seen["after"] and seen["progress"]["epoch"] == 2 and seen["progress"]["stage"] == "oss_warmup"
    )
    assert summary["status"] == reader.status == "finished"
    assert differences([reader.epoch(e) for e in reader.epochs], recorded.states) == []


def test_both_models_wait_while_nobody_asks_for_the_next_event(
    small_images: PreparedData, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[int] = []
    epoch = steps.cross_entropy_epoch

    def counted(*args: Any, **kwargs: Any):
        training = epoch(*args, **kwargs)
        while True:
            try:
                step = next(training)
            except StopIteration as end:
                return end.value
            done.append(step[0])
            yield step

    config = short(altruistic_batch=2)
    events = BSDTrainer(config, small_images).run()
    next(event for event in events if isinstance(event, EpochFinished))
    monkeypatch.setattr(steps, "cross_entropy_epoch", counted)
    next(event for event in events if isinstance(event, IterationDone))
    time.sleep(0.2)  # for the iteration in progress
    paused = len(done)
    time.sleep(0.5)
    assert len(done) == paused < len(small_images.labels) // 2
    next(event for event in events if isinstance(event, EpochFinished))
    assert len(done) == len(small_images.labels) // 2
    events.close()
    assert training_threads() == []


def test_a_stop_that_is_given_while_a_resumed_run_is_prepared_is_obeyed(
    recorded: Recorded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run"
    record_run(recorded.config, path, prepared=recorded.prepared, on_event=command_at(path, "oss_warmup", "stop"))
    whole = RunReader(path).epochs
    monkeypatch.setattr(
        "bsd_engine.runs.record.prepare", lambda config: send_command(path, "stop") or recorded.prepared
    )
    assert resume_run(path)["status"] == "stopped" and RunReader(path).epochs == whole


def test_a_paused_run_can_be_stopped(small_images: PreparedData, tmp_path: Path) -> None:
    path = tmp_path / "run"
    watching = threading.Thread(target=lambda: send_command(wait_for("paused", path).path, "stop"))
    watching.start()
    summary = record_run(tiny(), path, prepared=small_images, on_event=command_at(path, "oss_warmup", "pause"))
    watching.join()
    assert summary["status"] == RunReader(path).status == "stopped" and training_threads() == []


@pytest.fixture(scope="module")
def rich() -> BSDConfig:
    """Settings under which every part of a checkpoint matters: averaged weights, warm-up losses, a random first pool."""
    return tiny(ema=0.9, als_snapshot="after_warmup", init_combine="random", iterations=2, init_epochs=2, t2=6, t3=8)


@pytest.fixture(scope="module")
def uninterrupted(rich: BSDConfig, small_images: PreparedData) -> list[EpochState]:
    """The epochs of that run in one go."""
    return run(rich, small_images)


@pytest.mark.parametrize(
    ("stage", "iteration", "whole"),
    [("oss_warmup", 2, 2), ("initial_pools", 1, 4), ("class_completion", 1, 6), ("selective_drop", 2, 8)],
)
def test_a_run_stopped_within_an_epoch_resumes_to_the_very_same_end(
    rich: BSDConfig,
    small_images: PreparedData,
    uninterrupted: list[EpochState],
    tmp_path: Path,
    stage: str,
    iteration: int,
    whole: int,
    summary_keys: set[str],
) -> None:
    path = tmp_path / "run"
    summary = record_run(rich, path, prepared=small_images, on_event=command_at(path, stage, "stop", iteration))
    reader = RunReader(path)
    assert summary["status"] == reader.status == "stopped" and reader.epochs == list(range(whole)) and reader.can_resume
    assert summary["epochs"] == whole
    first: list[int] = []
    resumed = resume_run(
        path,
        prepared=small_images,
        on_event=lambda e: first.append(e.first_epoch) if isinstance(e, RunStarted) else None,
    )
    assert first == [whole] and resumed["status"] == reader.status == "finished"
    assert differences([reader.epoch(e) for e in reader.epochs], uninterrupted) == []
    assert summary_keys <= set(resumed) and resumed["epochs"] == len(uninterrupted)
    assert resumed["seconds"] >= sum(reader.epoch(e).metrics["seconds"] for e in reader.epochs) - 0.01


def test_a_run_stopped_in_the_altruistic_warmup_resumes_to_the_very_same_end(
    recorded: Recorded, tmp_path: Path
) -> None:
    path = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, IterationDone) and event.epoch == 1:
            send_command(path, "stop")

    record_run(recorded.config, path, prepared=recorded.prepared, on_event=stop)
    assert RunReader(path).epochs == [0]
    resume_run(path, prepared=recorded.prepared)
    assert differences([RunReader(path).epoch(e) for e in range(9)], recorded.states) == []


def test_a_killed_run_resumes_from_the_older_checkpoint_if_the_newest_is_damaged(
    recorded: Recorded, tmp_path: Path
) -> None:
    path = tmp_path / "run"

    def die(event: Event) -> None:
        if isinstance(event, IterationDone) and event.epoch == 5:
            raise SystemExit

    with pytest.raises(SystemExit):
        record_run(recorded.config, path, prepared=recorded.prepared, on_event=die)
    reader = RunReader(path)
    assert reader.status == "interrupted" and reader.epochs == [0, 1, 2, 3, 4] and training_threads() == []
    newest = checkpoint_paths(path)[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    resume_run(path, prepared=recorded.prepared)
    assert differences([reader.epoch(e) for e in reader.epochs], recorded.states) == []


def test_a_run_stopped_after_its_last_epoch_resumes_to_a_whole_summary(recorded: Recorded, tmp_path: Path) -> None:
    path, last = tmp_path / "run", recorded.config.schedule.total_epochs - 1

    def stop(event: Event) -> None:
        if isinstance(event, EpochFinished) and event.state.epoch == last:
            send_command(path, "stop")

    record_run(recorded.config, path, prepared=recorded.prepared, on_event=stop)
    summary = resume_run(path, prepared=recorded.prepared)
    times = ("seconds", "device")
    assert {k: v for k, v in summary.items() if k not in times} == {
        k: v for k, v in recorded.summary.items() if k not in times
    }


def test_a_run_stopped_in_its_first_epoch_starts_over(recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "run"
    summary = record_run(
        recorded.config, path, prepared=recorded.prepared, on_event=command_at(path, "altruistic_warmup", "stop")
    )
    reader = RunReader(path)
    assert summary["epochs"] == 0 and reader.epochs == [] and reader.progress["epoch"] == 0 and reader.can_resume
    resume_run(path, prepared=recorded.prepared)
    assert differences([reader.epoch(e) for e in reader.epochs], recorded.states) == []


def test_a_run_killed_before_its_first_checkpoint_was_whole_starts_over(recorded: Recorded, tmp_path: Path) -> None:
    path = tmp_path / "run"

    def stop(event: Event) -> None:
        if isinstance(event, EpochFinished):
            raise SystemExit

    with pytest.raises(SystemExit):
        record_run(recorded.config, path, prepared=recorded.prepared, on_event=stop)
    for checkpoint in checkpoint_paths(path):  # as if the process had died between the epoch and the checkpoint
        checkpoint.unlink()
    assert RunReader(path).epochs == [0] and RunReader(path).can_resume
    resume_run(path, prepared=recorded.prepared)
    assert differences([RunReader(path).epoch(e) for e in RunReader(path).epochs], recorded.states) == []


def test_what_cannot_be_resumed_says_why(recorded: Recorded, tmp_path: Path) -> None:
    with pytest.raises(RunFolderError, match="is finished; there is nothing to resume"):
        resume_run(recorded.path, prepared=recorded.prepared)
    with pytest.raises(RunFolderError, match="is not a run folder"):
        resume_run(tmp_path, prepared=recorded.prepared)
    path = tmp_path / "run"
    record_run(recorded.config, path, prepared=recorded.prepared, on_event=command_at(path, "oss_warmup", "stop"))
    with pytest.raises(RunFolderError, match="other data .*fingerprints differ"):
        resume_run(path, prepared=replace(recorded.prepared, fingerprint="0" * 16))
    for checkpoint in checkpoint_paths(path):
        checkpoint.write_bytes(b"garbage")
    with pytest.raises(RunFolderError, match="has no readable checkpoint"):
        resume_run(path, prepared=recorded.prepared)
    assert RunReader(path).status == "stopped"  # each refusal left the folder as it was


def test_a_run_goes_into_a_new_folder_only(recorded: Recorded) -> None:
    with pytest.raises(RunFolderError, match="is not an empty folder"):
        record_run(recorded.config, recorded.path, prepared=recorded.prepared)
    assert RunReader(recorded.path).status == "finished"
