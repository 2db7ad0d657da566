"""The networks of a recording: both models at the ends of the stages, in half precision, and the undefended one."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bsd_engine.errors import RunFolderError
from bsd_engine.runs import checkpoints
from bsd_engine.runs.layout import checkpoint_paths
from bsd_engine.runs.reader import RunReader
from bsd_engine.training.undefended import WEIGHTS_FILE

MOST_CHECKPOINTS = 6
"""The ends of the stages, and the last epoch."""


def pack_checkpoints(reader: RunReader) -> dict[str, bytes]:
    """Return members with both models at the ends of the stages, without the parts that only training needs."""
    wanted = (*reader.config.schedule.stage_ends, reader.epochs[-1])
    paths = [path for path in checkpoint_paths(reader.path) if int(path.stem) in wanted]
    return {f"checkpoints/{path.name}": _saved(_without_training(path)) for path in paths[-MOST_CHECKPOINTS:]}


def pack_undefended(reader: RunReader, folder: Path) -> dict[str, bytes]:
    """Return a member with the undefended network; raises `RunFolderError` if it was trained on other data."""
    content = checkpoints.read(folder / WEIGHTS_FILE)
    if content["fingerprint"] != reader.fingerprint:
        raise RunFolderError(
            f"{folder} was trained on other data than {reader.path} (fingerprints differ); train it on the same data."
        )
    models = {name: _halved(weights) for name, weights in content["models"].items()}
    return {WEIGHTS_FILE: _saved({**content, "models": models})}


def _without_training(path: Path) -> dict[str, Any]:
    """Return a checkpoint that is enough for predictions, but not for further training."""
    content = checkpoints.read(path)
    return {
        "version": content["version"],
        "epoch": content["epoch"],
        "fingerprint": content["fingerprint"],
        "weights_only": True,
        "models": {name: _halved(content["models"][name]) for name in ("averaged", "altruistic")},
    }


def _halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights in half precision; vectors stay unchanged: they are small, and variances among them must not
    become 0."""
    return {name: t.half() if t.is_floating_point() and t.ndim > 1 else t.clone() for name, t in weights.items()}


def _saved(content: dict[str, Any]) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()
