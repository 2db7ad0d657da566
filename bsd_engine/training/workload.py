"""The parts of training, one unit of work at a time, and how long each takes on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Barrier

import torch

from bsd_engine.compute import runtime
from bsd_engine.config.settings import BSDConfig
from bsd_engine.method.decisions import Decision
from bsd_engine.method.pools import PoolTrace
from bsd_engine.method.rules import PoolRules
from bsd_engine.method.scoring import score
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.training.learner import Training
from bsd_engine.training.trainer import BSDTrainer

PART_SECONDS = 0.4
"""Each part is repeated for about this long."""


@dataclass(frozen=True, kw_only=True)
class PartSeconds:
    """Seconds of one unit of work; `..._beside` with both models computing at once, each on half of the threads."""

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


def measure_parts(config: BSDConfig, prepared: PreparedData) -> PartSeconds:
    """Time each part with the run's own network, image size and batches."""
    scale = _batch_divisor(config, prepared)
    workload = Workload(_smaller_batches(config, scale), prepared)
    threads = workload.steps.runtime.threads
    alone = [timed(work, threads)[0] for work in (workload.main, workload.altruistic, workload.score_main)]
    beside = timed_beside(workload.main, workload.altruistic_update, threads)
    scores = timed_beside(workload.score_main, workload.score_altruistic, threads)
    return PartSeconds(
        main=scale * alone[0],
        altruistic=scale * alone[1],
        score=alone[2] / workload.scored,
        main_beside=scale * beside[0],
        altruistic_beside=scale * beside[1],
        score_beside=max(scores) / workload.scored,
    )


class Workload:
    """A trainer whose parts can be run one unit at a time. Its pools are the two halves of the data.

    Parameters
    ----------
    scored : images in a unit of scoring, as far as there are so many
    """

    def __init__(self, config: BSDConfig, prepared: PreparedData, scored: int = 64) -> None:
        self.config = config
        self.trainer = BSDTrainer(config, prepared)
        self.steps = self.trainer.steps
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
        decision = Decision(trace=trace)
        # An epoch after the OSS warm-up: lambda_u is not 0, and there is one main model.
        epoch = config.schedule.altruistic_epochs + config.schedule.t1
        self._main = _endless(partial(self.trainer.train_main, epoch, decision))
        self._warmup = _endless(partial(self.trainer.altruistic.warmup_epoch, epoch))
        self._update = _endless(partial(self.trainer.altruistic.main_epoch, epoch, decision))

    def main(self) -> None:
        """One MixMatch iteration of f."""
        next(self._main)
        self._wait()

    def altruistic(self) -> None:
        """One batch of g in its warm-up."""
        next(self._warmup)
        self._wait()

    def altruistic_update(self) -> None:
        """One batch or iteration of g as it trains beside f."""
        next(self._update)
        self._wait()

    def score_main(self) -> None:
        """Scores of `scored` images by f."""
        self._score(self.trainer.main.network)

    def score_altruistic(self) -> None:
        """Scores of `scored` images by g."""
        self._score(self.trainer.altruistic.network)

    def _score(self, network: torch.nn.Module) -> None:
        steps = self.steps
        score(network, steps.images[: self.scored], steps.labels[: self.scored], steps.normalize, steps.runtime)
        network.train()
        self._wait()

    def _wait(self) -> None:
        if self.steps.runtime.device.type == "cuda":
            torch.cuda.synchronize(self.steps.runtime.device)


def _endless(epoch: Callable[[], Training]) -> Iterator[tuple[int, int]]:
    """The iterations of an epoch that is started again whenever it ends."""
    while True:
        yield from epoch()


def timed(
    work: Callable[[], object], threads: int, seconds: float = PART_SECONDS, barrier: Barrier | None = None
) -> tuple[float, int]:
    """Mean seconds of a piece of work and how often it was done, after a first time that is not counted.

    Parameters
    ----------
    threads : CPU threads that the work may use
    seconds : the work is repeated for about this long
    barrier : waited for after the first time, where several pieces of work are to be timed together
    """
    with runtime.intra_op_threads(threads):
        try:
            work()
        except BaseException:
            if barrier:
                barrier.abort()  # otherwise the other piece of work would wait forever
            raise
        if barrier:
            barrier.wait()
        begin, done = time.perf_counter(), 0
        while not done or time.perf_counter() - begin < seconds:
            work()
            done += 1
        return (time.perf_counter() - begin) / done, done


def timed_beside(first: Callable[[], object], second: Callable[[], object], threads: int) -> tuple[float, float]:
    """Mean seconds of two pieces of work that run side by side, each on half of the threads."""
    barrier = Barrier(2)
    with ThreadPoolExecutor(2) as pool:
        one = pool.submit(timed, first, threads - threads // 2, barrier=barrier)
        other = pool.submit(timed, second, threads // 2, barrier=barrier)
        return one.result()[0], other.result()[0]


def _smaller_batches(config: BSDConfig, divisor: int) -> BSDConfig:
    """The settings with all batches divided by a number, and with few iterations."""
    mix, g = config.mixmatch, config.altruistic
    return config.with_settings(
        labeled_batch=max(2, mix.labeled_batch // divisor),
        unlabeled_batch=max(2, mix.unlabeled_batch // divisor),
        altruistic_batch=max(2, g.altruistic_batch // divisor),
        iterations=min(config.schedule.iterations, 16),
    )


def _batch_divisor(config: BSDConfig, prepared: PreparedData) -> int:
    """The divisor of all batches with which an iteration takes about `PART_SECONDS`.

    No batch gets smaller than 8 images: with fewer, the weights would take more of the time.
    """
    workload = Workload(_smaller_batches(config, 10**6), prepared, scored=8)
    image = timed(workload.score_main, workload.steps.runtime.threads, 0.0)[0] / workload.scored
    mix, divisor = config.mixmatch, 1
    # A forward and a backward pass take about as long as three forward passes; the guesses take one.
    full = image * (3 * mix.labeled_batch + 8 * mix.unlabeled_batch)
    while (
        full / divisor > PART_SECONDS
        and min(mix.labeled_batch, mix.unlabeled_batch, config.altruistic.altruistic_batch) // (2 * divisor) >= 8
    ):
        divisor *= 2
    return divisor
