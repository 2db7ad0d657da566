"""How long a run will take, from a few iterations of each of its parts on this machine."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import torch

from bsd_engine.compute import runtime
from bsd_engine.config.method_settings import STAGES, ScheduleConfig, Stage
from bsd_engine.config.settings import BSDConfig
from bsd_engine.method.decisions import Decision
from bsd_engine.method.pools import PoolTrace
from bsd_engine.method.rules import PoolRules
from bsd_engine.method.scoring import score
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.training.trainer import BSDTrainer

PART_SECONDS = 0.4  # each of the parts is repeated for about so long


@dataclass(frozen=True, kw_only=True)
class PartSeconds:
    """Seconds of one unit of work; "beside" is with both models computing at once, each on half of the threads."""

    main: float
    """A MixMatch iteration of f alone."""
    main_beside: float
    altruistic: float
    """A batch of g alone, in its warm-up."""
    altruistic_beside: float
    """A batch, or with `altruistic_update` a MixMatch iteration, of g."""
    score: float
    """Scoring one image, alone."""
    score_beside: float


@dataclass(frozen=True, kw_only=True)
class Counts:
    """How much work an epoch has."""

    samples: int
    """Training images."""
    tests: int
    """Test images, clean and triggered."""
    altruistic_batches: int
    """Batches of g in an epoch of its warm-up."""
    altruistic_steps: int
    """Batches or iterations of g in an epoch beside f."""
    warmup_models: int = 1
    """Models in the OSS warm-up; one for each class with all-to-all by retraining."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a run is expected to take here; writing it down and its maps are not counted."""

    seconds: float
    """Of the whole run."""
    epoch_seconds: dict[Stage, float]
    """Of one epoch in each stage."""
    parts: PartSeconds
    device: str
    peak_bytes: int
    """Largest resident memory of this process so far, each part of training having run once."""

    def line(self) -> str:
        """The estimate as text."""
        unit, size = next(
            (u, s) for u, s in (("hours", 3600), ("minutes", 60), ("seconds", 1)) if self.seconds >= 1.5 * s or s == 1
        )
        return (
            f"time: about {self.seconds / size:.{int(size == 3600)}f} {unit} on {self.device}; memory: at least "
            f"{self.peak_bytes / 1e6:,.0f} MB"
        )


def epoch_seconds(schedule: ScheduleConfig, parts: PartSeconds, counts: Counts) -> dict[Stage, float]:
    """Seconds of an ordinary epoch in each stage, as `trainer` orders its work.

    While T < T2, both models score and then train side by side, and the slower one decides; the tests of f have half of
    the threads, too.
    """
    warmup = counts.altruistic_batches * parts.altruistic + counts.samples * parts.score
    scoring = (counts.samples + counts.tests) * parts.score_beside
    g = counts.altruistic_steps * parts.altruistic_beside
    oss = scoring + max(counts.warmup_models * schedule.iterations * parts.main_beside, g)
    beside = scoring + max(schedule.iterations * parts.main_beside, g)
    alone = (counts.samples + counts.tests) * parts.score + schedule.iterations * parts.main
    return dict(zip(STAGES, (warmup, oss, beside, beside, alone)))


def run_seconds(schedule: ScheduleConfig, parts: PartSeconds, counts: Counts) -> float:
    """Seconds of a run: its epochs, the test of g after its warm-up, and the last scores of g, made beside those of f at T2."""
    each = epoch_seconds(schedule, parts, counts)
    total = sum(each[schedule.stage(epoch)] for epoch in range(schedule.total_epochs)) + counts.tests * parts.score
    return total + (counts.samples * (parts.score_beside - parts.score) if schedule.t3 > schedule.t2 else 0.0)


def estimate(config: BSDConfig, prepared: PreparedData | None = None) -> Estimate:
    """The seconds that a run with these settings and data takes here, from some seconds of measuring.

    Where an iteration is long, it is timed with smaller batches and scaled up.
    """
    prepared = prepared or prepare(config)
    parts = measure_parts(config, prepared)
    place = runtime.choose(config.device, config.precision).description
    # What an ordinary epoch tests; the last one tests all, which one pass more hardly shows.
    tests = sum(
        min(len(x), config.data.epoch_tests or len(x))
        for x in (prepared.test_images, prepared.triggered_images)
        if x is not None
    )
    counts = counts_of(config, samples=len(prepared.labels), tests=tests, classes=prepared.num_classes)
    return Estimate(
        seconds=run_seconds(config.schedule, parts, counts),
        epoch_seconds=epoch_seconds(config.schedule, parts, counts),
        parts=parts,
        device=place,
        peak_bytes=_peak_bytes(),
    )


def counts_of(config: BSDConfig, *, samples: int, tests: int, classes: int) -> Counts:
    """The work of an epoch with these settings on so many training and test images."""
    batch = config.altruistic.altruistic_batch
    batches = samples // batch + (samples % batch > 1)
    return Counts(
        samples=samples,
        tests=tests,
        altruistic_batches=batches,
        altruistic_steps=batches if config.altruistic.altruistic_update == "ce" else config.schedule.iterations,
        warmup_models=classes if config.split.all_to_all == "retrain_each" else 1,
    )


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes, Linux kilobytes


