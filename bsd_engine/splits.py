"""How BSD decides which samples are clean: every equation of the paper's section 4, as pure functions.

Arrays are numpy or torch on input and the same kind on output. All of them are over the given, possibly poisoned
labels: the truth is no argument of any function here. Shares become exact counts k = int(share * n), and equal scores
are ranked by index, so that the size of a pool is a function of its share alone ("at least the percentile" in the
paper's sets would keep more under ties).
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from bsd_engine.shares import DISTANCES, Distance, exact_count, loss_discrepancy  # noqa: F401 - others read them here

Array = np.ndarray | Tensor
Completion = Literal["fewest", "balanced", "balanced_others", "off"]
InitCombine = Literal["intersection", "union", "als_only", "oss_only", "random"]
FeatureNorm = Literal["none", "l2", "zscore"]
CountBy = Literal["pool_label", "pool_pred", "all_pred"]


def _tensors(*arrays: Array) -> list[Tensor]:
    """Tensors that share memory where they can; torch warns of read-only arrays, which those of an `EpochState` are."""
    return [a if isinstance(a, Tensor) else torch.as_tensor(np.require(a, requirements="CW")) for a in arrays]


def _like(result: Tensor, example: Array) -> Array:
    return result if isinstance(example, Tensor) else result.numpy()


def _kth_smallest(scores: Tensor, k: int) -> Tensor:
    """The element at place k, from 0, of the ascending order; numpy selects 50,000 in 0.1 ms, torch in 0.7, a sort takes 6."""
    if scores.device.type == "cpu" and scores.dtype in (torch.float32, torch.float64):
        return torch.as_tensor(np.partition(scores.detach().numpy(), k)[k])
    return scores.kthvalue(k + 1).values


def _top_mask(scores: Tensor, k: int) -> Tensor:
    """(N,) bool: the k largest scores; among equals the lower index first."""
    n = len(scores)
    if not 0 < k < n:
        return torch.full((n,), k >= n, dtype=torch.bool, device=scores.device)
    lowest = _kth_smallest(scores, n - k)
    mask = ~(scores <= lowest)
    ties = (scores == lowest).nonzero().squeeze(1)
    if len(ties) == 0:  # the k-th is not a number, which a sort puts first
        mask = torch.zeros_like(mask)
        mask[torch.argsort(scores, descending=True, stable=True)[:k]] = True
        return mask
    mask[ties[: k - int(mask.sum())]] = True
    return mask


def symmetric_cross_entropy(
    logits: Array,
    labels: Array,
    *,
    ce_weight: float = 0.1,
    rce_weight: float = 1.0,
    min_probability: float = 1e-7,
    min_one_hot: float = 1e-4,
) -> Array:
    """(N,) nats, dtype of the logits: symmetric cross-entropy, 0.1 CE + 1.0 RCE.

    Parameters
    ----------
    logits : (N, C) float
    labels : (N,) int
    ce_weight, rce_weight : the weights of its two parts; (1, 0) is plain cross-entropy
    min_probability, min_one_hot : lower bounds of p and q in RCE

    Notes
    -----
    RCE = -sum_c p_c log q_c with p clamped to [1e-7, 1] and the one-hot q to [1e-4, 1], as in ASD; so RCE is
    9.2103 (sum of p over the other classes) and saturates at a confident mistake.
    """
    x, y = _tensors(logits, labels)
    log_p = torch.log_softmax(x, dim=1)
    ce = -log_p.gather(1, y[:, None].long()).squeeze(1)
    p = log_p.exp().clamp(min_probability, 1.0)
    others = p.scatter(1, y[:, None].long(), 0.0).sum(1)
    return _like(ce_weight * ce - rce_weight * math.log(min_one_hot) * others, logits)


def normalized_features(features: Array, norm: FeatureNorm) -> Array:
    """(N, D) features as OSS measures them.

    "none" is the paper's text; "l2" gives every row length one (a row of zeros stays); "zscore" gives every column mean
    zero and variance one over the samples (a constant column becomes zero).
    """
    (f,) = _tensors(features)
    if norm == "l2":
        return _like(torch.nn.functional.normalize(f), features)
    if norm == "zscore":
        spread = f.std(0, correction=0)
        return _like((f - f.mean(0)) / torch.where(spread > 0, spread, 1.0), features)
    return features


def class_centers(features: Array, labels: Array, target_label: int) -> tuple[Array, Array]:
    """Mean feature of each known class, as in Eq. 6.

    Returns
    -------
    centers : (K, D), dtype of the features
    classes : (K,) int64, the label of each row; the target and labels without a sample are left out
    """
    f, y = _tensors(features, labels)
    classes = torch.unique(y[y != target_label])
    centers = torch.stack([f[y == c].mean(0) for c in classes]) if len(classes) else f.new_zeros(0, f.shape[1])
    return _like(centers, features), _like(classes, features)


def center_distances(features: Array, labels: Array, target_label: int) -> tuple[Array, Array]:
    """(N, K) Euclidean distance of each sample to each known class centre, and the (K,) labels of the columns."""
    f, y = _tensors(features, labels)
    centers, classes = class_centers(f, y, target_label)
    distances = torch.cdist(f, centers, compute_mode="donot_use_mm_for_euclid_dist")
    return _like(distances, features), _like(classes, features)


def reduced_distances(distances: Array, distance: Distance = "min") -> Array:
    """(N,) smallest, mean or largest of each sample's (N, K) distances to the known class centres; infinite without any."""
    (d,) = _tensors(distances)
    if d.shape[1] == 0:
        return _like(d.new_full((len(d),), torch.inf), distances)
    return _like({"min": torch.amin, "mean": torch.mean, "max": torch.amax}[distance](d, 1), distances)


