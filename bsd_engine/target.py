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


def median_probability_scores(logits: Tensor, labels: Tensor) -> Tensor:
    """(C,) float32: median probability of each class among the samples that are not labelled with it.

    An extension, not in the paper. A dirty-label attack puts pictures of every class under the target label, so the
    altruistic model gives the target some probability everywhere, whereas natural confusion raises only a few classes'
    view of each other and leaves the median low.
    """
    p = logits.float().softmax(1)
    return torch.stack([p[labels != c, c].median() if (labels != c).any() else p.new_zeros(()) for c in range(p.shape[1])])
