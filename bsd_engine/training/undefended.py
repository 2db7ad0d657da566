"""Plain training on the poisoned set: what happens without a defence, and the baseline of the DER."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch

from bsd_engine.compute import models, runtime
from bsd_engine.compute.augment import Normalizer
from bsd_engine.compute.plans import generator_for, seed_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError, TrainingError
from bsd_engine.files.atomic import make_folder, write_atomic
from bsd_engine.method.scoring import hit_rate
from bsd_engine.prepare.prepare import PreparedData, prepare, true_target
from bsd_engine.training.cross_entropy_epoch import cross_entropy_epoch

WEIGHTS_FILE = "undefended.pt"
WEIGHTS_VERSION = 1
"""Not above the version of checkpoints, which are read by the same function."""


def train_undefended(
    config: BSDConfig,
    folder: Path,
    *,
    prepared: PreparedData | None = None,
    progress: Callable[[range], Iterable[int]] = iter,
) -> dict[str, Any]:
    """Train without a defence, write `undefended.pt` and `summary.json` into the folder and return the latter.

    `undefended.pt` holds the network's weights for the bench (see `stored_models`, which finds it beside a run folder or in
    it); `summary.json` comes last, with the fingerprint of the data, so that a folder with a summary is whole.

    Paper: appendix B.3, SGD with momentum 0.9, weight decay 5e-4 and two steps of 0.1; batch size as the altruistic model's.
    """
    if (folder / "summary.json").exists():
        raise RunFolderError(f"{folder} holds a run already; give a new folder.")
    prepared = prepared or prepare(config)
    model = models.seeded(config.model, prepared.images.shape, prepared.num_classes, seed_for(config.seed, "main", -1))
    make_folder(folder)
    place, started = runtime.choose(config.device, config.precision), time.monotonic()
    model = model.to(place.device, memory_format=torch.channels_last)
    plain = config.undefended
    optimizer = torch.optim.SGD(model.parameters(), lr=plain.undefended_lr, momentum=0.9, weight_decay=5e-4)
    epochs = plain.undefended_epochs
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        optimizer, [int(share * epochs) for share in plain.undefended_drops]
    )
    normalize = Normalizer.fit(prepared.images).to(place.device)
    images, labels = prepared.images.to(place.device), prepared.labels.to(place.device)
    with runtime.intra_op_threads(place.threads):
        for epoch in progress(range(epochs)):
            for _ in cross_entropy_epoch(
                model,
                optimizer,
                images,
                labels,
                normalize=normalize,
                runtime=place,
                batch=config.altruistic.altruistic_batch,
                crop_padding=config.data.crop_padding,
                flip=config.data.flip,
                generator=generator_for(config.seed, "main", epoch),
            ):
                pass
            schedule.step()
        if not all(weights.isfinite().all() for weights in model.parameters()):
            raise TrainingError(f"Plain training diverged at undefended_lr {plain.undefended_lr:g}; lower it.")
        tests = ((prepared.test_images, prepared.test_labels), (prepared.triggered_images, prepared.triggered_labels))
        rates = [
            None if x is None else hit_rate(model, x.to(place.device), y.to(place.device), normalize, place)
            for x, y in tests
        ]
    summary = {
        "status": "finished",
        "defense": "none",
        "fingerprint": prepared.fingerprint,
        "preset": config.preset,
        "data": config.data.data,
        "attack": config.attack.attack,
        "device": place.description,
        "seconds": round(time.monotonic() - started, 2),
        "epochs": epochs,
        "clean_accuracy": rates[0],
        "attack_success_rate": rates[1],
        "pseudo_target": None,
        "true_target": true_target(config),
        "clean_pool_size": None,
        "poison_in_clean_pool": None,
        "config": config.to_dict(),
    }
    write_atomic(folder / WEIGHTS_FILE, _weights(model, epochs, prepared.fingerprint))
    write_atomic(folder / "summary.json", (json.dumps(summary, indent=1) + "\n").encode())
    return summary


def _weights(model: torch.nn.Module, epochs: int, fingerprint: str) -> bytes:
    """The file of weights, in the form of a checkpoint."""
    buffer = io.BytesIO()
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    torch.save(
        {"version": WEIGHTS_VERSION, "epoch": epochs - 1, "fingerprint": fingerprint, "models": {"undefended": state}},
        buffer,
    )
    return buffer.getvalue()