def measure_parts(config: BSDConfig, prepared: PreparedData) -> PartSeconds:
    """Time each part with the run's own network, image size and batches."""
    scale = _batch_divisor(config, prepared)
    works = Workload(_smaller_batches(config, scale), prepared)
    threads = works.trainer.runtime.threads
    alone = [timed(work, threads)[0] for work in (works.main, works.altruistic, works.score_main)]
    beside = timed_beside(works.main, works.altruistic_update, threads)
    scores = timed_beside(works.score_main, works.score_altruistic, threads)
    return PartSeconds(
        main=scale * alone[0],
        altruistic=scale * alone[1],
        score=alone[2] / works.scored,
        main_beside=scale * beside[0],
        altruistic_beside=scale * beside[1],
        score_beside=max(scores) / works.scored,
    )


class Workload:
    """A trainer whose parts can be run one unit at a time. Its pools are the two halves of the data."""

    def __init__(self, config: BSDConfig, prepared: PreparedData, scored: int = 64) -> None:
        self.config = config
        self.trainer = BSDTrainer(config, prepared)
        self.scored = min(scored, len(prepared.labels))
        first_half = torch.arange(len(prepared.labels)) < len(prepared.labels) // 2
        trace = PoolTrace(
            t=config.schedule.t1,
            rule="kept",
            rules=PoolRules.of(config),
            target=None,
            clean_mask=first_half,
            unlabeled_mask=~first_half,
        )
        self._decision = Decision(trace=trace)
        # An epoch after the OSS warm-up: lambda_u is not 0, and there is one main model.
        epoch = config.schedule.altruistic_epochs + config.schedule.t1
        self._main = self._endless(self.trainer._train_main, epoch, self._decision)
        self._altruistic = self._endless(self.trainer._cross_entropy, epoch)
        self._update = self._endless(self.trainer._train_altruistic, epoch, self._decision)

    @staticmethod
    def _endless(train: Callable[..., Iterator[Any]], *arguments: Any) -> Iterator[Any]:
        while True:
            yield from train(*arguments)

    def main(self) -> None:
        """One MixMatch iteration of f."""
        next(self._main)
        self._wait()

    def altruistic(self) -> None:
        """One batch of g."""
        next(self._altruistic)
        self._wait()

    def altruistic_update(self) -> None:
        """One batch or iteration of g as it trains beside f."""
        next(self._update)
        self._wait()

    def score_main(self) -> None:
        """f scores `scored` images."""
        self._score(self.trainer.main)

    def score_altruistic(self) -> None:
        """g scores `scored` images."""
        self._score(self.trainer.altruistic)

    def _score(self, model: torch.nn.Module) -> None:
        t = self.trainer
        score(model, t.images[: self.scored], t.labels[: self.scored], t.normalize, t.runtime)
        model.train()
        self._wait()

    def _wait(self) -> None:
        if self.trainer.runtime.device.type == "cuda":
            torch.cuda.synchronize(self.trainer.runtime.device)


def timed(
    work: Callable[[], None], threads: int, seconds: float = PART_SECONDS, barrier: Barrier | None = None
) -> tuple[float, int]:
    """Mean seconds of a piece of work, and how often it was done, after one that is not counted."""
    with runtime.intra_op_threads(threads):
        try:
            work()
        except BaseException:
            if barrier:
                barrier.abort()  # the other one would wait for ever
            raise
        if barrier:
            barrier.wait()
        begin, done = time.perf_counter(), 0
        while not done or time.perf_counter() - begin < seconds:
            work()
            done += 1
        return (time.perf_counter() - begin) / done, done


def timed_beside(first: Callable[[], None], second: Callable[[], None], threads: int) -> tuple[float, float]:
    """Mean seconds of two pieces of work that run side by side, each on half of the threads."""
    barrier = Barrier(2)
    shares = (threads - threads // 2, threads // 2)
    with ThreadPoolExecutor(2) as lanes:
        running = [lanes.submit(timed, work, share, barrier=barrier) for work, share in zip((first, second), shares)]
        return tuple(each.result()[0] for each in running)


def _smaller_batches(config: BSDConfig, divisor: int) -> BSDConfig:
    mix, g = config.mixmatch, config.altruistic
    return config.with_settings(
        labeled_batch=max(2, mix.labeled_batch // divisor),
        unlabeled_batch=max(2, mix.unlabeled_batch // divisor),
        altruistic_batch=max(2, g.altruistic_batch // divisor),
        iterations=min(config.schedule.iterations, 16),
    )


def _batch_divisor(config: BSDConfig, prepared: PreparedData) -> int:
    """By what batches are divided so that an iteration takes about PART_SECONDS; batches of 8 stay, since fewer images
    leave more of the time to the weights."""
    works = Workload(_smaller_batches(config, 10**6), prepared, scored=8)
    image = timed(works.score_main, works.trainer.runtime.threads, 0.0)[0] / works.scored
    mix, divisor = config.mixmatch, 1
    # Forward and backward are about three forwards, and the guesses one.
    full = image * (3 * mix.labeled_batch + 8 * mix.unlabeled_batch)
    while (
        full / divisor > PART_SECONDS
        and min(mix.labeled_batch, mix.unlabeled_batch, config.altruistic.altruistic_batch) // (2 * divisor) >= 8
    ):
        divisor *= 2
    return divisor
