"""Plain cross-entropy training: the altruistic model, and the undefended baseline."""

from __future__ import annotations

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bsd_engine.augment import Normalizer, crop_flip
from bsd_engine.plans import draw_crops
from bsd_engine.runtime import Runtime


def cross_entropy_epoch(model: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor, *, normalize: Normalizer,
                        runtime: Runtime, batch: int, crop_padding: int, flip: bool, generator: torch.Generator) -> Iterator[tuple[int, int]]:
    """Train one epoch over (N, H, W, C) uint8 images in random order, augmented by crop and flip.

    Yields (iterations done, iterations in all) after each; a last batch of one image is left out, since batch norm needs two.

    Returns
    -------
    loss : () float32 tensor on the device, mean over the iterations, nats
    """
    order = torch.randperm(len(images), generator=generator)
    shift, flips = draw_crops((len(images),), crop_padding, flip, generator)
    batches = [b for b in order.split(batch) if len(b) > 1]
    order, shift, flips = (x.to(images.device) for x in (order, shift, flips))
    total = torch.zeros((), device=images.device)
    model.train()
    for i, part in enumerate(order.split(batch)[: len(batches)]):
        span = slice(i * batch, i * batch + len(part))
        with runtime.autocast():
            logits = model(normalize(crop_flip(images, part, shift[span], flips[span])))
        loss = F.cross_entropy(logits.float(), labels[part])
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        total += loss.detach()
        yield i + 1, len(batches)
    return total / max(1, len(batches))
