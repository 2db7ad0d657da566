"""Times of the functions behind the page Tune, on one thread."""

from __future__ import annotations

import statistics

import torch

from benchmarks.common.synthetic_run import TARGET, SyntheticRun
from benchmarks.common.timing import milliseconds_of, p95, report, report_times
from bsd_engine import splits
from bsd_engine.method.first_scores import FirstScores
from bsd_engine.method.pool_map import pool_map

ALPHA, BETA = 0.6, 0.2
GRID = tuple(k / 20 for k in range(21))
SPLIT_BAR, MAP_BAR = 2, 1000  # milliseconds


def engine(samples: int) -> None:
    """Time the first split, and the map of 21 x 21 alphas and betas."""
    torch.set_num_threads(1)
    run = SyntheticRun(samples)
    state, config, labels = run.state(14), run.config, run.labels
    assert state.oss_score is not None, "epoch 14 is within the warm-up of f"
    scores = FirstScores(losses=state.altruistic_loss, oss=state.oss_score, target=TARGET)

    def split() -> None:
        splits.initial_clean_mask(
            splits.als_clean_mask(scores.losses, ALPHA), splits.oss_clean_mask(scores.oss, labels, TARGET, BETA)
        )

    took = milliseconds_of(split, 200)
    middle = statistics.median(took)
    what = f"re-split of {samples:,} samples, median and p95"
    report(what, f"{SPLIT_BAR} ms", middle, p95(took), passed=middle <= SPLIT_BAR)
    took = milliseconds_of(lambda: pool_map(config, labels, scores, run.is_poison, alphas=GRID, betas=GRID), 20)
    report_times("alpha x beta map 21 x 21", MAP_BAR, took)
