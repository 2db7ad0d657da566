"""Computes how long a run will take on this machine, from the times of the parts measured in `workload`."""

from __future__ import annotations

import resource
import sys
from dataclasses import dataclass

from bsd_engine.compute import runtime
from bsd_engine.config.method_settings import STAGES, ScheduleConfig, Stage
from bsd_engine.config.settings import BSDConfig
from bsd_engine.prepare.prepare import PreparedData, prepare
from bsd_engine.training.workload import PartSeconds, measure_parts


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Amounts of work in an epoch."""

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
    """The expected time and memory of a run on this machine, without recording it and without its maps."""

    seconds: float
    """Of the whole run."""
    epoch_seconds: dict[Stage, float]
    """Of one epoch in each stage."""
    parts: PartSeconds
    device: str
    peak_bytes: int
    """Largest resident memory of this process so far; each part of training has run once."""

    def line(self) -> str:
        """The estimate as one line of text."""
        unit, size = next(
            (u, s) for u, s in (("hours", 3600), ("minutes", 60), ("seconds", 1)) if self.seconds >= 1.5 * s or s == 1
        )
        return (
            f"time: about {self.seconds / size:.{int(size == 3600)}f} {unit} on {self.device}; memory: at least "
            f"{self.peak_bytes / 1e6:,.0f} MB"
        )


def epoch_seconds(schedule: ScheduleConfig, parts: PartSeconds, counts: Counts) -> dict[Stage, float]:
    """Seconds of an ordinary epoch in each stage, in the order in which the trainer works.

    While T < T2, both models score and then train side by side, and the slower one counts. The tests of f use half of
    the threads then, too.
    """
    warmup = counts.altruistic_batches * parts.altruistic + counts.samples * parts.score
    scoring = (counts.samples + counts.tests) * parts.score_beside
    g = counts.altruistic_steps * parts.altruistic_beside
    oss = scoring + max(counts.warmup_models * schedule.iterations * parts.main_beside, g)
    beside = scoring + max(schedule.iterations * parts.main_beside, g)
    alone = (counts.samples + counts.tests) * parts.score + schedule.iterations * parts.main
    return dict(zip(STAGES, (warmup, oss, beside, beside, alone)))


def run_seconds(schedule: ScheduleConfig, parts: PartSeconds, counts: Counts) -> float:
    """Seconds of a run.

    That is its epochs, the test of g after its warm-up, and the last scores of g, computed beside those of f at T2.
    """
    each = epoch_seconds(schedule, parts, counts)
    total = sum(each[schedule.stage(epoch)] for epoch in range(schedule.total_epochs)) + counts.tests * parts.score
    return total + (counts.samples * (parts.score_beside - parts.score) if schedule.t3 > schedule.t2 else 0.0)


def estimate(config: BSDConfig, prepared: PreparedData | None = None) -> Estimate:
    """Estimate the time of a run with these settings and data on this machine, from a few seconds of measuring.

    Long iterations are timed with smaller batches and scaled up.
    """
    prepared = prepared or prepare(config)
    parts = measure_parts(config, prepared)
    # The test images of an ordinary epoch. The last epoch tests all of them, which hardly matters for a whole run.
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
        device=runtime.choose(config.device, config.precision).description,
        peak_bytes=_peak_bytes(),
    )


def counts_of(config: BSDConfig, *, samples: int, tests: int, classes: int) -> Counts:
    """The work of an epoch with these settings, for given numbers of training images, test images and classes."""
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
    """The largest resident memory of this process so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak  # macOS counts bytes, Linux kilobytes
