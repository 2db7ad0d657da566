"""The run folders as the pages read them, and the time left in a run."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np

from app.server import eta, run_cache
from bsd_engine.config.method_settings import ScheduleConfig
from bsd_engine.runs.commands import send_command
from bsd_engine.runs.writer import RunWriter
from tests.support.fake_run import CONFIG, FakeRun, fake_run


def test_the_seconds_of_an_epoch_are_known_once_a_run_has_ended(root: Path) -> None:
    path = fake_run(root, epochs=38, status=None, samples=60)
    assert run_cache.prior_seconds(root, CONFIG) == {}
    with RunWriter(path) as writer:
        writer.summary(FakeRun().summary("finished", 38))
    assert run_cache.prior_seconds(root, CONFIG)["oss_warmup"] == 2.5


def test_a_command_waits_until_the_writer_has_obeyed(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=2, status=None)
    assert run_cache.waiting_command(path, 0) is None
    send_command(path, "pause")
    assert run_cache.waiting_command(path, 0) == "pause" and run_cache.waiting_command(path, 1) is None
    send_command(path, "stop")
    send_command(path, "resume")
    assert run_cache.waiting_command(path, 1) == "stop"


SCHEDULE = ScheduleConfig(altruistic_epochs=2, t1=2, init_epochs=1, t2=5, t3=6)


def test_time_left_is_unknown_before_a_main_epoch_without_an_earlier_run() -> None:
    assert eta.remaining_seconds(SCHEDULE, [("altruistic_warmup", 1.0)]) is None
    prior = {"altruistic_warmup": 1.0, "oss_warmup": 3.0}
    assert eta.remaining_seconds(SCHEDULE, [], prior=prior) == 2 * 1 + 6 * 3
    done = [("altruistic_warmup", 1.0)] * 2 + [("oss_warmup", 4.0)]
    assert eta.remaining_seconds(SCHEDULE, done, 0.5) == 0.5 * 4 + 4 * 4


def test_time_left_uses_the_median_of_the_last_five_epochs_of_a_stage() -> None:
    times = [("oss_warmup", s) for s in (90.0, 90.0, 1.0, 2.0, 3.0, 4.0, 90.0)]
    assert eta.stage_seconds(times) == {"oss_warmup": 3.0}
    assert eta.silence_limit(times) == 10.0 and eta.silence_limit([("oss_warmup", 20.0)]) == 60.0


def test_pca_keeps_its_orientation_from_epoch_to_epoch(tmp_path: Path) -> None:
    path = fake_run(tmp_path, epochs=6)
    maps = [run_cache.pca_map(path, epoch) for epoch in range(6)]
    for before, after in itertools.pairwise(maps):
        assert np.all((before * after).sum(0) > 0)
