"""A synthetic run of any size for benchmarks: random scores, no model and no training. Never shown to users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from bsd_engine.config.method_settings import ScheduleConfig, SplitConfig
from bsd_engine.config.presets import demo
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.runs.writer import RunWriter
from bsd_engine.splits import als_clean_mask, clean_ratio, discrepancy_clean_mask, initial_clean_mask, oss_clean_mask

CLASSES, TARGET, LANDMARKS = 10, 3, 2000


class SyntheticRun:
    """Scores of samples in ten classes, 5 % of them poisoned; the scores change a little from epoch to epoch."""

    def __init__(self, samples: int, *, epochs: int = 40, seed: int = 0) -> None:
        self.rng = rng = np.random.default_rng(seed)
        self.config: BSDConfig = demo().with_settings(
            preset="synthetic",
            altruistic_epochs=6,
            t1=8,
            init_epochs=2,
            t2=max(10, epochs - 16),
            t3=max(10, epochs - 6),
            completion="fewest",
        )
        self.labels = rng.integers(0, CLASSES, samples)
        self.is_poison = (rng.random(samples) < 0.05) & (self.labels != TARGET)
        self.original = self.labels.copy()
        self.labels[self.is_poison] = TARGET
        self.difficulty = rng.gamma(2.0, 0.5, samples)
        self.landmark_idx = np.sort(rng.choice(samples, min(samples, LANDMARKS), replace=False))
        self.centers = rng.normal(0, 3, (CLASSES, 16))

    def write(self, path: Path) -> None:
        """Write the run folder with all its epochs."""
        with self.create(path) as writer:
            for epoch in range(self.config.schedule.total_epochs):
                writer.epoch(self.state(epoch))

    def create(self, path: Path, images: np.ndarray | None = None) -> RunWriter:
        """Create the run folder without epochs; without `images`, it holds 8-pixel grey squares, a shade per class."""
        if images is None:
            images = np.repeat((self.original * 25).astype(np.uint8), 64).reshape(-1, 1, 8, 8)
        return RunWriter.create(
            path,
            self.config,
            fingerprint="synthetic",
            class_names=tuple(f"class {c}" for c in range(CLASSES)),
            images=images,
            labels=self.labels,
            landmark_idx=self.landmark_idx,
            is_poison=self.is_poison,
            original_labels=self.original,
        )

    def state(self, epoch: int) -> EpochState:
        """Return one epoch with the types of a real one."""
        rng, schedule, split = self.rng, self.config.schedule, self.config.split
        n, t, stage = len(self.labels), schedule.main_epoch(epoch), schedule.stage(epoch)
        g = np.clip(9 * self.difficulty / (1 + 0.1 * epoch) * rng.uniform(0.8, 1.25, n), 1e-4, 9.9)
        g[self.is_poison] *= 0.3 / (1 + epoch)
        values: dict[str, Any] = {
            "altruistic_loss": g.astype(np.float32),
            "altruistic_prediction": self.labels.astype(np.int16),
            "landmark_features": (
                self.centers[self.original[self.landmark_idx]] + rng.normal(0, 1, (len(self.landmark_idx), 16))
            ).astype(np.float16),
        }
        metrics: dict[str, Any] = {"seconds": 1.0}
        if t < 0:
            values |= {"vote_counts": np.ones(CLASSES, np.int64), "vote_scores": np.ones(CLASSES, np.float32)}
        else:
            values |= self._main_values(t, stage, g, schedule, split)
            pool = values["clean_mask"]
            metrics |= {
                "clean_accuracy": 90 - 30 / (1 + t),
                "attack_success_rate": 3.0,
                "clean_pool_size": int(pool.sum()),
                "poison_in_clean_pool": int((pool & self.is_poison).sum()),
                "poison_in_clean_pool_cumulative": 0,
            }
        return EpochState(
            epoch=epoch,
            stage=stage,
            main_epoch=t,
            pseudo_target=TARGET,
            metrics=metrics,
            **{"clean_ratio": None, **values},
        )

    def _main_values(
        self, t: int, stage: str, g: np.ndarray, schedule: ScheduleConfig, split: SplitConfig
    ) -> dict[str, Any]:
        """Return the main model's part of an epoch, from the losses of g."""
        rng, n = self.rng, len(self.labels)
        f = np.clip(8 * self.difficulty / (1 + 0.1 * t) * rng.uniform(0.8, 1.25, n), 1e-4, 9.9).astype(np.float32)
        f[self.is_poison] = rng.normal(8.5, 0.8, self.is_poison.sum()).clip(0.1, 9.9)
        is_clean_target = (self.labels == TARGET) & ~self.is_poison
        s = rng.normal(3.6, 0.6, n) + 1.4 * is_clean_target
        g = g.astype(np.float32)
        values: dict[str, Any] = {"main_loss": f, "main_prediction": self.original.astype(np.int16)}
        if stage in ("oss_warmup", "initial_pools"):
            mask = initial_clean_mask(
                als_clean_mask(g, split.alpha), oss_clean_mask(s.astype(np.float32), self.labels, TARGET, split.beta)
            )
            values |= {
                "clean_mask": mask if stage == "initial_pools" else self.labels != TARGET,
                "clean_ratio": split.alpha if stage == "initial_pools" else None,
            }
            if t <= schedule.t1:
                values |= {
                    "oss_score": s.astype(np.float32),
                    "oss_distances": np.stack([s, s + 1, s + 2.5]).astype(np.float32),
                    "nearest_class": np.zeros(n, np.int16),
                }
            return values
        ratio = clean_ratio(
            t, alpha=split.alpha, beta=split.beta, t1=schedule.t1, init_epochs=schedule.init_epochs, t2=schedule.t2
        )
        return values | {"clean_ratio": ratio, "clean_mask": discrepancy_clean_mask(g - f, self.labels, ratio)}
