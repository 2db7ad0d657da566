"""From both models' scores to the pools of a main epoch: OSS scores are measured here, `pools` decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bsd_engine import splits
from bsd_engine.config.settings import BSDConfig
from bsd_engine.errors import TrainingError
from bsd_engine.method.pools import PoolEvidence, PoolTrace, decide_pools
from bsd_engine.method.rules import PoolRules
from bsd_engine.method.scoring import Scores


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """The evidence for a decision: both models as they stand after T - 1."""

    labels: Tensor
    """(N,) int64: the given labels."""
    pseudo_target: int | None
    """The suspected label; None with all-to-all, where every class is one, and where no class is suspected."""
    main: Scores
    altruistic: Scores
    warmup_loss: Tensor
    """(N,) float32, nats: altruistic losses at the end of the altruistic warm-up."""
    clean_mask: Tensor | None
    """(N,) bool: the clean pool of T - 1."""
    specialist_oss: Tensor | None = None
    """(N,) OSS scores at T1 from a model for each class, with all-to-all by retraining."""
    verdict: Mapping[str, Any] | None = None
    """What `auto` concluded about the target; it may change the rules, see `PoolRules.of`."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """The pools of one main epoch, and the distances that were measured for them."""

    trace: PoolTrace[Tensor]
    oss_score: Tensor | None = None
    """(N,), up to T1."""
    oss_distances: Tensor | None = None
    """(3, N) by each of `splits.DISTANCES`, up to T1; None with all-to-all."""
    nearest_class: Tensor | None = None
    """(N,) the known class with the nearest centre, up to T1; None with all-to-all."""

    @property
    def clean_mask(self) -> Tensor:
        """(N,) bool."""
        return self.trace.clean_mask

    @property
    def unlabeled_mask(self) -> Tensor:
        """(N,) bool."""
        return self.trace.unlabeled_mask

    @property
    def clean_ratio(self) -> float | None:
        """alpha_T, or the share kept by ALS on the initial pools; None in the OSS warm-up."""
        return self.trace.clean_ratio


def decide(config: BSDConfig, t: int, seen: Evidence) -> Decision:
    """The pools of main epoch T; raises `TrainingError` for an empty clean pool."""
    rules = PoolRules.of(config, seen.verdict)
    oss, distances, nearest = _oss(config, rules, seen) if t <= rules.t1 else (None, None, None)
    evidence = PoolEvidence(
        labels=seen.labels,
        target=seen.pseudo_target,
        altruistic_loss=seen.altruistic.loss,
        main_loss=seen.main.loss,
        altruistic_prediction=seen.altruistic.prediction,
        main_prediction=seen.main.prediction,
        warmup_loss=seen.warmup_loss,
        oss_score=oss,
        previous_pool=seen.clean_mask,
    )
    trace = decide_pools(rules, t, evidence)
    if trace.rule != "oss_warmup" and not trace.clean_mask.any():
        raise TrainingError(
            f"The clean pool is empty at main epoch {t}; alpha and beta are too small for this data. Raise them."
        )
    return Decision(trace=trace, oss_score=oss, oss_distances=distances, nearest_class=nearest)


def suspect_oss(config: BSDConfig, features: Tensor, labels: Tensor, target: int) -> Tensor:
    """(N,) OSS scores with one class as the suspected target."""
    split = config.split
    return splits.oss_scores(
        splits.normalized_features(features, split.feature_norm), labels, target, split.oss_distance
    )


def _oss(config: BSDConfig, rules: PoolRules, seen: Evidence) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """OSS scores (N,), the distances (3, N) that they may be, and the nearest known class (N,).

    The scores are those of the suspected target, with all-to-all those of each sample's own label; None where no class
    is suspected or the scores are not known yet.
    """
    split = config.split
    if rules.all_to_all == "retrain_each":
        return seen.specialist_oss, None, None
    features = splits.normalized_features(seen.main.features, split.feature_norm)
    if rules.all_to_all == "shared":
        return splits.all_to_all_scores(features, seen.labels, split.oss_distance), None, None
    if seen.pseudo_target is None:
        return None, None, None
    to_centers, classes = splits.center_distances(features, seen.labels, seen.pseudo_target)
    by_kind = torch.stack([splits.reduced_distances(to_centers, kind) for kind in splits.DISTANCES])
    nearest = classes[to_centers.argmin(1)] if len(classes) else None
    return by_kind[splits.DISTANCES.index(split.oss_distance)], by_kind, nearest
