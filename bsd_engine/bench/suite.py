"""Measurement of the parts of BSD on this machine, and of the engine against a plain training loop."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bsd_engine import splits
from bsd_engine.bench.parts import map_refit, networks_alone, noise, preset_seconds, random_epoch, record_epoch
from bsd_engine.bench.plain_loop import PlainLoop
from bsd_engine.bench.report import BenchReport, Timing
from bsd_engine.compute import models, runtime
from bsd_engine.compute.plans import seed_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.target import votes
from bsd_engine.training.workload import Workload, timed

SIZE, CHANNELS, CLASSES = 32, 3, 10


def measure(
    config: BSDConfig,
    *,
    rounds: int,
    samples: int,
    workers: int = 2,
    landmarks: int = 2000,
    presets: tuple[str, ...] = (),
) -> BenchReport:
    """Time every part on noise images, and the engine against a plain loop; returns the report.

    Parameters
    ----------
    config : settings; those of the network, the batches and the augmentation are used, not those of data and schedule
    rounds : pairs of iterations, engine and plain loop in turn, after one uncounted iteration of each
    samples : N of the split and of the vote
    workers : processes of each data loader of the plain loop
    landmarks : points of the map that is fitted; with 0 no map is fitted, which avoids the slow import of umap
    presets : names of the presets whose total time is extrapolated
    """
    config = config.with_settings(iterations=rounds + 1)
    mix = config.mixmatch
    largest_batch = max(mix.labeled_batch, mix.unlabeled_batch, config.altruistic.altruistic_batch)
    prepared = noise(max(512, 2 * largest_batch), SIZE, CHANNELS, CLASSES)
    workload = Workload(config, prepared, scored=256)
    used = workload.steps.runtime
    model = models.seeded(config.model, prepared.images.shape, CLASSES, seed_for(config.seed, "main", -1))
    model = model.to(used.device)
    forward, training = network_flop(model, prepared.images)
    with runtime.intra_op_threads(used.threads):
        peak = matrix_product_peak(used.device)
        plain = PlainLoop(
            model, config, prepared.images.numpy(), prepared.labels.numpy(), num_classes=CLASSES, workers=workers
        )
        engine_seconds, plain_seconds = alternate(workload.main, plain.step, rounds)
        whole, networks = alternate(workload.main, networks_alone(workload), rounds)
        rest = tuple(_other_parts(config, workload, samples, landmarks, forward, training))
    rows = mix.labeled_batch + 2 * mix.unlabeled_batch
    flop = rows * training + 2 * mix.unlabeled_batch * forward
    iterations = [
        Timing(name=f"MixMatch iteration, {name}", seconds=statistics.median(seconds), images=rows, flop=flop)
        for name, seconds in (("engine", engine_seconds), ("plain loop", plain_seconds))
    ]
    multiply_adds = f"{forward / 2e6:.0f} M multiply-adds an image"
    return BenchReport(
        machine=f"{used.description}, torch {torch.__version__}, {platform.machine()}",
        network=f"{config.model.model}, width {config.model.width}, {SIZE} px, {multiply_adds}",
        peak=peak,
        parts=(*iterations, *rest),
        ratios=tuple(p / e for e, p in zip(engine_seconds, plain_seconds)),
        outside=1 - statistics.median(networks) / statistics.median(whole),
        epoch_bytes=len(pack_epoch(random_epoch(samples))),
        presets={name: preset_seconds(name, config.device) for name in presets},
    )


def alternate(first: Callable[[], Any], second: Callable[[], Any], rounds: int) -> tuple[list[float], list[float]]:
    """Return the seconds of two functions called in turn, so that both meet the same load of the machine.

    Each is called once before, which is not counted.
    """
    first(), second()
    seconds: tuple[list[float], list[float]] = ([], [])
    for _ in range(rounds):
        for work, times in zip((first, second), seconds):
            begin = time.perf_counter()
            work()
            times.append(time.perf_counter() - begin)
    return seconds


def _other_parts(
    config: BSDConfig, workload: Workload, samples: int, landmarks: int, forward: float, training: float
) -> Iterator[Timing]:
    """Yield the times of the other parts; `forward` and `training` are the network's operations for one image."""
    threads, batch = workload.steps.runtime.threads, config.altruistic.altruistic_batch
    batches = -(-samples // batch)
    epoch = batches * timed(workload.altruistic, threads)[0]
    yield Timing(
        name=f"altruistic epoch, N = {samples}", seconds=epoch, images=batches * batch, flop=batches * batch * training
    )
    yield Timing(
        name="scoring",
        seconds=timed(workload.score_main, threads)[0],
        images=workload.scored,
        flop=workload.scored * forward,
    )
    head = workload.trainer.main.network.head
    assert isinstance(head, nn.Linear), "the last layer of every network is its head"
    works: tuple[tuple[str, Callable[[], object]], ...] = (
        ("split by both losses", _split(config, samples)),
        ("first split, OSS and ALS", _first_split(config, samples, head.in_features)),
        ("target vote", _vote(samples)),
        ("recording an epoch", record_epoch(samples)),
    )
    for name, work in works:
        yield Timing(name=f"{name}, N = {samples}", seconds=timed(work, threads)[0], images=samples)
    if landmarks:
        yield Timing(
            name=f"map refit, {landmarks} landmarks", seconds=timed(map_refit(landmarks), threads)[0], images=landmarks
        )


def _random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _labels(samples: int) -> Tensor:
    return torch.arange(samples) % CLASSES


def _split(config: BSDConfig, samples: int) -> Callable[[], object]:
    losses, labels = _random(2, samples), _labels(samples)
    return lambda: splits.discrepancy_clean_mask(
        splits.loss_discrepancy(*losses), labels, config.split.alpha, config.split.completion
    )


def _first_split(config: BSDConfig, samples: int, dimensions: int) -> Callable[[], object]:
    features, losses, labels = _random(samples, dimensions), _random(samples), _labels(samples)

    def first_split() -> Tensor:
        scores = splits.oss_scores(features, labels, 0, config.split.oss_distance)
        by_als = splits.als_clean_mask(losses, config.split.alpha)
        return by_als & splits.oss_clean_mask(scores, labels, 0, config.split.beta)

    return first_split


def _vote(samples: int) -> Callable[[], object]:
    logits, labels = _random(samples, CLASSES), _labels(samples)
    return lambda: (votes.second_likely_counts(logits), votes.log_probability_floor(logits, labels))


def matrix_product_peak(device: torch.device, size: int = 2048, repeats: int = 5) -> float:
    """Return the operations per second of a float32 matrix product, the best of several."""
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        (a @ b)[0, 0].item()
        seconds.append(time.perf_counter() - begin)
    return 2 * size**3 / min(seconds)


def network_flop(model: nn.Module, images: Tensor) -> tuple[float, float]:
    """Return a network's operations for one image, without and with the backward pass; a multiply-add counts as two."""
    x = images[:2].permute(0, 3, 1, 2).float().to(next(model.parameters()).device)
    with FlopCounterMode(display=False) as forward:
        logits = model(x)
    with FlopCounterMode(display=False) as backward:
        logits.sum().backward()
    model.zero_grad()
    return forward.get_total_flops() / 2, (forward.get_total_flops() + backward.get_total_flops()) / 2
