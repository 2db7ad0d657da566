"""What this machine reaches: the parts of BSD in images a second and share of its peak, and the engine against a plain loop."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from bsd_engine import splits
from bsd_engine.bench.parts import map_refit, networks_alone, noise, preset_seconds, random_epoch, record_epoch
from bsd_engine.bench.plain_loop import PlainLoop
from bsd_engine.compute import models, runtime
from bsd_engine.compute.plans import seed_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.target import votes
from bsd_engine.training.workload import Workload, timed

SIZE, CHANNELS, CLASSES = 32, 3, 10


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Time of one part."""

    name: str
    seconds: float
    """Of one unit: an iteration, a batch, a pass."""
    images: int
    """Images (or samples) in a unit."""
    flop: float | None = None
    """Floating-point operations of the network in a unit, a multiply-add as two; None where none runs."""

    @property
    def images_per_second(self) -> float:
        """Images a second."""
        return self.images / self.seconds

    def share(self, peak: float) -> float | None:
        """Share of a peak in operations a second."""
        return None if self.flop is None else self.flop / self.seconds / peak


@dataclass(frozen=True, kw_only=True)
class BenchReport:
    """Everything measured in one go."""

    machine: str
    network: str
    peak: float
    """Operations a second in a large float32 matrix product."""
    parts: tuple[Timing, ...]
    ratios: tuple[float, ...]
    """Seconds of the plain loop by those of the engine, a pair of iterations each."""
    outside: float
    """Share of the engine's iteration that is neither a forward nor a backward pass."""
    epoch_bytes: int
    """Of one recorded epoch of class completion, with as many samples as were split."""
    presets: dict[str, float]
    """Seconds that whole runs would take here, from measured parts; empty unless asked for."""

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    def table(self) -> str:
        """Lines for people."""
        lines = [
            self.machine,
            f"{self.network}; matrix product {self.peak / 1e9:.0f} GFLOP/s",
            "",
            f"{'part':<44}{'ms':>10}{'images/s':>12}{'of peak':>9}",
        ]
        for part in self.parts:
            share = part.share(self.peak)
            lines.append(
                f"{part.name:<44}{1000 * part.seconds:>10.1f}{part.images_per_second:>12.0f}{'' if share is None else f'{share:.0%}':>9}"
            )
        pairs = ", ".join(f"{r:.2f}" for r in self.ratios)
        lines += [
            "",
            f"engine against plain loop: {self.ratio:.2f} times as fast (median of {pairs})",
            f"of the engine's iteration {self.outside:.0%} are outside the networks' forward and backward passes",
            f"a recorded epoch: {self.epoch_bytes / 1e6:.2f} MB",
        ]
        return "\n".join(
            [*lines, *(f"{name}: {_duration(seconds)}, extrapolated" for name, seconds in self.presets.items())]
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        parts = [
            {**asdict(p), "images_per_second": p.images_per_second, "share_of_peak": p.share(self.peak)}
            for p in self.parts
        ]
        return {
            "machine": self.machine,
            "network": self.network,
            "peak_flop_per_second": self.peak,
            "parts": parts,
            "ratios": list(self.ratios),
            "ratio": self.ratio,
            "outside_networks": self.outside,
            "epoch_bytes": self.epoch_bytes,
            "preset_seconds": self.presets,
        }


def _duration(seconds: float) -> str:
    size, unit = next(
        (size, unit)
        for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes"), (0, "seconds"))
        if seconds >= 2 * size
    )
    return f"{seconds / (size or 1):.{0 if unit == 'seconds' else 1}f} {unit}"


def measure(
    config: BSDConfig,
    *,
    rounds: int,
    samples: int,
    workers: int = 2,
    landmarks: int = 2000,
    presets: tuple[str, ...] = (),
) -> BenchReport:
    """Measure everything.

    Parameters
    ----------
    config : settings of the network, the batches and the augmentation; data and schedule have no say
    rounds : pairs of iterations, engine and plain loop in turn, after one of each that is not counted
    samples : N of the split and of the vote
    workers : processes of each of the plain loop's data loaders
    landmarks : points of the map that is fitted anew; 0 leaves it out, and umap's slow import with it
    presets : whose whole time to extrapolate
    """
    config = config.with_settings(iterations=rounds + 1)
    prepared = noise(
        max(
            512,
            2 * config.mixmatch.labeled_batch,
            2 * config.mixmatch.unlabeled_batch,
            2 * config.altruistic.altruistic_batch,
        ),
        SIZE,
        CHANNELS,
        CLASSES,
    )
    workload = Workload(config, prepared, scored=256)
    place = workload.steps.runtime
    model = models.seeded(config.model, prepared.images.shape, CLASSES, seed_for(config.seed, "main", -1)).to(
        place.device
    )
    forward, training = network_flop(model, prepared.images)
    with runtime.intra_op_threads(place.threads):
        peak = matrix_product_peak(place.device)
        plain = PlainLoop(
            model, config, prepared.images.numpy(), prepared.labels.numpy(), num_classes=CLASSES, workers=workers
        )
        engine_seconds, plain_seconds = alternate(workload.main, plain.step, rounds)
        whole, networks = alternate(workload.main, networks_alone(workload), rounds)
        rest = tuple(_other_parts(config, workload, samples, landmarks, forward, training))
    mix = config.mixmatch
    rows = mix.labeled_batch + 2 * mix.unlabeled_batch
    flop = rows * training + 2 * mix.unlabeled_batch * forward
    iterations = [
        Timing(name=name, seconds=statistics.median(seconds), images=rows, flop=flop)
        for name, seconds in (
            ("MixMatch iteration, engine", engine_seconds),
            ("MixMatch iteration, plain loop", plain_seconds),
        )
    ]
    return BenchReport(
        machine=f"{place.description}, torch {torch.__version__}, {platform.machine()}",
        network=f"{config.model.model}, width {config.model.width}, {SIZE} px, {forward / 2e6:.0f} M multiply-adds an image",
        peak=peak,
        parts=(*iterations, *rest),
        ratios=tuple(p / e for e, p in zip(engine_seconds, plain_seconds)),
        outside=1 - statistics.median(networks) / statistics.median(whole),
        epoch_bytes=len(pack_epoch(random_epoch(samples))),
        presets={name: preset_seconds(name, config.device) for name in presets},
    )


def alternate(first: Callable[[], Any], second: Callable[[], Any], rounds: int) -> tuple[list[float], list[float]]:
    """Seconds of two pieces of work done in turn, so that both meet the same load of the machine; each is done once before."""
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
    dimensions = workload.trainer.main.network.head.in_features
    for name, work in (
        ("split by both losses", _split(config, samples)),
        ("first split, OSS and ALS", _first_split(config, samples, dimensions)),
        ("target vote", _vote(samples)),
        ("recording an epoch", record_epoch(samples)),
    ):
        yield Timing(name=f"{name}, N = {samples}", seconds=timed(work, threads)[0], images=samples)
    if landmarks:
        yield Timing(
            name=f"map refit, {landmarks} landmarks", seconds=timed(map_refit(landmarks), threads)[0], images=landmarks
        )


def _random(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _labels(samples: int) -> Tensor:
    return torch.arange(samples) % CLASSES


def _split(config: BSDConfig, samples: int) -> Callable[[], Tensor]:
    losses, labels = _random(2, samples), _labels(samples)
    return lambda: splits.discrepancy_clean_mask(
        splits.loss_discrepancy(*losses), labels, config.split.alpha, config.split.completion
    )


def _first_split(config: BSDConfig, samples: int, dimensions: int) -> Callable[[], Tensor]:
    features, losses, labels = _random(samples, dimensions), _random(samples), _labels(samples)

    def first_split() -> Tensor:
        scores = splits.oss_scores(features, labels, 0, config.split.oss_distance)
        return splits.als_clean_mask(losses, config.split.alpha) & splits.oss_clean_mask(
            scores, labels, 0, config.split.beta
        )

    return first_split


def _vote(samples: int) -> Callable[[], tuple[Tensor, Tensor]]:
    logits, labels = _random(samples, CLASSES), _labels(samples)
    return lambda: (votes.second_likely_counts(logits), votes.log_probability_floor(logits, labels))


def matrix_product_peak(device: torch.device, size: int = 2048, repeats: int = 5) -> float:
    """Operations a second of a float32 matrix product: the best of some."""
    a, b = (torch.randn(size, size, device=device) for _ in range(2))
    seconds = []
    for _ in range(repeats):
        begin = time.perf_counter()
        (a @ b)[0, 0].item()
        seconds.append(time.perf_counter() - begin)
    return 2 * size**3 / min(seconds)


def network_flop(model: nn.Module, images: Tensor) -> tuple[float, float]:
    """Operations of a network for one image, forward alone and with the backward pass, a multiply-add as two."""
    x = images[:2].permute(0, 3, 1, 2).float().to(next(model.parameters()).device)
    with FlopCounterMode(display=False) as forward:
        logits = model(x)
    with FlopCounterMode(display=False) as backward:
        logits.sum().backward()
    model.zero_grad()
    return forward.get_total_flops() / 2, (forward.get_total_flops() + backward.get_total_flops()) / 2