def oss_scores(features: Array, labels: Array, target_label: int, distance: Distance = "min") -> Array:
    """(N,) OSS score S of every sample: distance to the nearest known class centre. Large means like no other class.

    Parameters
    ----------
    features : (N, D) float, from the main model after its warm-up on the non-target samples
    labels : (N,) int
    target_label : int, the suspected one; its samples make no centre
    distance : "min" is Eq. 6; "mean" and "max" over the centres are compared in Fig. 8

    Without any known class the score is infinite.

    Paper: Eq. 6. Section 4.1.1 has poison near the known classes (small S), which Eq. 5 follows; appendix D.2 says
    "far away", which we take for a slip.
    """
    distances, _ = center_distances(*_tensors(features, labels), target_label)
    return _like(reduced_distances(distances, distance), features)


def oss_clean_mask(scores: Array, labels: Array, target_label: int, beta: float) -> Array:
    """(N,) bool: all non-target samples, and the int(beta * |D_t|) target samples with the largest S. Paper: Eq. 4-5."""
    s, y = _tensors(scores, labels)
    is_target = y == target_label
    mask = ~is_target
    target_idx = is_target.nonzero().squeeze(1)
    mask[target_idx] = _top_mask(s[target_idx], exact_count(beta, len(target_idx)))
    return _like(mask, scores)


def all_to_all_scores(features: Array, labels: Array, distance: Distance = "min") -> Array:
    """(N,) OSS score of every sample with its own given label as the suspected target. Paper: appendix D.8."""
    f, y = _tensors(features, labels)
    scores = f.new_zeros(len(f))
    for c in torch.unique(y).tolist():
        scores[y == c] = oss_scores(f, y, c, distance)[y == c]
    return _like(scores, features)


def all_to_all_clean_mask(scores: Array, labels: Array, beta: float) -> Array:
    """(N,) bool: the intersection over all classes c of the OSS clean sets with c as the target.

    A sample is among the non-targets of every class but its own, so it stays if it is in the top beta share of its own
    class; `scores` need hold that class's run only, see `all_to_all_scores`. Paper: appendix D.8.
    """
    s, y = _tensors(scores, labels)
    masks = [oss_clean_mask(s, y, c, beta) for c in torch.unique(y).tolist()]
    return _like(torch.stack(masks).all(0), scores)


def als_clean_mask(losses: Array, alpha: float) -> Array:
    """(N,) bool: the int(alpha * N) samples with the largest altruistic loss.

    Paper: Eq. 7. The altruistic model has learned the whole malicious set, poison first, so a small loss is suspect.
    """
    (x,) = _tensors(losses)
    return _like(_top_mask(x, exact_count(alpha, len(x))), losses)


