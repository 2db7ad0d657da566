"""The bench: the plain loop computes the same as the engine, seconds add up to a run, and the command reports them."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path
from threading import BrokenBarrierError

import numpy as np
import pytest
import torch
from torch import nn

from bsd_engine.bench import parts, suite
from bsd_engine.bench.parts import PRESET_SIZES, map_refit, networks_alone, noise, preset_seconds
from bsd_engine.bench.plain_loop import AugmentedImages, PlainLoop, plain_loss
from bsd_engine.bench.report import Timing, duration
from bsd_engine.cli.main import main
from bsd_engine.compute import models
from bsd_engine.config.data_settings import ModelConfig
from bsd_engine.config.method_settings import STAGES, ScheduleConfig
from bsd_engine.config.presets import PRESETS, preset, smoke
from bsd_engine.errors import ConfigError
from bsd_engine.method import mixmatch
from bsd_engine.training import estimate, workload
from bsd_engine.training.estimate import Counts
from bsd_engine.training.workload import PartSeconds

SCHEDULE = ScheduleConfig(altruistic_epochs=3, t1=2, init_epochs=1, t2=5, t3=9, iterations=10)
PARTS = PartSeconds(main=1.0, main_beside=1.5, altruistic=0.5, altruistic_beside=0.75, score=0.01, score_beside=0.015)


pytestmark = pytest.mark.usefixtures("one_thread")


# --- the plain loop ---


def test_the_plain_loss_is_the_engines() -> None:
    logits = torch.tensor([[1.0, 0.0, -1.0], [0.5, 2.0, 0.0], [0.0, 0.3, 0.1], [-1.0, 1.0, 2.0]])
    targets = torch.tensor([[0.7, 0.3, 0.0], [0.0, 1.0, 0.0], [0.2, 0.2, 0.6], [0.1, 0.8, 0.1]])
    supervised, unsupervised = mixmatch.mixmatch_losses(logits, targets, labeled=2)
    plain = plain_loss(logits[:2], targets[:2], logits[2:], targets[2:], 7.5)
    torch.testing.assert_close(plain, supervised + 7.5 * unsupervised)


def loop(**settings: int) -> PlainLoop:
    data = noise(64, 32, 3, 10)
    model = models.seeded(ModelConfig(model="small_resnet", width=8), data.images.shape, 10, 0)
    return PlainLoop(
        model, smoke().with_settings(**settings), data.images.numpy(), data.labels.numpy(), num_classes=10, workers=0
    )


def test_the_plain_guess_is_the_engines() -> None:
    plain, x = loop(), torch.randn(2, 8, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    ours = mixmatch.guess_labels(plain.model, *x, smoke().mixmatch.temperature, separate=True, update_bn=True)
    torch.testing.assert_close(plain._guess(*x), ours)


@pytest.mark.parametrize(("unlabeled", "forwards"), [(16, [16] * 5), (8, [8, 8, 16, 8, 8])])
def test_a_plain_step_makes_five_forwards_and_moves_the_weights(unlabeled: int, forwards: list[int]) -> None:
    plain, seen = loop(unlabeled_batch=unlabeled), []
    plain.model.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    before = [p.clone() for p in plain.model.parameters()]
    assert math.isfinite(plain.step()) and seen == forwards
    assert not any(torch.equal(a, b) for a, b in zip(before, plain.model.parameters()))


def test_plain_loaders_restart_when_they_are_exhausted() -> None:
    plain = loop(labeled_batch=32, unlabeled_batch=32)  # one batch in each pool
    assert all(math.isfinite(plain.step()) for _ in range(3))


@pytest.mark.parametrize("channels", [1, 3])
def test_plain_views_are_normalised_and_differ(channels: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, channels), dtype=np.uint8)
    one, other, label = AugmentedImages(images, np.array([4, 5]), views=2, padding=4, flip=True)[1]
    assert one.shape == other.shape == (channels, 32, 32) and label == 5 and one.min() >= -2 and one.max() <= 2
    untouched, _ = AugmentedImages(images, np.array([4, 5]), views=1, padding=0, flip=False)[0]
    torch.testing.assert_close(untouched, (torch.from_numpy(images[0]).permute(2, 0, 1) / 255 - 0.5) / 0.25)


# --- the estimate ---


def test_seconds_of_an_epoch_follow_the_trainers_order() -> None:
    counts = Counts(samples=100, tests=20, altruistic_batches=4, altruistic_steps=4)
    each = estimate.epoch_seconds(SCHEDULE, PARTS, counts)
    beside = 100 * 0.015 + 10 * 1.5 + 20 * 0.015
    assert each == pytest.approx(
        dict(zip(STAGES, (4 * 0.5 + 100 * 0.01, beside, beside, beside, 120 * 0.01 + 10 * 1.0)))
    )


def test_the_slower_model_decides_while_both_train() -> None:
    counts = Counts(samples=100, tests=0, altruistic_batches=40, altruistic_steps=40)
    assert estimate.epoch_seconds(SCHEDULE, PARTS, counts)["oss_warmup"] == pytest.approx(100 * 0.015 + 40 * 0.75)


def test_seconds_of_a_run_are_those_of_its_epochs_and_two_more_passes() -> None:
    counts = Counts(samples=100, tests=20, altruistic_batches=4, altruistic_steps=4)
    warmup, beside, alone = 3.0, 16.8, 11.2
    assert estimate.run_seconds(SCHEDULE, PARTS, counts) == pytest.approx(
        3 * warmup + 5 * beside + 4 * alone + 20 * 0.01 + 100 * 0.005
    )
    never_alone = ScheduleConfig(altruistic_epochs=3, t1=2, init_epochs=1, t2=5, t3=5, iterations=10)
    assert estimate.run_seconds(never_alone, PARTS, counts) == pytest.approx(3 * warmup + 5 * beside + 20 * 0.01)


def test_an_estimate_measures_the_runs_own_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workload, "PART_SECONDS", 0.0)
    found = estimate.estimate(smoke().with_settings(device="cpu"), noise(60, 32, 3, 10))
    assert all(seconds > 0 for seconds in vars(found.parts).values()) and set(found.epoch_seconds) == set(STAGES)
    batches = Counts(samples=60, tests=0, altruistic_batches=1, altruistic_steps=1)
    assert found.seconds == estimate.run_seconds(smoke().schedule, found.parts, batches) > 0


def test_an_error_in_one_task_stops_the_other() -> None:
    def fails() -> None:
        raise ConfigError("wrong")

    with pytest.raises((ConfigError, BrokenBarrierError)):
        workload.timed_beside(fails, lambda: time.sleep(0.001), 2)


# --- the report ---


def test_operations_are_twice_the_multiply_adds_and_training_is_three_forwards() -> None:
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.Flatten(), nn.Linear(8 * 32 * 32, 10))
    forward, training = suite.network_flop(model, noise(2, 32, 3, 10).images)
    convolution, product = 2 * 32 * 32 * 8 * 27, 2 * 8 * 32 * 32 * 10
    assert forward == convolution + product
    assert training == 3 * forward - convolution  # images need no gradient


def test_a_resnet18_has_555_million_multiply_adds() -> None:
    model = models.seeded(ModelConfig(), (32, 32, 3), 10, 0)
    assert suite.network_flop(model, noise(2, 32, 3, 10).images)[0] / 2e6 == pytest.approx(555.4, abs=0.1)


def test_shares_and_rates_follow_from_seconds() -> None:
    part = Timing(name="x", seconds=0.5, images=100, flop=4e9)
    assert part.images_per_second == 200 and part.share(16e9) == 0.5
    assert Timing(name="x", seconds=0.5, images=100).share(16e9) is None


def test_work_is_timed_in_turn_after_one_uncounted_round() -> None:
    done = []
    first, second = suite.alternate(lambda: done.append("a"), lambda: (done.append("b"), time.sleep(0.01)), 2)
    assert "".join(done) == "ababab" and len(first) == len(second) == 2 and min(second) >= 0.01


def test_the_command_prints_a_table_and_writes_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "bench",
        "--preset",
        "smoke",
        "--quick",
        "--samples",
        "200",
        "--workers",
        "0",
        "--landmarks",
        "0",
        "--no-presets",
        "--device",
        "cpu",
    ]
    assert main([*words, "--out", str(tmp_path / "b.json")]) == 0
    table, report = capsys.readouterr().out, json.loads((tmp_path / "b.json").read_text())
    assert all(part["name"] in table and part["seconds"] > 0 for part in report["parts"]) and len(report["parts"]) == 8
    engine, plain = (part["seconds"] for part in report["parts"][:2])
    assert report["ratios"] == [pytest.approx(plain / engine)] and f"{report['ratio']:.2f} times as fast" in table
    assert report["outside_networks"] < 1 and report["epoch_bytes"] > 200 and report["preset_seconds"] == {}


def test_the_networks_alone_compute_gradients_but_make_no_step() -> None:
    running = workload.Workload(smoke().with_settings(device="cpu"), noise(64, 32, 3, 10))
    before = [p.clone() for p in running.trainer.main.network.parameters()]
    networks_alone(running)()
    assert all(
        torch.equal(a, b) and b.grad is not None for a, b in zip(before, running.trainer.main.network.parameters())
    )


def test_the_time_of_a_preset_follows_from_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "measure_parts", lambda config, prepared: PARTS)
    schedule, batches = preset("paper-cifar10").schedule, 50000 // 128 + 1
    counts = Counts(samples=50000, tests=19000, altruistic_batches=batches, altruistic_steps=batches)
    assert preset_seconds("paper-cifar10", "cpu") == estimate.run_seconds(schedule, PARTS, counts)
    assert PRESET_SIZES.keys() == PRESETS.keys() - {"smoke"}


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(70.0, "70 seconds"), (300.0, "5.0 minutes"), (3 * 3600.0, "3.0 hours"), (11 * 86400.0, "11.0 days")],
)
def test_durations_have_a_readable_unit(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.slow
def test_a_map_is_refitted_from_the_last_one() -> None:
    assert map_refit(60)().shape == (60, 2)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--rounds", "0"], "error: rounds is 0, expected a whole number between 1 and 1000."),
        (["--samples", "3000000"], "error: samples is 3000000, expected a whole number between 20 and 2000000."),
        (["--workers", "65"], "error: workers is 65, expected a whole number between 0 and 64."),
        (["--preset", "fast"], "error: preset is 'fast', expected one of"),
        (["--model", "vgg"], "error: model is 'vgg', expected one of"),
    ],
)
def test_bad_arguments_give_a_one_sentence_error(
    capsys: pytest.CaptureFixture[str], words: list[str], sentence: str
) -> None:
    assert main(["bench", *words]) == 2
    assert capsys.readouterr().err.startswith(sentence)


def test_a_report_that_cannot_be_written_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert main(["bench", "--out", str(tmp_path / "file/b.json")]) == 2
    assert capsys.readouterr().err.startswith("error: Cannot write ")
