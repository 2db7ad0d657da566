"""Estimating the target label, without looking at the truth."""

from __future__ import annotations

import torch
from torch import Tensor


def second_likely_counts(logits: Tensor) -> Tensor:
    """(C,) int64: how often each class has the second largest logit. Paper: section 4.1.1, Algorithm 1 lines 5-12."""
    return torch.bincount(logits.topk(2, dim=1).indices[:, 1], minlength=logits.shape[1])


def second_logit_votes(counts: Tensor) -> Tensor:
    """(C,) float32: how many warm-up epochs voted for each class, plus a fraction below one that breaks ties.

    Parameters
    ----------
    counts : (E, C) int64, `second_likely_counts` after each warm-up epoch

    An epoch's vote is its most frequent class. Ties go to the larger count over all epochs, then the lower index.
    """
    votes = torch.bincount(counts.argmax(1), minlength=counts.shape[1]).float()
    return votes + counts.sum(0) / (counts.sum() + 1)


def log_probability_floor(logits: Tensor, labels: Tensor, quantile: float = 0.1) -> Tensor:
    """(C,) float32, nats: a low quantile of each class's log-probability among the samples not labelled with it."""
    log_p = logits.float().log_softmax(1)
    others = ((c, labels != c) for c in range(logits.shape[1]))
    return torch.stack([log_p[mask, c].quantile(quantile) if mask.any() else log_p.new_tensor(-torch.inf) for c, mask in others])


def probability_floor_scores(floors: Tensor) -> Tensor:
    """(C,) float32: geometric mean over the warm-up epochs of each class's probability floor, larger is more suspect.

    Parameters
    ----------
    floors : (E, C), `log_probability_floor` after each warm-up epoch

    An extension, not in the paper. A dirty-label attack puts pictures of every class under the target label, so the
    altruistic model leaves the target some probability everywhere; natural confusion raises a class's probability for
    its few look-alikes only, which a low quantile does not see.
    """
    return floors.mean(0).exp()