def initial_clean_mask(
    als: Array, oss: Array, combine: InitCombine = "intersection", generator: torch.Generator | None = None
) -> Array:
    """(N,) bool: the first clean pool.

    Paper: Eq. 3, the intersection; Algorithm 1 line 21 prints a union, against Eq. 3, section 1 and Fig. 2.
    "random" (Table 6, w/o Init) draws as many samples as the intersection has, which is our reading.
    """
    a, o = _tensors(als, oss)
    both = a & o
    if combine == "random":
        order = torch.rand(len(a), generator=generator).to(a.device)
        return _like(_top_mask(order, int(both.sum())), als)
    return _like({"intersection": both, "union": a | o, "als_only": a, "oss_only": o}[combine], als)


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
    discrepancy: Array,
    labels: Array,
    ratio: float,
    completion: Completion = "fewest",
    *,
    count_by: CountBy = "pool_label",
    predictions: Array | None = None,
    target_label: int | None = None,
) -> Array:
    """(N,) bool: the top share of samples by loss discrepancy, with class completion.

    Parameters
    ----------
    discrepancy : (N,) float, nats
    labels : (N,) int
    ratio : alpha_T
    count_by :
        What makes a class the fewest: its given labels in the selection, the main model's predictions for the selection
        ("predicted class" in the paper's text), or those for all samples.
    predictions : (N,) int, the main model's; needed unless `count_by` is "pool_label"
    completion :
        "fewest" (paper): the class with the fewest selected samples is raised to n' = min(int(ratio * N_i), count of
        the second-fewest class).
        "balanced" (extension, not in the paper): every class keeps exactly the top int(ratio * N_i) of its own, so the
        pool has the class shares of the given labels.
        "balanced_others" (extension): the same, but the suspected target keeps no more than the cut over all classes
        gives it: where poison outnumbers its own samples, its top int(ratio * N_i) must hold poison.
        "off": none.
    target_label : int, the suspected one, which "balanced_others" reads

    Paper: Eq. 8. n_i there is undefined; it must be the class size N_i, since with the selected count the rule would
    add nothing. Counting the selection by given label, only the fewest class can grow, whatever i ranges over, and a tie for the fewest
    changes nothing.
    """
    d, y, predicted = _tensors(discrepancy, labels, labels if predictions is None else predictions)
    mask = _top_mask(d, exact_count(ratio, len(d)))
    sizes = torch.bincount(y.long())
    counted = {"pool_label": y[mask], "pool_pred": predicted[mask], "all_pred": predicted}[count_by]
    counts = torch.bincount(counted.long(), minlength=len(sizes))
    quotas = _completion_quotas(counts.tolist(), sizes.tolist(), ratio, completion)
    if completion == "balanced_others" and target_label in quotas:
        quotas[target_label] = min(quotas[target_label], int((y[mask] == target_label).sum()))
    if completion in ("balanced", "balanced_others"):
        mask.zero_()
    for label, quota in quotas.items():
        class_idx = (y == label).nonzero().squeeze(1)
        mask[class_idx] |= _top_mask(d[class_idx], quota)
    return _like(mask, discrepancy)


def _completion_quotas(counts: list[int], sizes: list[int], ratio: float, completion: Completion) -> dict[int, int]:
    """How many of its best samples each class in need of completion must have."""
    present = [c for c, size in enumerate(sizes) if size > 0]
    if completion in ("balanced", "balanced_others"):
        return {c: exact_count(ratio, sizes[c]) for c in present}
    if completion == "off" or len(present) < 2:
        return {}
    fewest, second = sorted(present, key=lambda c: counts[c])[:2]
    return {fewest: min(exact_count(ratio, sizes[fewest]), counts[second])}


def selective_drop(clean_mask: Array, main_pred: Array, altruistic_pred: Array, target_label: int) -> Array:
    """(N,) bool: the pool without the samples that both models call the suspected target. Paper: Eq. 10."""
    mask, f, g = _tensors(clean_mask, main_pred, altruistic_pred)
    return _like(mask & ~((f == target_label) & (g == target_label)), clean_mask)
