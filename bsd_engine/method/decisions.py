"""Which samples a main epoch trusts: Algorithm 1, lines 16-35, on the formulas of `splits`. Pure, and blind to the truth."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bsd_engine import splits
from bsd_engine.compute.plans import generator_for
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import TrainingError
from bsd_engine.method.scoring import Scores
from bsd_engine.splits import Array


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What a decision may read, as the models stand after T - 1."""

    labels: Tensor
    """(N,) int64: the given labels."""
    pseudo_target: int | None
    """None with all-to-all, where every class is one, and where no class is suspected."""
    main: Scores
    altruistic: Scores
    warmup_loss: Tensor
    """(N,) float32, nats: altruistic losses at the end of the altruistic warm-up."""
    clean_mask: Tensor | None
    """(N,) bool: the pool of T - 1."""
    specialist_oss: Tensor | None = None
    """(N,) OSS scores at T1 from a model for each class, with all-to-all by retraining."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The pools of one main epoch."""

    clean_mask: Tensor
    """(N,) bool."""
    unlabeled_mask: Tensor
    """(N,) bool; the complement, but for variants of the OSS warm-up."""
    clean_ratio: float | None = None
    """alpha_T, or the share kept by ALS on the initial pools."""
    oss_score: Tensor | None = None
    """(N,), up to T1."""
    oss_distances: Tensor | None = None
    """(3, N) by each of `splits.DISTANCES`, up to T1; None with all-to-all."""
    nearest_class: Tensor | None = None
    """(N,) known class of the nearest centre, likewise."""


def decide(config: BSDConfig, t: int, seen: Evidence) -> Decision:
    """The pools of main epoch T; raises `TrainingError` for an empty clean pool."""
    split, schedule = config.split, config.schedule
    oss, distances, nearest = _oss(config, seen) if t <= schedule.t1 else (None, None, None)
    if t < schedule.t1:
        labeled, unlabeled = warmup_masks(config, seen.labels, seen.pseudo_target)
        return Decision(
            clean_mask=labeled, unlabeled_mask=unlabeled, oss_score=oss, oss_distances=distances, nearest_class=nearest
        )
    if t == schedule.t1:
        losses = seen.altruistic.loss if split.als_snapshot == "current" else seen.warmup_loss
        mask, ratio = initial_pool(config, seen.labels, seen.pseudo_target, losses, oss), split.als_ratio
    elif t < schedule.t1 + schedule.init_epochs:
        mask, ratio = seen.clean_mask, split.als_ratio
    else:
        mask = discrepancy_pool(
            config,
            t,
            seen.labels,
            seen.pseudo_target,
            (seen.main.loss, seen.altruistic.loss),
            (seen.main.prediction, seen.altruistic.prediction),
        )
        ratio = schedule_ratio(config, t)
    if not mask.any():
        raise TrainingError(
            f"The clean pool is empty at main epoch {t}; alpha and beta are too small for this data. Raise them."
        )
    return Decision(
        clean_mask=mask,
        unlabeled_mask=~mask,
        clean_ratio=ratio,
        oss_score=oss,
        oss_distances=distances,
        nearest_class=nearest,
    )


def suspect_oss(config: BSDConfig, features: Tensor, labels: Tensor, target: int) -> Tensor:
    """(N,) OSS scores with one class as the suspected target."""
    split = config.split
    return splits.oss_scores(
        splits.normalized_features(features, split.feature_norm), labels, target, split.oss_distance
    )


def _oss(config: BSDConfig, seen: Evidence) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """OSS scores for the suspected target, or with all-to-all for each sample's own label; None where not known yet.

    Beside the score (N,) that counts, the distances (3, N) by which it could have been measured and the nearest class (N,).
    """
    split = config.split
    if split.all_to_all == "off" and seen.pseudo_target is None:
        return None, None, None
    if split.all_to_all == "retrain_each":
        return seen.specialist_oss, None, None
    features = splits.normalized_features(seen.main.features, split.feature_norm)
    if split.all_to_all == "shared":
        return splits.all_to_all_scores(features, seen.labels, split.oss_distance), None, None
    to_centers, classes = splits.center_distances(features, seen.labels, seen.pseudo_target)
    by_kind = torch.stack([splits.reduced_distances(to_centers, kind) for kind in splits.DISTANCES])
    nearest = classes[to_centers.argmin(1)] if len(classes) else None
    return by_kind[splits.DISTANCES.index(split.oss_distance)], by_kind, nearest


def warmup_masks(config: BSDConfig, labels: Tensor, target: int | None) -> tuple[Tensor, Tensor]:
    """Labelled and unlabelled samples of the OSS warm-up, (N,) bool each.

    Labelled are the non-target samples; unlabelled the others, as Algorithm 1 has it, or a variant. Without a target
    everything is labelled.
    """
    labeled = torch.ones_like(labels, dtype=torch.bool) if target is None else labels != target
    unlabeled = {"target": ~labeled, "nontarget": labeled, "none": torch.zeros_like(labeled)}
    return labeled, unlabeled[config.split.oss_warmup_unlabeled]


def initial_pool(config: BSDConfig, labels: Array, target: int | None, losses: Array, oss: Array | None) -> Array:
    """(N,) bool: ALS on altruistic losses and OSS on scores, (N,) each, as at T = T1; where nobody is suspected OSS keeps all."""
    split = config.split
    als = splits.als_clean_mask(losses, split.als_ratio)
    if oss is None:
        by_oss = als | ~als
    elif split.all_to_all == "off":
        by_oss = splits.oss_clean_mask(oss, labels, target, split.beta)
    else:
        by_oss = splits.all_to_all_clean_mask(oss, labels, split.beta)
    return splits.initial_clean_mask(als, by_oss, split.init_combine, generator_for(config.seed, "pools", 0))


def schedule_ratio(config: BSDConfig, t: int) -> float:
    """alpha_T of Eq. 11 under a configuration."""
    split, schedule = config.split, config.schedule
    return splits.clean_ratio(
        t,
        alpha=split.alpha,
        beta=split.schedule_start,
        t1=schedule.t1,
        init_epochs=schedule.init_epochs,
        t2=schedule.t2,
    )


def discrepancy_pool(
    config: BSDConfig,
    t: int,
    labels: Array,
    target: int | None,
    losses: tuple[Array, Array],
    predictions: tuple[Array, Array],
) -> Array:
    """(N,) bool: class completion at main epoch T, and in the last stage selective dropping.

    Parameters
    ----------
    losses, predictions : (N,) of the main model, then of the altruistic one
    """
    split = config.split
    discrepancy = splits.loss_discrepancy(losses[1], losses[0])
    mask = splits.discrepancy_clean_mask(
        discrepancy,
        labels,
        schedule_ratio(config, t),
        split.completion,
        count_by=split.count_by,
        predictions=predictions[0],
        target_label=target,
    )
    if t >= config.drop_start and split.selective_drop and target is not None:
        mask = splits.selective_drop(mask, *predictions, target)
    return mask
