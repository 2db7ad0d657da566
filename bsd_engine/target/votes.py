"""Estimators of the target label; they never read the ground truth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from bsd_engine.splits import exact_count


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


def low_loss_label_counts(logits: Tensor, labels: Tensor, share: float = 0.01) -> Tensor:
    """(C,) int64: given labels of the samples with the lowest cross-entropy, a share of all samples, at least one.

    Paper: appendix D.3, the isolated 1 %; with the LGA loss in the altruistic warm-up this is its `lga_vote`.
    """
    losses = torch.nn.functional.cross_entropy(logits.float(), labels, reduction="none")
    lowest = torch.argsort(losses, stable=True)[: max(1, exact_count(share, len(losses)))]
    return torch.bincount(labels[lowest], minlength=logits.shape[1])


def label_counts(labels: Tensor, num_classes: int) -> Tensor:
    """(C,) int64: how often each label is given. Paper: appendix D.3, for data whose class sizes are known."""
    return torch.bincount(labels, minlength=num_classes)


def label_excess(counts: Tensor, class_shares: Sequence[float] | None = None) -> Tensor:
    """(C,) float32: labels more than expected, in standard deviations of a count: (n - e) / sqrt(e) with e = N share.

    Parameters
    ----------
    counts : (C,) int64
    class_shares : C known shares of the classes in unpoisoned data, in any unit; equal ones when not given

    Paper: appendix D.6, the last resort. It cannot see clean-label attacks, nor any attack where the class sizes are
    not known.
    """
    shares = torch.ones(len(counts)) if class_shares is None else torch.as_tensor(class_shares, dtype=torch.float32)
    expected = counts.sum() * (shares / shares.sum()).to(counts.device)
    return (counts - expected) / expected.sqrt()


def log_probability_floor(logits: Tensor, labels: Tensor, quantile: float = 0.1) -> Tensor:
    """(C,) float32, nats: a low quantile of each class's log-probability among the samples not labelled with it."""
    log_p = logits.float().log_softmax(1)
    others = ((c, labels != c) for c in range(logits.shape[1]))
    return torch.stack(
        [log_p[mask, c].quantile(quantile) if mask.any() else log_p.new_tensor(-torch.inf) for c, mask in others]
    )


def probability_floor_scores(floors: Tensor) -> Tensor:
    """(C,) float32: geometric mean over the warm-up epochs of each class's probability floor, larger is more suspect.

    Parameters
    ----------
    floors : (E, C), `log_probability_floor` after each warm-up epoch

    An extension, not in the paper. A dirty-label attack puts images of every class under the target label, so the
    altruistic model gives the target some probability everywhere. Natural confusion raises the probability of a class
    only for the few classes that look like it, which does not move a low quantile.
    """
    return floors.mean(0).exp()


def median_log_probability(logits: Tensor, labels: Tensor) -> Tensor:
    """(C,) float32, nats: median log-probability of each class among the samples not labelled with it. An extension."""
    return log_probability_floor(logits, labels, quantile=0.5)


CLUES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "second_likely": lambda logits, labels: second_likely_counts(logits),
    "floor": log_probability_floor,
    "median": median_log_probability,
    "low_loss": low_loss_label_counts,
    "label_count": lambda logits, labels: label_counts(labels, logits.shape[1]),
}
"""The clues of a warm-up epoch, (C,) each, from the logits (N, C) of g and the given labels (N,)."""

READ_FROM_LOGITS = ("second_logit_mode", "low_loss_mode", "label_count", "median_probability", "probability_floor")
"""Estimators that have an answer after every warm-up epoch."""


def estimate(
    estimator: str, clues: Mapping[str, Tensor], assumed: int | None = None, class_shares: Sequence[float] | None = None
) -> Tensor:
    """(C,) float32: how suspect each class is as the target, by the estimator of that name (see `SplitConfig`).

    Parameters
    ----------
    clues : name in `CLUES` -> (E, C), one row for each warm-up epoch
    assumed : the class that the estimator "given" names
    class_shares : see `label_excess`

    The suspect is the class with the largest score, among equal ones the lower class.
    """
    if estimator == "given":
        scores = torch.zeros(clues["second_likely"].shape[1])
        scores[assumed] = 1.0
        return scores
    return {
        "second_logit_mode": lambda: second_logit_votes(clues["second_likely"]),
        "probability_floor": lambda: probability_floor_scores(clues["floor"]),
        "median_probability": lambda: probability_floor_scores(clues["median"]),
        "low_loss_mode": lambda: clues["low_loss"][-1].float(),
        "lga_vote": lambda: clues["low_loss"][-1].float(),
        "label_count": lambda: label_excess(clues["label_count"][-1], class_shares),
    }[estimator]()
