"""A synthetic run folder with plausible arrays for tests of the page: no model, no training, milliseconds per epoch.

path = fake_run(root, epochs=38)                      # complete and finished
with LiveFakeRun(root, epochs=38, seconds=0.5): ...   # grows from a thread, obeys pause, resume and stop
"""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Self

import numpy as np

from bsd_engine.config.presets import demo
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.runs.layout import new_run_id
from bsd_engine.runs.writer import RunWriter
from bsd_engine.splits import als_clean_mask, clean_ratio, discrepancy_clean_mask, initial_clean_mask, oss_clean_mask

CONFIG = demo().with_settings(
    altruistic_epochs=8,
    t1=8,
    init_epochs=4,
    t2=24,
    t3=30,
    alpha=0.6,
    beta=0.2,
    target_label=3,
    rate=0.05,
    target_estimator="probability_floor",
)
CLASS_NAMES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")


class FakeRun:
    """The arrays of a synthetic run: two losses, distances, features and pools as in a successful defence."""

    def __init__(
        self, config: BSDConfig | None = None, *, samples: int = 1200, truth: bool = True, seed: int = 0
    ) -> None:
        self.config = config or CONFIG
        self.truth = truth
        self.rng = rng = np.random.default_rng(seed)
        self.labels = rng.integers(0, 10, samples)
        self.original_labels = self.labels.copy()
        target = self.config.attack.target_label
        others = np.flatnonzero(self.labels != target)
        poison_idx = rng.choice(others, max(1, int((self.config.attack.rate or 0.05) * len(others))), replace=False)
        self.is_poison = np.zeros(samples, bool)
        self.is_poison[poison_idx] = True
        self.labels[poison_idx] = target
        self.landmark_idx = np.sort(rng.choice(samples, min(samples, 600), replace=False))
        self.images = rng.integers(0, 255, (samples, 1, 28, 28), dtype=np.uint8)
        self.centers = rng.normal(0, 3, (10, 16))
        self.difficulty = rng.gamma(2.0, 0.5, samples)
        self.score = np.where(self.labels == target, rng.normal(5, 0.7, samples), rng.normal(3.6, 0.6, samples))
        self.score[self.is_poison] = rng.normal(3.6, 0.6, len(poison_idx))
        self.is_missed = self.is_poison & (rng.random(samples) < 0.1)
        self.score[self.is_missed] += 2
        self.cumulative = 0

    def create(self, path: Path) -> RunWriter:
        """Create the folder of this run, without epochs; returns its writer."""
        return RunWriter.create(
            path,
            self.config,
            fingerprint="0" * 16,
            class_names=CLASS_NAMES,
            images=self.images,
            labels=self.labels,
            landmark_idx=self.landmark_idx,
            is_poison=self.is_poison if self.truth else None,
            original_labels=self.original_labels if self.truth else None,
        )

    def state(self, epoch: int) -> EpochState:
        """Return one epoch, as a trainer would report it."""
        s, schedule = self.config.split, self.config.schedule
        t, stage, target = schedule.main_epoch(epoch), schedule.stage(epoch), self.config.attack.target_label
        loss_g = (9 * self.difficulty / (1 + 0.12 * epoch * (1 + self.difficulty))).clip(1e-3, 9.9)
        loss_g[self.is_poison & ~self.is_missed] *= 0.4 / (1 + epoch)
        state = {
            "epoch": epoch,
            "stage": stage,
            "main_epoch": t,
            "pseudo_target": target,
            "altruistic_loss": loss_g.astype(np.float32),
            "altruistic_prediction": self.labels.astype(np.int16),
            "landmark_features": self._features(epoch),
        }
        if t < 0:
            counts = self.rng.integers(20, 120, 10)
            counts[target] += 200
            return EpochState(
                **state,
                clean_ratio=None,
                vote_counts=counts,
                vote_scores=(counts / counts.sum()).astype(np.float32),
                metrics=self._metrics(epoch, None),
            )
        loss_f = (8 * self.difficulty / (1 + 0.1 * t)).clip(1e-3, 9.9)
        caught = self.is_poison & ~self.is_missed
        loss_f[caught] = self.rng.normal(8.5, 0.8, caught.sum()).clip(0.1, 9.9)
        ratio = None
        if stage == "oss_warmup":
            mask = self.labels != target
        elif stage == "initial_pools":
            ratio = s.alpha
            mask = initial_clean_mask(
                als_clean_mask(loss_g, s.alpha), oss_clean_mask(self.score, self.labels, target, s.beta)
            )
        else:
            ratio = clean_ratio(
                t, alpha=s.alpha, beta=s.beta, t1=schedule.t1, init_epochs=schedule.init_epochs, t2=schedule.t2
            )
            mask = discrepancy_clean_mask((loss_g - loss_f).astype(np.float32), self.labels, ratio, s.completion)
        return EpochState(
            **state,
            clean_ratio=ratio,
            clean_mask=mask,
            main_loss=loss_f.astype(np.float32),
            main_prediction=self.original_labels.astype(np.int16),
            oss_score=self.score.astype(np.float32) if t <= schedule.t1 else None,
            metrics=self._metrics(epoch, mask),
        )

    def _features(self, epoch: int) -> np.ndarray:
        idx = self.landmark_idx
        spread = 0.3 + 0.7 * min(1.0, epoch / 20)
        noise = np.random.default_rng(7).normal(0, 1, (len(idx), 16))
        mirrored = np.where(np.arange(16) % 2 == epoch % 2, -1, 1)  # the sign of a component is arbitrary
        return (mirrored * (spread * self.centers[self.original_labels[idx]] + noise)).astype(np.float16)

    def _metrics(self, epoch: int, mask: np.ndarray | None) -> dict[str, float | int | None]:
        poison = None if mask is None or not self.truth else int((mask & self.is_poison).sum())
        self.cumulative += poison or 0
        main = mask is not None
        return {
            "seconds": 2.0 + 0.5 * main,
            "clean_accuracy": 85 - 40 / (1 + epoch) if main else None,
            "attack_success_rate": 2.1357 + 10 / (1 + epoch) if main and self.truth else None,
            "clean_pool_size": int(mask.sum()) if main else None,
            "poison_in_clean_pool": poison,
            "poison_in_clean_pool_cumulative": self.cumulative if main and self.truth else None,
        }

    def summary(self, status: str, epochs: int) -> dict:
        """Return the content of `summary.json`."""
        config, known = self.config, self.truth
        return {
            "status": status,
            "preset": config.preset,
            "data": config.data.data,
            "attack": config.attack.attack,
            "device": "cpu",
            "seconds": 94.0,
            "epochs": epochs,
            "clean_accuracy": 83.9,
            "attack_success_rate": 1.6 if known else None,
            "pseudo_target": config.attack.target_label,
            "true_target": config.attack.target_label if known else None,
            "clean_pool_size": 700,
            "poison_in_clean_pool": 3 if known else None,
        }


