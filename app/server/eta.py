"""Estimates the time left in a run from its finished epochs or, if there are too few, from an earlier similar run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import median

from bsd_engine.config.method_settings import STAGES, ScheduleConfig, Stage

RECENT = 5
Durations = Sequence[tuple[Stage, float]]


def stage_seconds(durations: Durations) -> dict[Stage, float]:
    """Seconds per epoch in each stage seen so far: the median of the last five."""
    by_stage = {stage: [seconds for s, seconds in durations if s == stage] for stage in STAGES}
    return {stage: median(values[-RECENT:]) for stage, values in by_stage.items() if values}


def remaining_seconds(
    schedule: ScheduleConfig, done: Durations, fraction: float = 0.0, prior: Mapping[Stage, float] | None = None
) -> float | None:
    """Seconds until the run ends, or None while that is unknown.

    Parameters
    ----------
    done : stage and seconds of each finished epoch, from epoch 0
    fraction : finished share of the epoch in progress
    prior : seconds of an epoch by stage, from an earlier run; used for stages that this run has not reached

    A main stage that is in neither is assumed to take as long as the last known main stage: they cost about the same,
    whereas the altruistic warm-up trains another model and says nothing about them.
    """
    known = {**(prior or {}), **stage_seconds(done)}
    remaining, last = 0.0, None
    for epoch in range(schedule.total_epochs):
        stage = schedule.stage(epoch)
        seconds = known.get(stage, last if stage != "altruistic_warmup" else None)
        if stage != "altruistic_warmup":
            last = seconds
        if epoch < len(done):
            continue
        if seconds is None:
            return None
        remaining += seconds * (1 - fraction if epoch == len(done) else 1)
    return remaining


def silence_limit(durations: Durations) -> float:
    """Seconds of silence after which a page reports it: three median epochs, at least ten seconds."""
    recent = [seconds for _, seconds in durations[-RECENT:]]
    return max(10.0, 3 * median(recent)) if recent else 60.0
