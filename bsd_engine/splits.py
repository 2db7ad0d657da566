"""How BSD decides which samples are clean: every equation of the paper's section 4 as a pure function.

Each function takes numpy or torch arrays and returns the same kind. Labels are always the given, possibly poisoned
ones; no function takes the ground truth. A share becomes an exact count k = int(share * n), and equal scores are ranked
by index, so the size of a pool depends on its share alone ("at least the percentile", as in the paper's sets, would
keep more samples under ties). `method.pools` applies these functions in the order of Algorithm 1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor

from bsd_engine.selection import A, as_tensors, like, top_mask
from bsd_engine.shares import DISTANCES, Distance, exact_count, loss_discrepancy  # noqa: F401 - part of this module

Completion = Literal["fewest", "balanced", "balanced_others", "off"]
InitCombine = Literal["intersection", "union", "als_only", "oss_only", "random"]
FeatureNorm = Literal["none", "l2", "zscore"]
CountBy = Literal["pool_label", "pool_pred", "all_pred"]

COMBINED: dict[str, Callable[[Any, Any], Any]] = {
    "intersection": lambda als, oss: als & oss,
    "union": lambda als, oss: als | oss,
    "als_only": lambda als, oss: als,
    "oss_only": lambda als, oss: oss,
}
"""How the first clean pool follows from ALS and OSS, for masks or for single samples; "random" has no such rule."""
BY_CLASS: tuple[Completion, ...] = ("balanced", "balanced_others")
"""Completions that replace the top share of all samples by a top share of each class."""


def symmetric_cross_entropy(
    logits: A,
    labels: A,
    *,
    ce_weight: float = 0.1,
    rce_weight: float = 1.0,
    min_probability: float = 1e-7,
    min_one_hot: float = 1e-4,
) -> A:
    """(N,) nats, dtype of the logits: symmetric cross-entropy, 0.1 CE + 1.0 RCE.

    Parameters
    ----------
    logits : (N, C) float
    labels : (N,) int
    ce_weight, rce_weight : weights of the two parts; (1, 0) is plain cross-entropy
    min_probability, min_one_hot : lower bounds of p and q in RCE

    Notes
    -----
    RCE = -sum_c p_c log q_c with p clamped to [1e-7, 1] and the one-hot q to [1e-4, 1], as in ASD. RCE is therefore
    9.2103 times the sum of p over the other classes, and saturates at a confident mistake.
    """
    x, y = as_tensors(logits, labels)
    log_p = torch.log_softmax(x, dim=1)
    ce = -log_p.gather(1, y[:, None].long()).squeeze(1)
    p = log_p.exp().clamp(min_probability, 1.0)
    others = p.scatter(1, y[:, None].long(), 0.0).sum(1)
    return like(ce_weight * ce - rce_weight * math.log(min_one_hot) * others, logits)


def normalized_features(features: A, norm: FeatureNorm) -> A:
    """(N, D) features as OSS measures them.

    "none" follows the paper's text. "l2" scales every row to length one (a row of zeros stays). "zscore" gives every
    column mean zero and variance one over the samples (a constant column becomes zero).
    """
    (f,) = as_tensors(features)
    if norm == "l2":
        return like(torch.nn.functional.normalize(f), features)
    if norm == "zscore":
        spread = f.std(0, correction=0)
        return like((f - f.mean(0)) / torch.where(spread > 0, spread, 1.0), features)
    return features


def class_centers(features: A, labels: A, target_label: int) -> tuple[A, A]:
    """Mean feature of each known class, as in Eq. 6.

    Returns
    -------
    centers : (K, D), dtype of the features
    classes : (K,) int64, the label of each row, without the target and without labels that have no sample
    """
    f, y = as_tensors(features, labels)
    classes = torch.unique(y[y != target_label])
    centers = torch.stack([f[y == c].mean(0) for c in classes]) if len(classes) else f.new_zeros(0, f.shape[1])
    return like(centers, features), like(classes, features)


def center_distances(features: A, labels: A, target_label: int) -> tuple[A, A]:
    """(N, K) Euclidean distance of each sample to each known class centre, and the (K,) labels of the columns."""
    f, y = as_tensors(features, labels)
    centers, classes = class_centers(f, y, target_label)
    distances = torch.cdist(f, centers, compute_mode="donot_use_mm_for_euclid_dist")
    return like(distances, features), like(classes, features)


def reduced_distances(distances: A, distance: Distance = "min") -> A:
    """(N,) smallest, mean or largest of the (N, K) distances to the known class centres; infinite where K is 0."""
    (d,) = as_tensors(distances)
    if d.shape[1] == 0:
        return like(d.new_full((len(d),), torch.inf), distances)
    reductions: dict[str, Callable[..., Tensor]] = {"min": torch.amin, "mean": torch.mean, "max": torch.amax}
    return like(reductions[distance](d, 1), distances)


def oss_scores(features: A, labels: A, target_label: int, distance: Distance = "min") -> A:
    """(N,) OSS score S of every sample: distance to the nearest known class centre. Large means like no other class.

    Parameters
    ----------
    features : (N, D) float, from the main model after its warm-up on the non-target samples
    labels : (N,) int
    target_label : the suspected label; its samples form no centre
    distance : "min" is Eq. 6; Fig. 8 compares it with "mean" and "max" over the centres

    The score is infinite where no class is known.

    Paper: Eq. 6. Section 4.1.1 has poison near the known classes (small S), which Eq. 5 follows; appendix D.2 says
    "far away", which we read as a slip.
    """
    f, y = as_tensors(features, labels)
    distances, _ = center_distances(f, y, target_label)
    return like(reduced_distances(distances, distance), features)


def oss_clean_mask(scores: A, labels: A, target_label: int, beta: float) -> A:
    """(N,) bool: all non-target samples, and the int(beta * |D_t|) target samples of largest S. Paper: Eq. 4-5."""
    s, y = as_tensors(scores, labels)
    is_target = y == target_label
    mask = ~is_target
    target_idx = is_target.nonzero().squeeze(1)
    mask[target_idx] = top_mask(s[target_idx], exact_count(beta, len(target_idx)))
    return like(mask, scores)


def all_to_all_scores(features: A, labels: A, distance: Distance = "min") -> A:
    """(N,) OSS score of every sample with its own given label as the suspected target. Paper: appendix D.8."""
    f, y = as_tensors(features, labels)
    scores = f.new_zeros(len(f))
    for c in torch.unique(y).tolist():
        scores[y == c] = oss_scores(f, y, c, distance)[y == c]
    return like(scores, features)


def all_to_all_clean_mask(scores: A, labels: A, beta: float) -> A:
    """(N,) bool: the intersection over all classes c of the OSS clean sets with c as the target.

    A sample is a non-target of every class but its own, so it stays if it is in the top beta share of its own class.
    `scores` need hold the scores with that class as the target only, see `all_to_all_scores`. Paper: appendix D.8.
    """
    s, y = as_tensors(scores, labels)
    masks = [oss_clean_mask(s, y, c, beta) for c in torch.unique(y).tolist()]
    return like(torch.stack(masks).all(0), scores)


def top_share_mask(scores: A, share: float) -> A:
    """(N,) bool: the int(share * N) samples with the largest score, among equals the lower index first."""
    (x,) = as_tensors(scores)
    return like(top_mask(x, exact_count(share, len(x))), scores)


def als_clean_mask(losses: A, alpha: float) -> A:
    """(N,) bool: the int(alpha * N) samples with the largest altruistic loss.

    Paper: Eq. 7. The altruistic model has learned the whole malicious set, poison first, so a small loss is suspect.
    """
    return top_share_mask(losses, alpha)


def initial_clean_mask(
    als: A, oss: A, combine: InitCombine = "intersection", generator: torch.Generator | None = None
) -> A:
    """(N,) bool: the first clean pool.

    Paper: Eq. 3, the intersection. Algorithm 1 line 21 prints a union, against Eq. 3, section 1 and Fig. 2.
    "random" (Table 6, w/o Init) draws as many samples as the intersection has, which is our reading.
    """
    a, o = as_tensors(als, oss)
    if combine == "random":
        order = torch.rand(len(a), generator=generator).to(a.device)
        return like(top_mask(order, int((a & o).sum())), als)
    return like(COMBINED[combine](a, o), als)


def clean_ratio(epoch: int, *, alpha: float, beta: float, t1: int, init_epochs: int, t2: int) -> float:
    """alpha_T, the share of samples in the clean pool at main epoch T: half a cosine from beta to alpha.

    Paper: Eq. 11, where T1 + 10 is t1 + init_epochs. Constant beta before that epoch, alpha from T2 on.
    """
    start = t1 + init_epochs
    if epoch >= t2:
        return alpha
    if epoch <= start:
        return beta
    progress = (epoch - start) / (t2 - start)
    return beta + (alpha - beta) * (1 - math.cos(math.pi * progress)) / 2


def discrepancy_clean_mask(
    discrepancy: A,
    labels: A,
    ratio: float,
    completion: Completion = "fewest",
    *,
    count_by: CountBy = "pool_label",
    predictions: A | None = None,
    target_label: int | None = None,
) -> A:
    """(N,) bool: the top share of samples by loss discrepancy, with class completion. Paper: Eq. 8.

    Parameters
    ----------
    discrepancy : (N,) float, nats
    labels : (N,) int
    ratio : alpha_T
    completion, count_by, predictions, target_label : see `class_quotas`
    """
    top = top_share_mask(discrepancy, ratio)
    quotas = class_quotas(
        top, labels, ratio, completion, count_by=count_by, predictions=predictions, target_label=target_label
    )
    return completed_mask(discrepancy, labels, top, quotas, completion)


def class_quotas(
    top: A,
    labels: A,
    ratio: float,
    completion: Completion,
    *,
    count_by: CountBy = "pool_label",
    predictions: A | None = None,
    target_label: int | None = None,
) -> dict[int, int]:
    """How many of its best samples each class must have by class completion; classes without a quota are left out.

    Parameters
    ----------
    top : (N,) bool, the top share of all samples
    ratio : alpha_T
    completion :
        "fewest" (paper): the class with the fewest selected samples is raised to n' = min(int(ratio * N_i), count of
        the second-fewest class).
        "balanced" (extension, not in the paper): every class keeps exactly the top int(ratio * N_i) of its own, so the
        pool has the class shares of the given labels.
        "balanced_others" (extension): as "balanced", but the suspected target keeps no more than the top share of all
        samples gives it: where poison outnumbers its own samples, its top int(ratio * N_i) must hold poison.
        "off": none.
    count_by :
        What makes a class the fewest: its given labels in the selection, the main model's predictions for the selection
        ("predicted class" in the paper's text), or its predictions for all samples.
    predictions : (N,) int, the main model's; needed unless `count_by` is "pool_label"
    target_label : the suspected label, which "balanced_others" reads

    Paper: Eq. 8. n_i there is undefined. It must be the class size N_i, since with the selected count the rule would
    add nothing. With the selection counted by given label only the fewest class can grow, whatever i ranges over, and a
    tie for the fewest changes nothing.
    """
    mask, y, predicted = as_tensors(top, labels, labels if predictions is None else predictions)
    sizes = torch.bincount(y.long()).tolist()
    present = [c for c, size in enumerate(sizes) if size > 0]
    if completion in BY_CLASS:
        quotas = {c: exact_count(ratio, sizes[c]) for c in present}
        if completion == "balanced_others" and target_label in quotas:
            quotas[target_label] = min(quotas[target_label], int((y[mask] == target_label).sum()))
        return quotas
    if completion == "off" or len(present) < 2:
        return {}
    counted = {"pool_label": y, "pool_pred": predicted, "all_pred": predicted}[count_by]
    counted = counted if count_by == "all_pred" else counted[mask]
    counts = torch.bincount(counted.long(), minlength=len(sizes)).tolist()
    fewest, second = sorted(present, key=lambda c: counts[c])[:2]
    return {fewest: min(exact_count(ratio, sizes[fewest]), counts[second])}


def completed_mask(discrepancy: A, labels: A, top: A, quotas: dict[int, int], completion: Completion) -> A:
    """(N,) bool: the pool after class completion: each class with a quota has that many of its best samples.

    The other samples are those of the top share, or none where completion goes by class (`BY_CLASS`).
    """
    d, y, selected = as_tensors(discrepancy, labels, top)
    mask = torch.zeros_like(selected) if completion in BY_CLASS else selected.clone()
    for label, quota in quotas.items():
        class_idx = (y == label).nonzero().squeeze(1)
        mask[class_idx] |= top_mask(d[class_idx], quota)
    return like(mask, discrepancy)


def selective_drop(clean_mask: A, main_pred: A, altruistic_pred: A, target_label: int) -> A:
    """(N,) bool: the pool without the samples that both models call the suspected target. Paper: Eq. 10."""
    mask, f, g = as_tensors(clean_mask, main_pred, altruistic_pred)
    return like(mask & ~((f == target_label) & (g == target_label)), clean_mask)
