"""One pass of a model over images, for the splits, the target vote, the maps and the audit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bsd_engine.compute.augment import Normalizer, crop_flip
from bsd_engine.compute.runtime import Runtime
from bsd_engine.errors import TrainingError
from bsd_engine.splits import symmetric_cross_entropy


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Result of a pass over N images, on the device."""

    logits: Tensor
    """(N, C) float32."""
    features: Tensor
    """(N, D) float32."""
    loss: Tensor
    """(N,) float32, nats: symmetric cross-entropy for the given labels."""

    @property
    def prediction(self) -> Tensor:
        """(N,) int64."""
        return self.logits.argmax(1)


@torch.inference_mode()
def score(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    normalize: Normalizer,
    runtime: Runtime,
    *,
    loss: Callable[[Tensor, Tensor], Tensor] = symmetric_cross_entropy,
    crops: tuple[Tensor, Tensor] | None = None,
) -> Scores:
    """Logits, features and losses of (N, H, W, C) uint8 images, in evaluation mode.

    Parameters
    ----------
    loss : per-sample loss of logits and labels
    crops : shift (N, 2) and flip (N,), see `crop_flip`; the images as they are when not given

    ASD augments in its record pass. Without augmentation the scores depend on the weights alone, so a run can be
    resumed and audited exactly. Raises `TrainingError` if an output is not finite, since no split or map can use it.
    """
    model.eval()
    network: Any = model  # every network of `models` has features() and a head
    logits, features = [], []
    with runtime.autocast():
        for start, batch in _batches(images, runtime):
            if crops is not None:
                idx = torch.arange(len(batch), device=batch.device)
                span = slice(start, start + len(batch))
                batch = crop_flip(batch, idx, crops[0][span].to(batch.device), crops[1][span].to(batch.device))
            else:
                batch = batch.permute(0, 3, 1, 2)
            feature = network.features(normalize(batch.to(runtime.device)))
            features.append(feature.float())
            logits.append(network.head(feature).float())
    all_logits = torch.cat(logits)
    if not all_logits.isfinite().all():
        raise TrainingError(
            "A model's outputs are no longer finite numbers. "
            "Earlier epochs are kept; lower the learning rates and start again."
        )
    return Scores(logits=all_logits, features=torch.cat(features), loss=loss(all_logits, labels))


def _batches(images: Tensor, runtime: Runtime) -> Iterator[tuple[int, Tensor]]:
    """Number of its first image and each scoring batch."""
    size = runtime.score_batch_for(*images.shape[1:3])
    yield from ((start, images[start : start + size]) for start in range(0, len(images), size))


@torch.inference_mode()
def hit_rate(model: nn.Module, images: Tensor, labels: Tensor, normalize: Normalizer, runtime: Runtime) -> float:
    """Share of images predicted as their label, in percent, exact over all of them."""
    model.eval()
    hits = torch.zeros((), dtype=torch.int64, device=runtime.device)
    with runtime.autocast():
        for start, batch in _batches(images, runtime):
            logits = model(normalize(batch.permute(0, 3, 1, 2).to(runtime.device)))
            hits += (logits.argmax(1) == labels[start : start + len(batch)]).sum()
    return 100 * hits.item() / len(images)
