"""A MixMatch iteration written in the usual way, as the baseline of the bench; nothing else uses it.

It computes in float32 with channels first, augments one image at a time through PIL in two data loaders with worker
processes, runs five separate forward passes and uses an unfused Adam.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from bsd_engine.compute.torchvision_compat import import_torchvision
from bsd_engine.config.settings import BSDConfig
from bsd_engine.method.mixmatch import interleave


class AugmentedImages(Dataset):
    """Data set of (N, H, W, C) uint8 images augmented through PIL: (image, label), or (view, other view, label)."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, *, views: int, padding: int, flip: bool) -> None:
        transforms = import_torchvision().transforms
        steps = [transforms.RandomCrop(images.shape[1:3], padding=padding, padding_mode="reflect")]
        steps += [transforms.RandomHorizontalFlip()] if flip else []
        channels = images.shape[3]
        self.augment = transforms.Compose(
            [*steps, transforms.ToTensor(), transforms.Normalize([0.5] * channels, [0.25] * channels)]
        )
        self.images, self.labels, self.views = images, labels, views

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, i: int) -> tuple:
        array = self.images[i]
        image = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
        return *(self.augment(image) for _ in range(self.views)), int(self.labels[i])


def endless(loader: DataLoader) -> Iterator[list[Tensor]]:
    """Yield batches of a data loader, which restarts whenever it is exhausted."""
    while True:
        yield from loader


def plain_loss(
    labeled_logits: Tensor, labeled_targets: Tensor, unlabeled_logits: Tensor, unlabeled_targets: Tensor, weight: float
) -> Tensor:
    """Return the cross-entropy of the labelled rows plus the weighted mean squared error of the others, a scalar."""
    supervised = -torch.mean(torch.sum(labeled_targets * torch.log_softmax(labeled_logits, dim=1), dim=1))
    unsupervised = torch.mean((torch.softmax(unlabeled_logits, dim=1) - unlabeled_targets) ** 2)
    return supervised + weight * unsupervised


class PlainLoop:
    """Training loop of a network; each `step` is one iteration: batches, guessed labels, mixup and an update."""

    def __init__(
        self,
        model: nn.Module,
        config: BSDConfig,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        num_classes: int,
        workers: int = 2,
    ) -> None:
        mix, data = config.mixmatch, config.data
        half, everything = len(images) // 2, range(len(images))
        pools = ((1, everything[:half], mix.labeled_batch), (2, everything[half:], mix.unlabeled_batch))
        self.labeled, self.unlabeled = (
            endless(
                DataLoader(
                    Subset(
                        AugmentedImages(images, labels, views=views, padding=data.crop_padding, flip=data.flip), idx
                    ),
                    batch_size=batch,
                    shuffle=True,
                    drop_last=True,
                    num_workers=workers,
                )
            )
            for views, idx, batch in pools
        )
        self.model, self.num_classes, self.mix = model.train(), num_classes, mix
        self.device = next(model.parameters()).device
        self.optimizer = torch.optim.Adam(model.parameters(), lr=mix.main_lr)

    def step(self, weight: float = 1.0) -> float:
        """Train one iteration; returns its loss."""
        images, labels = (x.to(self.device) for x in next(self.labeled))
        first, second, _ = (x.to(self.device) for x in next(self.unlabeled))
        guess = self._guess(first, second)
        rows = torch.cat([images, first, second])
        targets = torch.cat([F.one_hot(labels, self.num_classes).float(), guess, guess])
        share = np.random.beta(self.mix.mixup_alpha, self.mix.mixup_alpha)
        share = max(share, 1 - share)
        partner = torch.randperm(len(rows), device=self.device)
        rows = share * rows + (1 - share) * rows[partner]
        targets = share * targets + (1 - share) * targets[partner]
        n = len(labels)
        logits = self._forwards([rows[:n], *rows[n:].chunk(2)])
        loss = plain_loss(logits[:n], targets[:n], logits[n:], targets[n:], weight)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    @torch.no_grad()
    def _guess(self, first: Tensor, second: Tensor) -> Tensor:
        mean = (torch.softmax(self.model(first), dim=1) + torch.softmax(self.model(second), dim=1)) / 2
        sharp = mean ** (1 / self.mix.temperature)
        return sharp / sharp.sum(dim=1, keepdim=True)

    def _forwards(self, groups: list[Tensor]) -> Tensor:
        """Return (R, C) logits of three forward passes, interleaved if the groups are equally large."""
        if len({len(group) for group in groups}) > 1:
            return torch.cat([self.model(group) for group in groups])
        return torch.cat(interleave([self.model(group) for group in interleave(groups)]))
