"""The stages of a schedule and their lengths."""

from __future__ import annotations

import pytest

from bsd_engine.config.method_settings import STAGES, ScheduleConfig
from bsd_engine.config.presets import demo

PAPER, DEMO = ScheduleConfig(), demo().schedule


@pytest.mark.parametrize(
    ("t", "stage"),
    [
        (-25, "altruistic_warmup"),
        (-1, "altruistic_warmup"),
        (0, "oss_warmup"),
        (19, "oss_warmup"),
        (20, "initial_pools"),
        (21, "initial_pools"),
        (29, "initial_pools"),
        (30, "class_completion"),
        (89, "class_completion"),
        (90, "selective_drop"),
        (119, "selective_drop"),
    ],
)
def test_stages_of_the_papers_schedule(t: int, stage: str) -> None:
    epoch = t + 25
    assert PAPER.stage(epoch) == stage and PAPER.main_epoch(epoch) == t


@pytest.mark.parametrize(
    "schedule", [PAPER, DEMO, ScheduleConfig(t1=3, init_epochs=2, t2=5, t3=5)], ids=["paper", "demo", "short"]
)
def test_each_stage_is_as_long_as_its_settings_say(schedule: ScheduleConfig) -> None:
    stages = [schedule.stage(epoch) for epoch in range(schedule.total_epochs)]
    lengths = [
        schedule.altruistic_epochs,
        schedule.t1,
        schedule.init_epochs,
        schedule.t2 - schedule.t1 - schedule.init_epochs,
        schedule.t3 - schedule.t2,
    ]
    assert stages == [stage for stage, length in zip(STAGES, lengths) for _ in range(length)]


def test_the_paper_trains_145_epochs() -> None:
    assert PAPER.total_epochs == 145


@pytest.mark.parametrize("t1", [1, 20, 33])
def test_another_warmup_moves_t2_and_t3_along(t1: int) -> None:
    moved = PAPER.with_warmup(t1)
    assert (moved.t1, moved.init_epochs, moved.t2, moved.t3) == (t1, 10, 70 + t1, 100 + t1)
    assert moved.with_warmup(20) == PAPER
