"""Plain training on the poisoned set: the result without a defence, which is the baseline of the DER."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bsd_engine.compute import models, runtime
from bsd_engine.compute.augment import Normalizer
from bsd_engine.compute.plans import generator_for, seed_for
from bsd_engine.compute.runtime import Runtime
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import RunFolderError, TrainingError
from bsd_engine.files.atomic import make_folder, write_atomic
from bsd_engine.method.scoring import hit_rate
from bsd_engine.prepare.memory import check_plain_memory
from bsd_engine.prepare.prepare import PreparedData, prepare, true_target
from bsd_engine.training.cross_entropy_epoch import cross_entropy_epoch
from bsd_engine.training.learner import placed

WEIGHTS_FILE = "undefended.pt"
WEIGHTS_VERSION = 1
"""At most the version of checkpoints, since both are read by the same function."""


def train_undefended(
    config: BSDConfig,
    folder: Path,
    *,
    prepared: PreparedData | None = None,
    progress: Callable[[range], Iterable[int]] = iter,
) -> dict[str, Any]:
    """Train without a defence, write `undefended.pt` and `summary.json` into the folder and return the latter.

    `undefended.pt` holds the network's weights for the trigger bench (see `stored_models`, which finds it in a run
    folder or beside one). `summary.json` is written last and has the fingerprint of the data, so a folder with a
    summary is complete.

    Paper: appendix B.3, SGD with momentum 0.9, weight decay 5e-4 and two drops by 0.1; the batch size is that of the
    altruistic model.
    """
    if (folder / "summary.json").exists():
        raise RunFolderError(f"{folder} holds a run already; give a new folder.")
    prepared = prepared or prepare(config)
    check_plain_memory(config, prepared)
    seed = seed_for(config.seed, "main", -1)
    network = models.seeded(config.model, prepared.images.shape, prepared.num_classes, seed)
    make_folder(folder)
    chosen, started = runtime.choose(config.device, config.precision), time.monotonic()
    model = placed(network, chosen)
    normalize = Normalizer.fit(prepared.images).to(chosen.device)
    with runtime.intra_op_threads(chosen.threads):
        _train(model, config, prepared, normalize, chosen, progress)
        rates = [
            None
            if x is None or y is None
            else hit_rate(model, x.to(chosen.device), y.to(chosen.device), normalize, chosen)
            for x, y in (
                (prepared.test_images, prepared.test_labels),
                (prepared.triggered_images, prepared.triggered_labels),
            )
        ]
    epochs = config.undefended.undefended_epochs
    summary = {
        "status": "finished",
        "defense": "none",
        "fingerprint": prepared.fingerprint,
        "preset": config.preset,
        "data": config.data.data,
        "attack": config.attack.attack,
        "device": chosen.description,
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


def _train(
    model: nn.Module,
    config: BSDConfig,
    prepared: PreparedData,
    normalize: Normalizer,
    chosen: Runtime,
    progress: Callable[[range], Iterable[int]],
) -> None:
    """Train the network on all samples; raises `TrainingError` if it diverges."""
    plain = config.undefended
    optimizer = torch.optim.SGD(model.parameters(), lr=plain.undefended_lr, momentum=0.9, weight_decay=5e-4)
    schedule = torch.optim.lr_scheduler.MultiStepLR(
        optimizer, [int(share * plain.undefended_epochs) for share in plain.undefended_drops]
    )
    images, labels = prepared.images.to(chosen.device), prepared.labels.to(chosen.device)
    for epoch in progress(range(plain.undefended_epochs)):
        for _ in cross_entropy_epoch(
            model,
            optimizer,
            images,
            labels,
            normalize=normalize,
            runtime=chosen,
            batch=config.altruistic.altruistic_batch,
            crop_padding=config.data.crop_padding,
            flip=config.data.flip,
            generator=generator_for(config.seed, "main", epoch),
        ):
            pass
        schedule.step()
    if not all(weights.isfinite().all() for weights in model.parameters()):
        raise TrainingError(f"Plain training diverged at undefended_lr {plain.undefended_lr:g}; lower it.")


def _weights(model: nn.Module, epochs: int, fingerprint: str) -> bytes:
    """The file of weights, in the form of a checkpoint."""
    buffer = io.BytesIO()
    state = {name: tensor.cpu() for name, tensor in model.state_dict().items()}
    torch.save(
        {"version": WEIGHTS_VERSION, "epoch": epochs - 1, "fingerprint": fingerprint, "models": {"undefended": state}},
        buffer,
    )
    return buffer.getvalue()
