"""Both models of a run as a checkpoint left them, for what the record does not hold: features and gradients."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from bsd_engine import models
from bsd_engine.augment import Normalizer
from bsd_engine.errors import RunFolderError
from bsd_engine.recorder import load_checkpoint
from bsd_engine.runs import RunReader, checkpoint_paths


@dataclass(frozen=True, kw_only=True)
class AuditModels:
    """The models after an epoch, in evaluation mode, on the CPU."""

    epoch: int
    """Global, 0-based: the epoch whose training they have behind them."""
    main: nn.Module
    """f, with its averaged weights where the run has them: those that are scored and tested."""
    altruistic: nn.Module
    """g."""
    normalize: Normalizer

    @classmethod
    def of(cls, run: RunReader, epoch: int | None = None) -> AuditModels:
        """The models of the newest checkpoint, or of that after an epoch; raises `RunFolderError` where there is none."""
        checkpoint = load_checkpoint(run.path, epoch)
        images = run.images
        shape, classes = (1, *images.shape[2:], images.shape[1]), len(run.class_names)
        networks = {"averaged": run.config.model, "altruistic": run.config.altruistic_network}
        built = {}
        for name, settings in networks.items():
            network = models.seeded(settings, shape, classes, 0)
            try:
                network.load_state_dict(checkpoint["models"][name])
            except (KeyError, RuntimeError) as error:
                raise RunFolderError(f"The checkpoint of {run.path} does not fit its settings ({error}); the folder is broken.") from None
            built[name] = network.eval().requires_grad_(False)
        normalize = Normalizer.fit(channels_last(images))
        return cls(epoch=checkpoint["epoch"], main=built["averaged"], altruistic=built["altruistic"], normalize=normalize)


def has_models(run: RunReader) -> bool:
    """Whether the run folder has a checkpoint that holds something."""
    return any(path.stat().st_size for path in checkpoint_paths(run.path))


def channels_last(images: np.ndarray) -> Tensor:
    """(n, H, W, C) uint8 tensor of (n, C, H, W) images of a run folder, copied into memory."""
    return torch.from_numpy(np.array(images.transpose(0, 2, 3, 1), order="C"))
