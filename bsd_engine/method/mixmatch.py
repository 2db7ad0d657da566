"""MixMatch as in ASD, which the paper's semi-supervised setting follows: guess, sharpen, mix, two losses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def sharpen(probabilities: Tensor, temperature: float) -> Tensor:
    """(B, C): p ** (1 / T), rows summing to one."""
    powered = probabilities ** (1 / temperature)
    return powered / powered.sum(1, keepdim=True)


def unlabeled_weight(main_epoch: int, iteration: int, iterations: int, *, lambda_u: float, rampup: int) -> float:
    """Weight of the unlabelled loss: grows linearly with the global epoch T (0-based, never reset) to lambda_u."""
    return lambda_u * min(max((main_epoch + iteration / iterations) / rampup, 0.0), 1.0)


def interleave_offsets(batch: int, groups: int) -> list[int]:
    """Borders of the blocks that are swapped between groups; the last blocks take the remainder.

    For a batch of 64 and three groups: blocks of 21, 21 and 22.
    """
    sizes = [batch // groups] * groups
    for i in range(batch - sum(sizes)):
        sizes[-i - 1] += 1
    return [0, *torch.tensor(sizes).cumsum(0).tolist()]


def interleave(groups: list[Tensor]) -> list[Tensor]:
    """Swap block i of the first group with block i of group i, so each forward sees labelled images; self-inverse."""
    cut = interleave_offsets(len(groups[0]), len(groups))
    blocks = [[group[a:b] for a, b in pairwise(cut)] for group in groups]
    for i in range(1, len(groups)):
        blocks[0][i], blocks[i][i] = blocks[i][i], blocks[0][i]
    return [torch.cat(parts) for parts in blocks]


@contextlib.contextmanager
def frozen_statistics(model: nn.Module) -> Iterator[None]:
    """Batch norm goes on using the statistics of the batch, but its running ones stay as they are."""
    norms = [(m, m.momentum) for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm, _ in norms:
        norm.momentum = 0.0
    try:
        yield
    finally:
        for norm, momentum in norms:
            norm.momentum = momentum


def guess_labels(
    model: nn.Module, first: Tensor, second: Tensor, temperature: float, *, separate: bool, update_bn: bool
) -> Tensor:
    """(B, C) sharpened mean of the predictions for two augmentations, without gradient.

    The model stays in training mode, as in ASD: batch norm uses the statistics of the batch. In ASD these forwards also
    move its running ones (`update_bn`), which then lean towards the unlabelled pool.
    """
    with torch.no_grad(), contextlib.nullcontext() if update_bn else frozen_statistics(model):
        logits = (model(first), model(second)) if separate else model(torch.cat([first, second])).chunk(2)
        mean = (logits[0].float().softmax(1) + logits[1].float().softmax(1)) / 2
        return sharpen(mean, temperature)


def forward_mixed(model: nn.Module, mixed: Tensor, labeled: int, *, separate: bool) -> Tensor:
    """(R, C) float32 logits of the mixed rows, in one forward or in ASD's interleaved ones."""
    groups = list(mixed.split(labeled))
    if not separate or len(groups) == 1 or len(groups[-1]) != labeled:
        return model(mixed).float()
    return torch.cat(interleave([model(group).float() for group in interleave(groups)]))


def mixmatch_losses(logits: Tensor, targets: Tensor, labeled: int) -> tuple[Tensor, Tensor]:
    """Labelled and unlabelled loss, scalars.

    Lx = -mean over labelled rows of sum_c t_c log p_c (nats); Lu = mean over unlabelled rows *and* classes of
    (p - t)^2, as coded in ASD (Eqs. 13-14 print sums).
    """
    supervised = -(targets[:labeled] * F.log_softmax(logits[:labeled], 1)).sum(1).mean()
    if len(logits) == labeled:
        return supervised, logits.new_zeros(())
    return supervised, ((logits[labeled:].softmax(1) - targets[labeled:]) ** 2).mean()


def mixmatch_loss(
    model: nn.Module,
    images: Tensor,
    labels: Tensor,
    *,
    labeled: int,
    num_classes: int,
    partner: Tensor,
    mix: Tensor,
    weight: float | Tensor,
    temperature: float,
    separate_bn: bool,
    guess_updates_bn: bool = True,
) -> Tensor:
    """Scalar loss of one iteration.

    Parameters
    ----------
    images : (R, C, H, W) float, normalised; the labelled rows first, then two augmentations of the unlabelled ones
    labels : (labeled,) int64
    partner : (R,) int64 and mix : scalar tensor in [0.5, 1], the mixup draw (one weight for the whole batch)
    weight : weight of the unlabelled loss, see `unlabeled_weight`
    """
    targets = F.one_hot(labels, num_classes).float()
    if len(images) > labeled:
        first, second = images[labeled:].chunk(2)
        guess = guess_labels(model, first, second, temperature, separate=separate_bn, update_bn=guess_updates_bn)
        targets = torch.cat([targets, guess, guess])
    mixed = torch.lerp(images[partner], images, mix).contiguous(memory_format=torch.channels_last)
    targets = torch.lerp(targets[partner], targets, mix)
    logits = forward_mixed(model, mixed, labeled, separate=separate_bn)
    supervised, unsupervised = mixmatch_losses(logits, targets, labeled)
    return supervised + weight * unsupervised
