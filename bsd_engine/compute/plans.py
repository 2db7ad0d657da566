"""All random numbers of an epoch, drawn before it starts.

They depend only on the run's seed, the model's role and the epoch. So a resumed run needs no stored random state, and a
GPU never waits for the host to draw them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

Role = Literal["main", "altruistic", "pools", "scoring", "specialist", "transplant", "landmarks"]
_ROLE_KEY = {"main": 1, "altruistic": 2, "pools": 3, "scoring": 4, "specialist": 5, "transplant": 6, "landmarks": 7}


def seed_for(seed: int, role: Role, epoch: int, member: int = 0) -> int:
    """An independent seed for one model in one epoch.

    Epoch -1 is for initial weights; `member` is the number of a specialist, of which there is one for each class.
    """
    entropy = [seed, _ROLE_KEY[role], epoch + 1] + [member] * (role == "specialist")
    return int(np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0] >> 1)


def generator_for(seed: int, role: Role, epoch: int) -> torch.Generator:
    """A CPU generator with the seed from `seed_for`."""
    return torch.Generator().manual_seed(seed_for(seed, role, epoch))


def draw_batches(pool_idx: Tensor, batch: int, iterations: int, generator: torch.Generator) -> Tensor:
    """(iterations, batch) int64: a pool in random order, shuffled anew when too few samples are left for a batch.

    A pool smaller than a batch is drawn with replacement; ASD's loader would yield nothing.
    """
    n = len(pool_idx)
    if n < batch:
        return pool_idx[torch.randint(n, (iterations, batch), generator=generator)]
    per_pass = n // batch
    passes = -(-iterations // per_pass)
    order = torch.cat([torch.randperm(n, generator=generator)[: per_pass * batch] for _ in range(passes)])
    return pool_idx[order.view(-1, batch)[:iterations]]


def draw_crops(shape: tuple[int, ...], padding: int, flip: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Crop shifts (*shape, 2) int64 in -padding ... padding and flips (*shape,) bool."""
    shift = torch.randint(-padding, padding + 1, (*shape, 2), generator=generator)
    flips = torch.rand(shape, generator=generator) < 0.5 if flip else torch.zeros(shape, dtype=torch.bool)
    return shift, flips


@dataclass(frozen=True, kw_only=True)
class MixMatchPlan:
    """The draws of one MixMatch epoch; I iterations, R = labelled + 2 * unlabelled rows."""

    idx: Tensor
    """(I, R) int64: labelled images, then each unlabelled image twice."""
    shift: Tensor
    """(I, R, 2) int64."""
    flip: Tensor
    """(I, R) bool."""
    partner: Tensor
    """(I, R) int64: mixup partner of each row."""
    mix: Tensor
    """(I,) float32 in [0.5, 1]: mixup weight of the row, against that of its partner."""
    labeled: int
    """Number of labelled rows."""

    def to(self, device: torch.device) -> MixMatchPlan:
        """This plan with its tensors on a device."""
        return MixMatchPlan(
            idx=self.idx.to(device),
            shift=self.shift.to(device),
            flip=self.flip.to(device),
            partner=self.partner.to(device),
            mix=self.mix.to(device),
            labeled=self.labeled,
        )


def mixmatch_plan(
    labeled_idx: Tensor,
    unlabeled_idx: Tensor,
    *,
    labeled_batch: int,
    unlabeled_batch: int,
    iterations: int,
    mixup_alpha: float,
    crop_padding: int,
    flip: bool,
    seed: int,
) -> MixMatchPlan:
    """The draws of one epoch; an empty unlabelled pool gives labelled rows only."""
    generator = torch.Generator().manual_seed(seed)
    rows = [draw_batches(labeled_idx, labeled_batch, iterations, generator)]
    if len(unlabeled_idx):
        rows += [draw_batches(unlabeled_idx, unlabeled_batch, iterations, generator)] * 2
    idx = torch.cat(rows, 1)
    shift, flips = draw_crops(tuple(idx.shape), crop_padding, flip, generator)
    partner = torch.rand(idx.shape, generator=generator).argsort(1)
    weight = np.random.default_rng(seed).beta(mixup_alpha, mixup_alpha, iterations)
    mix = torch.from_numpy(np.maximum(weight, 1 - weight)).float()
    return MixMatchPlan(idx=idx, shift=shift, flip=flips, partner=partner, mix=mix, labeled=labeled_batch)
