"""Networks with stored weights, made without more memory than those take, whatever the settings ask for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bsd_engine.compute import models
from bsd_engine.config.data_settings import ModelConfig
from bsd_engine.errors import ConfigError, RunFolderError
from bsd_engine.runs.reader import RunReader

MOST_FOREIGN_BYTES = 600_000_000
"""Size of a checkpoint that is read from a run of somebody else: the paper's has 270 MB with its optimisers."""
_MOST_FOREIGN_ACTIVATIONS = 64_000_000
"""Bytes of what a foreign run's network computes for one image: the paper's computes 2 MB, ResNet-18 of torchvision for
224 pixels 10 MB."""


def refuse_large(run: RunReader, file: Path) -> None:
    """Raise `RunFolderError` for a large file of a foreign run: reading it takes as much memory."""
    if file.exists() and file.stat().st_size > MOST_FOREIGN_BYTES and not run.is_own:
        raise RunFolderError(
            f"{file} has {file.stat().st_size / 1e6:,.0f} MB, expected at most {MOST_FOREIGN_BYTES / 1e6:,.0f} in a "
            "run that was not written by this installation; its networks are not loaded."
        )


def network_of(run: RunReader, checkpoint: dict[str, Any], name: str, settings: ModelConfig) -> nn.Module:
    """Return a network with its weights from a checkpoint.

    It is made without memory at first, on torch's meta device, because settings may ask for a network of any size. It
    then takes copies of the checkpoint's tensors.
    """
    images = run.images
    with torch.device("meta"):
        network = models.build(
            settings.model, channels_in=images.shape[1], num_classes=len(run.class_names), width=settings.width
        )
    _check_activations(run, network, settings.model)
    try:
        stored = checkpoint["models"][name]
        _check_weights(stored, network.state_dict())
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise _unfit(run, error) from None
    plain = {
        key: x.to(torch.float32 if x.is_floating_point() else x.dtype, copy=True, memory_format=torch.contiguous_format)
        for key, x in stored.items()
    }
    network.load_state_dict(plain, assign=True)
    return network.eval().requires_grad_(False)


def _check_weights(stored: dict[str, Tensor], wanted: dict[str, Tensor]) -> None:
    """Raise `ValueError` unless the weights have the names, shapes and kinds of numbers of a network."""
    if missing := wanted.keys() ^ stored.keys():
        raise ValueError(f"it has {len(stored)} tensors, expected {len(wanted)}; one of them is {min(missing)!r}")
    for name, tensor in wanted.items():
        found = stored[name]
        if found.shape != tensor.shape or found.is_floating_point() != tensor.is_floating_point():
            raise ValueError(
                f"{name} is {found.dtype} of shape {tuple(found.shape)}, expected {tensor.dtype} of shape "
                f"{tuple(tensor.shape)}"
            )


def _check_activations(run: RunReader, network: nn.Module, name: str) -> None:
    """Raise `RunFolderError` if a network on the meta device cannot take the run's images, or needs much memory."""
    channels, height, width = run.images.shape[1:]
    try:
        computed = models.activation_bytes(network, name, (height, width, channels))
    except ConfigError as error:
        raise _unfit(run, error) from None
    if computed > _MOST_FOREIGN_ACTIVATIONS and not run.is_own:
        raise RunFolderError(
            f"The network of {run.path} computes {computed / 1e6:,.0f} MB for one image, expected at most "
            f"{_MOST_FOREIGN_ACTIVATIONS / 1e6:,.0f} in a run that was not written by this installation; it is not "
            "loaded."
        )


def _unfit(run: RunReader, error: Exception) -> RunFolderError:
    reason = " ".join(str(error).split())[:200]
    return RunFolderError(f"The checkpoint of {run.path} does not fit its settings ({reason}); the folder is broken.")
