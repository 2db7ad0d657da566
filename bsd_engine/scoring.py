"""One pass of a model over images: everything that the splits, the target vote, the maps and the audit read."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bsd_engine.augment import Normalizer
from bsd_engine.errors import TrainingError
from bsd_engine.runtime import Runtime
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
def score(model: nn.Module, images: Tensor, labels: Tensor, normalize: Normalizer, runtime: Runtime) -> Scores:
    """Logits, features and losses of (N, H, W, C) uint8 images, in evaluation mode and without augmentation.

    ASD augments in its record pass; without it the scores are a function of the weights, so a run can be resumed and
    audited exactly. Raises `TrainingError` if an output is not a number: no split or map can be made of it.
    """
    model.eval()
    logits, features = [], []
    with runtime.autocast():
        for batch in images.split(runtime.score_batch):
            feature = model.features(normalize(batch.permute(0, 3, 1, 2)))
            features.append(feature.float())
            logits.append(model.head(feature).float())
    all_logits = torch.cat(logits)
    if not all_logits.isfinite().all():
        raise TrainingError("A model's outputs are no longer finite numbers. Earlier epochs are kept; lower the learning rates and start again.")
    return Scores(logits=all_logits, features=torch.cat(features), loss=symmetric_cross_entropy(all_logits, labels))


@torch.inference_mode()
def hit_rate(model: nn.Module, images: Tensor, labels: Tensor, normalize: Normalizer, runtime: Runtime) -> float:
    """Share of images predicted as their label, in percent, exact over all of them."""
    model.eval()
    hits = torch.zeros((), dtype=torch.int64, device=images.device)
    with runtime.autocast():
        for batch, label in zip(images.split(runtime.score_batch), labels.split(runtime.score_batch)):
            hits += (model(normalize(batch.permute(0, 3, 1, 2))).argmax(1) == label).sum()
    return 100 * hits.item() / len(images)
