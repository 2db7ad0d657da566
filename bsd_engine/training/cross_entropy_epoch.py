"""An epoch of cross-entropy: for the altruistic model and for the undefended baseline."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bsd_engine.compute.augment import Normalizer, crop_flip
from bsd_engine.compute.plans import draw_crops
from bsd_engine.compute.runtime import Runtime
from bsd_engine.training.learner import Training


def cross_entropy_epoch(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    images: Tensor,
    labels: Tensor,
    *,
    normalize: Normalizer,
    runtime: Runtime,
    batch: int,
    crop_padding: int,
    flip: bool,
    generator: torch.Generator,
    lga_gamma: float | None = None,
    observe: Callable[[Tensor, Tensor], None] | None = None,
) -> Training:
    """Train one epoch on all images in random order, augmented by crop and flip.

    A last batch of a single image is left out, since batch norm needs two.

    Parameters
    ----------
    images : (N, H, W, C) uint8, on the device or on the host, from where batches are sent
    labels : (N,) int64, on the device
    lga_gamma : nats; if given, the loss is that of local gradient ascent, sign(CE - gamma) CE, with CE the
        mean of a batch (appendix D.3)
    observe : called with the indices (B,) and the logits (B, C) of each batch

    Returns
    -------
    Training
        Its loss is in nats, on the device.
    """
    order = torch.randperm(len(images), generator=generator)
    shift, flips = draw_crops((len(images),), crop_padding, flip, generator)
    batches = [b for b in order.split(batch) if len(b) > 1]
    order, shift, flips = (x.to(images.device) for x in (order, shift, flips))
    total = torch.zeros((), device=runtime.device)
    model.train()
    for i, part in enumerate(order.split(batch)[: len(batches)]):
        span = slice(i * batch, i * batch + len(part))
        with runtime.autocast():
            logits = model(normalize(crop_flip(images, part, shift[span], flips[span]).to(runtime.device)))
        loss = F.cross_entropy(logits.float(), labels[part.to(runtime.device)])
        if lga_gamma is not None:
            loss = (loss.detach() - lga_gamma).sign() * loss
        if observe:
            observe(part, logits.detach())
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach()
        yield i + 1, len(batches)
    return total / max(1, len(batches))