def fake_run(
    root: Path,
    *,
    epochs: int = 38,
    status: str | None = "finished",
    run_id: str | None = None,
    config: BSDConfig | None = None,
    truth: bool = True,
    samples: int = 1200,
    maps: bool = False,
) -> Path:
    """Return a run folder with that many epochs; without a status the run looks interrupted and can be resumed."""
    path, run = Path(root) / (run_id or new_run_id()), FakeRun(config, truth=truth, samples=samples)
    with run.create(path) as writer:
        for epoch in range(epochs):
            writer.epoch(run.state(epoch))
        writer.checkpoint(epochs - 1, b"")
        if maps:
            np.savez(path / "maps" / f"{epochs - 1:05d}.npz", xy=run._features(epochs - 1)[:, :2].astype(np.float32))
        if status:
            writer.summary(run.summary(status, epochs))
    return path


class LiveFakeRun:
    """A run folder that grows by one epoch every `seconds` seconds while the context lasts."""

    def __init__(
        self,
        root: Path,
        *,
        epochs: int = 38,
        seconds: float = 0.5,
        run_id: str | None = None,
        truth: bool = True,
        config: BSDConfig | None = None,
        samples: int = 1200,
    ) -> None:
        self.path = Path(root) / (run_id or new_run_id())
        self._run, self._epochs, self._seconds = FakeRun(config, truth=truth, samples=samples), epochs, seconds
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._writer = self._run.create(self.path)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _write(self) -> None:
        status = "finished"
        with self._writer as writer:
            for epoch in range(self._epochs):
                for iteration in range(10):
                    if not self._obey(epoch, iteration):
                        status = "stopped"
                        break
                    self._over.wait(self._seconds / 10)
                if status == "stopped" or self._over.is_set():
                    break
                writer.epoch(self._run.state(epoch))
            writer.checkpoint(0, b"")
            writer.summary(self._run.summary(status, self._epochs))

    def _obey(self, epoch: int, iteration: int) -> bool:
        """Publish the progress and wait while paused; returns whether to continue."""
        state = "running"
        while True:
            for command in self._writer.new_commands():
                state = {"pause": "paused", "resume": "running", "stop": "stopped"}[command]
            stage = self._run.config.schedule.stage(epoch)
            self._writer.progress(state=state, epoch=epoch, stage=stage, iteration=iteration, iterations=10)
            if state != "paused" or self._over.is_set():
                return state != "stopped"
            time.sleep(0.05)
