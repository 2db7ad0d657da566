"""Parts that the bench measures besides iterations: networks alone, recording, maps, and extrapolated presets."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from bsd_engine.compute.projection import COMPONENTS, umap_map
from bsd_engine.config.presets import preset
from bsd_engine.config.settings import BSDConfig
from bsd_engine.events import EpochState
from bsd_engine.files.atomic import write_atomic
from bsd_engine.method import mixmatch
from bsd_engine.prepare.prepare import PreparedData
from bsd_engine.runs.epoch_file import pack_epoch
from bsd_engine.training.estimate import Counts, counts_of, run_seconds
from bsd_engine.training.workload import Workload, measure_parts

PRESET_SIZES = {
    "demo": (28, 1, 10, 6000, 3800),
    "demo-gtsrb": (32, 3, 43, 8000, 4000),
    "audit": (32, 3, 10, 8000, 1000),
    "audit-quick": (32, 3, 10, 3000, 1000),
    "paper-cifar10": (32, 3, 10, 50000, 19000),
    "paper-gtsrb": (32, 3, 43, 39209, 25000),
    "paper-imagenet30": (224, 3, 30, 39000, 2900),
}
"""Side of the images, channels, classes, training images, and test images per epoch, clean and triggered."""


def noise(count: int, side: int, channels: int, classes: int, seed: int = 0) -> PreparedData:
    """Return images of noise; the duration of training does not depend on their content."""
    rng = np.random.default_rng(seed)
    images = torch.from_numpy(rng.integers(0, 256, (count, side, side, channels), dtype=np.uint8))
    return PreparedData(
        images=images,
        labels=torch.arange(count) % classes,
        is_poison=None,
        original_labels=None,
        test_images=None,
        test_labels=None,
        triggered_images=None,
        triggered_labels=None,
        class_names=tuple(str(c) for c in range(classes)),
        fingerprint="",
        landmark_idx=torch.arange(min(count, 100)),
    )


def networks_alone(workload: Workload) -> Callable[[], None]:
    """Return a function that runs the forward and backward passes of a MixMatch iteration, without augmentation,
    mixing, losses and optimiser."""
    steps, main, settings = workload.steps, workload.trainer.main, workload.config.mixmatch
    rows = torch.arange(settings.labeled_batch + 2 * settings.unlabeled_batch) % len(steps.images)
    x = steps.normalize(steps.images[rows].permute(0, 3, 1, 2).to(steps.runtime.device))
    first, second = x[settings.labeled_batch :].chunk(2)
    separate = settings.bn_mode == "separate"
    backward = torch.ones(len(rows), steps.num_classes, device=x.device) / len(rows)

    def step() -> None:
        with steps.runtime.autocast():
            mixmatch.guess_labels(
                main.network,
                first,
                second,
                settings.temperature,
                separate=separate,
                update_bn=settings.guess_updates_bn,
            )
            logits = mixmatch.forward_mixed(main.network, x, settings.labeled_batch, separate=separate)
        main.optimizer.zero_grad(set_to_none=True)
        logits.backward(backward)

    return step


def random_epoch(samples: int, seed: int = 0) -> EpochState:
    """Return an epoch of class completion with random scores."""
    rng = np.random.default_rng(seed)
    losses = rng.gamma(0.5, 1.0, (2, samples)).astype(np.float32)
    predictions = rng.integers(0, 10, (2, samples)).astype(np.int16)
    return EpochState(
        epoch=40,
        stage="class_completion",
        main_epoch=40,
        clean_ratio=0.5,
        altruistic_loss=losses[0],
        altruistic_prediction=predictions[0],
        main_loss=losses[1],
        main_prediction=predictions[1],
        clean_mask=rng.random(samples) < 0.5,
        landmark_features=rng.normal(size=(min(samples, 2000), COMPONENTS)).astype(np.float16),
        pseudo_target=3,
    )


def record_epoch(samples: int) -> Callable[[], None]:
    """Return a function that writes an epoch with this many samples to the disk."""
    state = random_epoch(samples)

    def write() -> None:
        with tempfile.TemporaryDirectory() as folder:
            write_atomic(Path(folder) / "epoch.npz", pack_epoch(state))

    return write


def map_refit(landmarks: int) -> Callable[[], np.ndarray]:
    """Return a function that refits a UMAP map, starting from the map of the previous epoch, which is fitted here."""
    rng = np.random.default_rng(0)
    centers = rng.normal(0, 3, (10, COMPONENTS))
    points = (centers[np.arange(landmarks) % 10] + rng.normal(size=(landmarks, COMPONENTS))).astype(np.float32)
    before = umap_map(points)
    return lambda: umap_map(points + 0.1, before)


def preset_seconds(name: str, device: str) -> float:
    """Return the seconds that a preset takes on this machine, extrapolated from a few iterations on noise images of its
    size."""
    side, channels, classes, samples, tests = PRESET_SIZES[name]
    config: BSDConfig = preset(name).with_settings(device=device)
    batch = max(config.mixmatch.labeled_batch, config.mixmatch.unlabeled_batch, config.altruistic.altruistic_batch)
    parts = measure_parts(config, noise(2 * batch, side, channels, classes))
    counts: Counts = counts_of(config, samples=samples, tests=tests, classes=classes)
    return run_seconds(config.schedule, parts, counts)
